package model

import "reconcile/internal/definition"

// FromDefinition gives the settings of a configured table; maskKey returns the
// key of a mask by its verifier. Underscores after reserved names are the
// model's own business: of the published names only real renames count.
func FromDefinition[K ~[]byte](t *definition.Table, maskKey func(verifier string) K) Settings {
	return configured{t, func(verifier string) []byte { return maskKey(verifier) }}
}

type configured struct {
	t       *definition.Table
	maskKey func(verifier string) []byte
}

func (c configured) Schema() (string, []string) { return c.t.OnSchemaChange, c.t.Columns }

func (c configured) Partition() (string, []string) {
	return c.t.Partition.Column, c.t.Partition.Levels()
}

func (c configured) CastErrorFails() bool { return c.t.OnCastError == "fail" }

func (c configured) TimeUnit() string { return c.t.TimeUnit.String() }

func (c configured) Column(delivered string) Column {
	from := c.t.Column(delivered)
	to := Column{Mask: string(from.Mask), Key: c.maskKey(from.Verifier), Merge: from.Merge, Unit: from.Rule.Unit.String()}
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
	for _, label := range c.t.Renamed {
		out[label] = c.t.Column(label).As
	}
	return out
}
