package model

import (
	"reconcile/config"
	"reconcile/internal/definition"
)

// FromConfig gives the settings of a configured table. Underscores after
// reserved names are the model's own business: of the published names only real
// renames count.
func FromConfig(cfg *config.Config, t *definition.Table) Settings { return configured{cfg, t} }

type configured struct {
	cfg *config.Config
	t   *definition.Table
}

func (c configured) Schema() (string, []string) { return c.t.OnSchemaChange, c.t.Columns }

func (c configured) Partition() (string, []string) {
	return c.t.Partition.Column, c.t.Partition.Levels()
}

func (c configured) CastErrorFails() bool { return c.t.OnCastError == "fail" }

func (c configured) TimeUnit() string { return c.t.TimeUnit.String() }

func (c configured) Column(delivered string) Column {
	from := c.t.Column(delivered)
	to := Column{Mask: string(from.Mask), Key: []byte(c.cfg.MaskKey(from.Verifier)), Merge: from.Merge, Unit: from.Rule.Unit.String()}
	if from.Rule.HalfEven {
		to.Round = definition.HalfEven
	}
	if c.t.Renames(delivered) {
		to.As = from.As
	}
	if from.Typed {
		to.Type = from.Type.String()
	}
	return to
}

func (c configured) Renames() map[string]string {
	out := map[string]string{}
	for _, label := range c.t.Renamed() {
		out[label] = c.t.Column(label).As
	}
	return out
}
