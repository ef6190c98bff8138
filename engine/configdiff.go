package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"reconcile/config"
	"reconcile/internal/column"
	"reconcile/state"
)

// Class is what a change of the configuration costs a table.
type Class int

// The classes, each dearer than the one before.
const (
	ClassNone     Class = iota
	ClassMetadata       // nothing is rewritten
	ClassRewrite        // from what the sink and the state hold
	ClassRebuild        // from the source
)

// String names the class as plans do.
func (c Class) String() string {
	return [...]string{"none", "metadata only", "rewrite from the sink", "rebuild from the source"}[c]
}

// MarshalText gives the JSON form.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ConfigDiff is a change of a table's definition, and why it is of its class.
type ConfigDiff struct {
	Class   Class    `json:"class"`
	Reasons []string `json:"reasons,omitempty"`
	masks   bool     // a mask was added
}

func (d *ConfigDiff) add(c Class, format string, args ...any) {
	d.Class = max(d.Class, c)
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}

// maskVerifier tells keys of a mask apart without keeping them.
func maskVerifier(c config.Column) string {
	if c.Mask != config.MaskHMAC {
		return ""
	}
	m := hmac.New(sha256.New, c.Key)
	m.Write([]byte("reconcile mask key verifier"))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// planChange finds what there is to change about what the table has, and why: damage
// first, then what the configuration says.
func (e *Engine) planChange(p *Plan, t *TablePlan) {
	var damage ConfigDiff
	if t.repair != "" {
		damage.add(ClassRebuild, "-repair: %s", t.repair)
	}
	if t.rewrite != "" {
		damage.add(ClassRewrite, "-repair: %s", t.rewrite)
	}
	t.diffDrift(&damage)
	if p.snap.Tables[t.Name] != nil {
		t.diffConfig(e, p)
	}
	t.mends = t.repair != "" || damage.Class == ClassRebuild && t.Change.Class != ClassRebuild
	t.Change.Class = max(t.Change.Class, damage.Class)
	t.Change.Reasons = append(damage.Reasons, t.Change.Reasons...)
}

// diffConfig compares the table's record with its configuration.
func (t *TablePlan) diffConfig(e *Engine, p *Plan) {
	d, old, cfg := &t.Change, t.old, t.cfg
	if old.Key != t.key {
		d.add(ClassRebuild, "the key is %s now, it was %s", t.key, old.Key)
	}
	find := t.finder()
	for _, a := range old.Applied {
		i := find(a.Dump)
		switch {
		case i >= 0 && (a.Lost || t.kind == kindMapping || t.all[i].entry.Digest == a.Digest):
		case i >= 0:
			d.add(ClassRebuild, "the manifest of dump %d lists other files or columns than were applied", a.Dump)
		case e.skipped(a.Dump, t.Name):
			d.add(ClassRebuild, "dump %d was applied and is skipped now", a.Dump)
		case e.withdrawn(p, a.Dump, t.Name):
			d.add(ClassRebuild, "the manifest of dump %d no longer lists the table", a.Dump)
		}
	}
	if now := cfg.PartitionText(); now != old.PartitionBy {
		d.add(ClassRewrite, "partition_by is [%s], it was [%s]", now, old.PartitionBy)
	}
	t.diffSinks(e, d)
	t.diffSchemaPolicy(d)
	if t.kind != kindMapping {
		t.diffColumns(d)
	}
}

func (t *TablePlan) diffSinks(e *Engine, d *ConfigDiff) {
	if t.kind == kindEvents && len(t.old.Sinks) == 0 && len(t.parts) > 0 {
		d.add(ClassRebuild, "the only sink that held its rows is forgotten")
	}
	for _, s := range t.cfg.Sinks {
		i := t.old.SinkAt(s.Path)
		switch {
		case i < 0:
			d.add(ClassRewrite, "new sink %s", s.Path)
		case t.old.Sinks[i].Folder != t.cfg.Folder:
			d.add(ClassRewrite, "the folder is %s, it was %s", t.cfg.Folder, t.old.Sinks[i].Folder)
			t.destroys("the files", t.old.Sinks[i], keepFolder(t.Name, t.old.Sinks[i].Folder))
		case t.old.Sinks[i].Compression != s.Compression:
			d.add(ClassRewrite, "compression is %s, it was %s", s.Compression, t.old.Sinks[i].Compression)
		}
	}
	for _, o := range t.old.Sinks {
		if !slices.ContainsFunc(t.cfg.Sinks, func(s *config.Sink) bool { return s.Path == o.Root }) {
			d.add(ClassRewrite, "the sink at %s is no longer a sink of the table", o.Root)
			t.destroys("the files", o, e.keepSink(o.Root))
		}
	}
}

// diffSchemaPolicy compares on_schema_change and columns = [...].
func (t *TablePlan) diffSchemaPolicy(d *ConfigDiff) {
	old, cfg := t.old, t.cfg
	if old.OnCastError != cfg.OnCastError {
		d.add(ClassMetadata, "on_cast_error is %q, it was %q", cfg.OnCastError, old.OnCastError)
	}
	if old.OnSchemaChange != cfg.OnSchemaChange {
		class := ClassMetadata
		if old.OnSchemaChange == config.Ignore {
			class = ClassRebuild
		}
		d.add(class, "on_schema_change is %q, it was %q", cfg.OnSchemaChange, old.OnSchemaChange)
	}
	if old.OnSchemaChange == config.Evolve {
		return
	}
	for _, c := range cfg.Columns {
		if !slices.ContainsFunc(old.Listed, func(l string) bool { return fold(l) == fold(c) }) && old.OnSchemaChange == config.Ignore {
			d.add(ClassRebuild, "column %s was ignored so far", c)
		}
	}
	if !slices.Equal(old.Listed, cfg.Columns) {
		d.add(ClassMetadata, "the list of columns changed")
	}
}

// diffColumns compares each column that the table has.
func (t *TablePlan) diffColumns(d *ConfigDiff) {
	for _, c := range t.old.Columns {
		if !t.cfg.Takes(c.Delivered) {
			d.add(ClassRewrite, "column %s is left out", c.Delivered)
			continue
		}
		now := t.cfg.Column(c.Delivered)
		if c.Mask == string(config.MaskDrop) {
			t.diffMask(d, c, now)
			continue
		}
		if now.As != c.Name {
			d.add(ClassRewrite, "column %s is named %s", c.Name, now.As)
		}
		if t.kind == kindUsers && now.Merge != c.Merge {
			d.add(ClassRewrite, "column %s: merge is %q, it was %q", c.Name, now.Merge, c.Merge)
		}
		t.diffMask(d, c, now)
		t.diffType(d, c, now)
	}
}

func (t *TablePlan) diffMask(d *ConfigDiff, c state.Column, now config.Column) {
	was := config.MaskMethod(c.Mask)
	d.masks = d.masks || was == config.MaskNone && now.Mask != was
	switch {
	case now.Mask == was && maskVerifier(now) == c.Verifier:
	case now.Mask == was:
		d.add(ClassRebuild, "the key of the mask of column %s changed", c.Name)
	case now.Mask == config.MaskNull || now.Mask == config.MaskDrop:
		d.add(ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	case was == config.MaskNone && (c.Type == typeString.String() || t.kind == kindUsers):
		d.add(ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	default:
		d.add(ClassRebuild, "the mask of column %s was %q, it is %q", c.Name, was, now.Mask)
	}
}

func (t *TablePlan) diffType(d *ConfigDiff, c state.Column, now config.Column) {
	typ := now.Type
	if now.Mask != config.MaskNone {
		typ = column.Type{}
	}
	if typ.String() == c.Type {
		return
	}
	class := ClassRebuild
	if c.Type == typeString.String() && c.Mask == "" || t.kind == kindUsers {
		class = ClassRewrite
	}
	if now.Mask == config.MaskNull || now.Mask == config.MaskDrop {
		class = ClassRewrite
	}
	if class == ClassRewrite && t.kind == kindEvents && slices.Contains(t.old.Spelling, fold(c.Delivered)) {
		class = ClassRebuild // what does not cast is rescued under the row's own spelling
	}
	d.add(class, "column %s is a %s, it was a %s", c.Name, typ, c.Type)
}
