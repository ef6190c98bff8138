package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planChange finds what there is to change about what the table has, and why: what is
// asked for and damage first, then what the configuration says.
func planChange(ctx context.Context, p *Session, t *Table) error {
	var damage plan.ConfigDiff
	if t.Repair != "" {
		damage.Add(plan.ClassRebuild, "-repair: %s", t.Repair)
	}
	if t.rewrite != "" {
		damage.Add(plan.ClassRewrite, "-repair: %s", t.rewrite)
	}
	diffAsked(p, t, &damage)
	diffDrift(t, &damage)
	if p.Snap.Tables[t.Name] != nil {
		if err := diffConfig(ctx, p, t); err != nil {
			return err
		}
	}
	t.mends = t.Repair != "" || damage.Class == plan.ClassRebuild && t.Change.Class != plan.ClassRebuild
	t.Change.Class = max(t.Change.Class, damage.Class)
	t.Change.Reasons = append(damage.Reasons, t.Change.Reasons...)
	return nil
}

// diffConfig compares the table's record with its configuration.
func diffConfig(ctx context.Context, p *Session, t *Table) error {
	d, old, cfg := &t.Change, t.Old, t.Definition
	if old.Key != t.Key {
		d.Add(plan.ClassRebuild, "the key is %s now, it was %s", t.Key, old.Key)
	}
	if back := p.Ask.goesBack(old); len(back) > 0 {
		d.Add(plan.ClassRebuild, "until_dump is %d: %s", *p.Ask.Config.Source.UntilDump, takenBack(back))
	}
	find := t.finder()
	for _, a := range old.Applied {
		i := find(a.Dump)
		switch {
		case p.Ask.Later(a.Dump):
		case i >= 0 && (a.Lost || a.StoodIn || t.Kind == feed.KindMapping || t.All[i].Entry.Digest == a.Digest):
		case i >= 0:
			d.Add(plan.ClassRebuild, "the manifest of dump %d lists other files or columns than were applied", a.Dump)
		case p.Ask.Skipped(a.Dump, t.Name):
			d.Add(plan.ClassRebuild, "dump %d was applied and is skipped now", a.Dump)
		case p.Ask.Withdrawn(p.Listing, a.Dump, t.Name):
			d.Add(plan.ClassRebuild, "the manifest of dump %d no longer lists the table", a.Dump)
		}
	}
	if now := cfg.PartitionBy; now != old.PartitionBy {
		d.Add(plan.ClassRewrite, "partition_by is [%s], it was [%s]", now, old.PartitionBy)
	}
	if err := diffSinks(ctx, p, t, d); err != nil {
		return err
	}
	diffSchemaPolicy(t, d)
	if t.Kind != feed.KindMapping {
		diffRenamed(t, d)
		diffColumns(t, d)
	}
	return nil
}

func diffSinks(ctx context.Context, p *Session, t *Table, d *plan.ConfigDiff) error {
	if t.Kind == feed.KindEvents && len(t.Old.Sinks) == 0 && len(t.Parts) > 0 {
		d.Add(plan.ClassRebuild, "the only sink that held its rows is forgotten")
	}
	for _, s := range t.Definition.Sinks {
		if err := diffForm(ctx, p, t, s, d); err != nil {
			return err
		}
	}
	for _, o := range t.Old.Sinks {
		if !slices.ContainsFunc(t.Definition.Sinks, func(s definition.Sink) bool { return s.Path == o.Root }) {
			d.Add(plan.ClassRewrite, "the sink at %s is no longer a sink of the table", o.Root)
			t.destroys("the files", o, keepSink(p, o.Root))
		}
	}
	return nil
}

// diffForm compares the form that a sink describes with that of the files there.
func diffForm(ctx context.Context, p *Session, t *Table, s definition.Sink, d *plan.ConfigDiff) error {
	i := t.Old.SinkAt(s.Path)
	if i < 0 {
		d.Add(plan.ClassRewrite, "new sink %s", s.Path)
		return nil
	}
	form, err := p.Lake.Describe(ctx, s, t.Definition.Folder, t.Old)
	if err != nil {
		return err
	}
	switch old := lake.FormOf(t.Old.Sinks[i]); {
	case old.Folder != form.Folder:
		d.Add(plan.ClassRewrite, "the folder is %s, it was %s", form.Folder, old.Folder)
		t.destroys("the files", t.Old.Sinks[i], keepFolder(t.Name, old.Folder))
	case old.Compression != form.Compression:
		d.Add(plan.ClassRewrite, "compression is %s, it was %s", form.Compression, old.Compression)
	case old.Encodings != form.Encodings:
		d.Add(plan.ClassRewrite, "encodings are %s, they were %s", form.Encodings, old.Encodings)
	}
	return nil
}

// diffSchemaPolicy compares on_schema_change and columns = [...].
func diffSchemaPolicy(t *Table, d *plan.ConfigDiff) {
	old, cfg := t.Old, t.Definition
	if old.OnCastError != cfg.OnCastError {
		d.Add(plan.ClassMetadata, "on_cast_error is %q, it was %q", cfg.OnCastError, old.OnCastError)
	}
	if old.OnSchemaChange != cfg.OnSchemaChange {
		class := plan.ClassMetadata
		if old.OnSchemaChange == definition.Ignore {
			class = plan.ClassRebuild
		}
		d.Add(class, "on_schema_change is %q, it was %q", cfg.OnSchemaChange, old.OnSchemaChange)
	}
	if old.OnSchemaChange == definition.Evolve {
		return
	}
	for _, c := range cfg.Columns {
		if !slices.ContainsFunc(old.Listed, func(l string) bool { return feed.Key(l) == feed.Key(c) }) && old.OnSchemaChange == definition.Ignore {
			d.Add(plan.ClassRebuild, "column %s was ignored so far", c)
		}
	}
	if !slices.Equal(old.Listed, cfg.Columns) {
		d.Add(plan.ClassMetadata, "the list of columns changed")
	}
}

// diffRenamed compares which spellings blocks with "as" take alone: what they part
// the source alone tells.
func diffRenamed(t *Table, d *plan.ConfigDiff) {
	now := t.Definition.Renamed
	delivered := func(label string, named string) bool {
		return slices.ContainsFunc(t.Old.Columns, func(c state.Column) bool {
			return (named == "" || c.Name == named) && slices.ContainsFunc(append([]string{c.Delivered}, c.Spellings...), func(n string) bool {
				return definition.TakenBy(label, n)
			})
		})
	}
	for _, label := range now {
		// A legacy table does not say which blocks it was made with.
		was := slices.Contains(t.Old.Renamed, label) || !t.Old.ExactNames && delivered(label, t.Definition.Column(label).As)
		if !was && delivered(label, "") {
			d.Add(plan.ClassRebuild, "a block takes %q alone, as %s", label, t.Definition.Column(label).As)
		}
	}
	for _, label := range t.Old.Renamed {
		if !slices.Contains(now, label) && delivered(label, "") {
			d.Add(plan.ClassRebuild, "no block takes %q alone any more", label)
		}
	}
}

// diffColumns compares each column that the table has.
func diffColumns(t *Table, d *plan.ConfigDiff) {
	legacy := !t.Old.ExactNames
	t.TypeChanges = nil
	for _, c := range t.Old.Columns {
		name := rules.AskedName(t.Definition, legacy, c.Delivered, c.Name)
		if !t.Definition.Takes(name) {
			d.Add(plan.ClassRewrite, "column %s is left out", c.Delivered)
			continue
		}
		now := t.Definition.Column(name)
		if legacy && t.Definition.KeepsName(name, now.As, c.Name) {
			now.As = c.Name
		}
		if c.Mask == string(definition.MaskDrop) {
			diffMask(t, d, c, now)
			continue
		}
		if now.As != c.Name {
			d.Add(plan.ClassRewrite, "column %s is named %s", c.Name, now.As)
		}
		if t.Kind == feed.KindUsers && now.Merge != c.Merge {
			d.Add(plan.ClassRewrite, "column %s: merge is %q, it was %q", c.Name, now.Merge, c.Merge)
		}
		diffMask(t, d, c, now)
		diffType(t, d, c, now)
		diffReading(d, c, now)
	}
}

// diffReading compares how values become those of a column. What is not masked and
// was read in another way is read again.
func diffReading(d *plan.ConfigDiff, c state.Column, now definition.Column) {
	if now.Mask != definition.MaskNone {
		return
	}
	auto := column.UnitAuto.String()
	if unit := rules.UnitText(now.Rule.Unit); unit != c.TimeUnit && now.Type.String() == c.Type {
		d.Add(plan.ClassRebuild, "column %s: time_unit is %q, it was %q", c.Name, cmp.Or(unit, auto), cmp.Or(c.TimeUnit, auto))
	}
	switch round := rules.RoundText(now.Rule); {
	case round == c.Round:
	case round == "":
		d.Add(plan.ClassRebuild, "column %s is not rounded, it was (%s)", c.Name, c.Round)
	default:
		d.Add(plan.ClassRebuild, "column %s is rounded (%s), it was not", c.Name, round)
	}
}

func diffMask(t *Table, d *plan.ConfigDiff, c state.Column, now definition.Column) {
	was := definition.MaskMethod(c.Mask)
	d.Masks = d.Masks || was == definition.MaskNone && now.Mask != was
	switch {
	case now.Mask == was && now.Verifier == c.Verifier:
	case sharesField(t, c):
		d.Add(plan.ClassRebuild, "column %s is masked (%s), and what is rescued of it has a name that another column has, too", c.Name, now.Mask)
	case now.Mask == was:
		d.Add(plan.ClassRebuild, "the key of the mask of column %s changed", c.Name)
	case now.Mask == definition.MaskNull || now.Mask == definition.MaskDrop:
		d.Add(plan.ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	case was == definition.MaskNone && (c.Type == (column.Type{}).String() || t.Kind == feed.KindUsers):
		d.Add(plan.ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	default:
		d.Add(plan.ClassRebuild, "the mask of column %s was %q, it is %q", c.Name, was, now.Mask)
	}
}

// sharesField reports whether a field of a column's Avro form was read, and may be
// another column's.
func sharesField(t *Table, c state.Column) bool {
	form := feed.AvroForm(c.Delivered)
	return form != c.Delivered && slices.Contains(t.Old.Spelling, t.Definition.ID(c.Delivered)) &&
		slices.ContainsFunc(t.Old.Columns, func(o state.Column) bool {
			return t.Definition.ID(o.Delivered) == t.Definition.ID(form) && o.Delivered != c.Delivered
		})
}

func diffType(t *Table, d *plan.ConfigDiff, c state.Column, now definition.Column) {
	typ := now.Type
	if now.Mask != definition.MaskNone {
		typ = column.Type{}
	}
	if typ.String() == c.Type {
		return
	}
	class := plan.ClassRebuild
	if c.Type == (column.Type{}).String() && c.Mask == "" || t.Kind == feed.KindUsers {
		class = plan.ClassRewrite
	}
	if now.Mask == definition.MaskNull || now.Mask == definition.MaskDrop {
		class = plan.ClassRewrite
	}
	if class == plan.ClassRewrite && t.Kind == feed.KindEvents && slices.Contains(t.Old.Spelling, t.Definition.ID(c.Delivered)) {
		class = plan.ClassRebuild // what does not cast is rescued under the row's own spelling
	}
	d.Add(class, "column %s is a %s, it was a %s", c.Name, typ, c.Type)
	t.TypeChanges = append(t.TypeChanges, plan.TypeChange{Column: c.Name, From: c.Type, To: typ.String()})
}

// takenBack says which dumps a table loses by until_dump.
func takenBack(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprintf("dump %d is taken back", ids[0])
	}
	return fmt.Sprintf("%d dumps are taken back, %d to %d", len(ids), ids[0], ids[len(ids)-1])
}
