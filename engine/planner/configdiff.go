package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
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

// diffConfig compares the table's record with its configuration, and with what the
// source says of its dumps.
func diffConfig(ctx context.Context, p *Session, t *Table) error {
	if t.Kind != feed.KindMapping || !p.Ask.ConfigOnly {
		diffTaken(p, t)
	}
	if err := diffSettings(ctx, p, t); err != nil {
		return err
	}
	diffDumps(p, t)
	return nil
}

// diffTaken finds the applied dumps that the configuration leaves out now.
func diffTaken(p *Session, t *Table) {
	old := t.Old
	if back := p.Ask.goesBack(old); len(back) > 0 {
		until := *p.Ask.Config.Source.UntilDump
		t.differs(plan.ClassRebuild, plan.Setting{Name: "until_dump", After: fmt.Sprint(until)}, "until_dump is %d: %s", until, takenBack(back))
	}
	for _, a := range old.Applied {
		if !p.Ask.Later(a.Dump) && p.Ask.Skipped(a.Dump, t.Name) {
			t.differs(plan.ClassRebuild, plan.Setting{Name: fmt.Sprintf("skip_dump %q", fmt.Sprint(a.Dump)), Before: "applied", After: "skipped"}, "dump %d was applied and is skipped now", a.Dump)
		}
	}
}

// diffSettings compares the table's record with what the configuration says of it. It asks neither source
// nor sinks.
func diffSettings(ctx context.Context, p *Session, t *Table) error {
	old, cfg := t.Old, t.Definition
	if old.Key != t.Key {
		t.differs(plan.ClassRebuild, plan.Setting{Name: "key", Before: old.Key, After: t.Key}, "the key is %s now, it was %s", t.Key, old.Key)
	}
	if now := cfg.PartitionBy; now != old.PartitionBy {
		t.differs(plan.ClassRewrite, plan.Setting{Name: "partition_by", Before: "[" + old.PartitionBy + "]", After: "[" + now + "]"}, "partition_by is [%s], it was [%s]", now, old.PartitionBy)
	}
	if err := diffSinks(ctx, p, t); err != nil {
		return err
	}
	diffSchemaPolicy(t)
	if t.Kind != feed.KindMapping {
		diffRenamed(t)
		diffColumns(t)
	}
	return nil
}

// diffDumps compares the manifests of the applied dumps with what was applied of them.
func diffDumps(p *Session, t *Table) {
	d, find := &t.Change, t.finder()
	for _, a := range t.Old.Applied {
		i := find(a.Dump)
		switch {
		case p.Ask.LeftOut(a.Dump, t.Name):
		case i >= 0 && (a.Lost || a.StoodIn || t.Kind == feed.KindMapping || t.All[i].Entry.Digest == a.Digest):
		case i >= 0:
			d.Add(plan.ClassRebuild, "the manifest of dump %d lists other files or columns than were applied", a.Dump)
		case p.Ask.Withdrawn(p.Listing, a.Dump, t.Name):
			d.Add(plan.ClassRebuild, "the manifest of dump %d no longer lists the table", a.Dump)
		}
	}
}

// differs notes that a setting is another one than the table was last applied under.
func (t *Table) differs(c plan.Class, s plan.Setting, format string, args ...any) {
	t.Change.Add(c, format, args...)
	t.settings = append(t.settings, s)
}

// settingSinks is the name of the setting that says where a table is.
const settingSinks = "sinks"

func diffSinks(ctx context.Context, p *Session, t *Table) error {
	if t.Kind == feed.KindEvents && len(t.Old.Sinks) == 0 && len(t.Parts) > 0 {
		t.differs(plan.ClassRebuild, plan.Setting{Name: settingSinks, Before: "forgotten"}, "the only sink that held its rows is forgotten")
	}
	for _, s := range t.Definition.Sinks {
		if err := diffForm(ctx, p, t, s); err != nil {
			return err
		}
	}
	for _, o := range t.Old.Sinks {
		if !slices.ContainsFunc(t.Definition.Sinks, func(s definition.Sink) bool { return s.Path == o.Root }) {
			t.differs(plan.ClassRewrite, plan.Setting{Name: settingSinks, Sink: o.Root, Before: "in it", After: "not in it"}, "the sink at %s is no longer a sink of the table", o.Root)
			t.destroys("the files", o, keepSink(p, o.Root))
		}
	}
	return nil
}

// diffForm compares the form that a sink describes with that of the files there.
func diffForm(ctx context.Context, p *Session, t *Table, s definition.Sink) error {
	i := t.Old.SinkAt(s.Path)
	if i < 0 {
		t.differs(plan.ClassRewrite, plan.Setting{Name: settingSinks, Sink: s.Path, Before: "not in it", After: "in it"}, "new sink %s", s.Path)
		return nil
	}
	form, err := p.Lake.Describe(ctx, s, t.Definition.Folder, t.Old)
	if err != nil {
		return err
	}
	switch old := lake.FormOf(t.Old.Sinks[i]); {
	case old.Folder != form.Folder:
		t.differs(plan.ClassRewrite, plan.Setting{Name: "as", Sink: s.Path, Before: old.Folder, After: form.Folder}, "the folder is %s, it was %s", form.Folder, old.Folder)
		t.destroys("the files", t.Old.Sinks[i], keepFolder(t.Name, old.Folder))
	case old.Compression != form.Compression:
		t.differs(plan.ClassRewrite, plan.Setting{Name: "compression", Sink: s.Path, Before: old.Compression, After: form.Compression}, "compression is %s, it was %s", form.Compression, old.Compression)
	case old.Encodings != form.Encodings:
		t.differs(plan.ClassRewrite, plan.Setting{Name: "encodings", Sink: s.Path, Before: old.Encodings, After: form.Encodings}, "encodings are %s, they were %s", form.Encodings, old.Encodings)
	}
	return nil
}

// diffSchemaPolicy compares on_schema_change and columns = [...].
func diffSchemaPolicy(t *Table) {
	old, cfg := t.Old, t.Definition
	if old.OnCastError != cfg.OnCastError {
		t.differs(plan.ClassMetadata, plan.Setting{Name: "on_cast_error", Before: old.OnCastError, After: cfg.OnCastError}, "on_cast_error is %q, it was %q", cfg.OnCastError, old.OnCastError)
	}
	if old.OnSchemaChange != cfg.OnSchemaChange {
		class := plan.ClassMetadata
		if old.OnSchemaChange == definition.Ignore {
			class = plan.ClassRebuild
		}
		t.differs(class, plan.Setting{Name: "on_schema_change", Before: old.OnSchemaChange, After: cfg.OnSchemaChange}, "on_schema_change is %q, it was %q", cfg.OnSchemaChange, old.OnSchemaChange)
	}
	if old.OnSchemaChange == definition.Evolve {
		return
	}
	listed := map[string]bool{}
	for _, l := range old.Listed {
		listed[feed.Key(l)] = true
	}
	for _, c := range cfg.Columns {
		if !listed[feed.Key(c)] && old.OnSchemaChange == definition.Ignore {
			t.differs(plan.ClassRebuild, plan.Setting{Name: "columns", Column: c, Before: "ignored", After: "listed"}, "column %s was ignored so far", c)
		}
	}
	if !slices.Equal(old.Listed, cfg.Columns) {
		t.differs(plan.ClassMetadata, plan.Setting{Name: "columns", Before: listText(old.Listed), After: listText(cfg.Columns)}, "the list of columns changed")
	}
}

// diffRenamed compares which spellings blocks with "as" take alone: what they part
// the source alone tells.
func diffRenamed(t *Table) {
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
			t.differs(plan.ClassRebuild, plan.Setting{Name: "as", Column: label, Before: "with other spellings", After: t.Definition.Column(label).As}, "a block takes %q alone, as %s", label, t.Definition.Column(label).As)
		}
	}
	for _, label := range t.Old.Renamed {
		if !slices.Contains(now, label) && delivered(label, "") {
			t.differs(plan.ClassRebuild, plan.Setting{Name: "as", Column: label, Before: "alone", After: "with other spellings"}, "no block takes %q alone any more", label)
		}
	}
}

// diffColumns compares each column that the table has.
func diffColumns(t *Table) {
	legacy := !t.Old.ExactNames
	t.TypeChanges = nil
	for _, c := range t.Old.Columns {
		name := rules.AskedName(t.Definition, legacy, c.Delivered, c.Name)
		if !t.Definition.Takes(name) {
			t.differs(plan.ClassRewrite, plan.Setting{Name: "columns", Column: c.Delivered, Before: "published", After: "left out"}, "column %s is left out", c.Delivered)
			continue
		}
		now := t.Definition.Column(name)
		if legacy && t.Definition.KeepsName(name, now.As, c.Name) {
			now.As = c.Name
		}
		if c.Mask == string(definition.MaskDrop) {
			diffMask(t, c, now)
			continue
		}
		if now.As != c.Name {
			t.differs(plan.ClassRewrite, plan.Setting{Name: "as", Column: c.Delivered, Before: c.Name, After: now.As}, "column %s is named %s", c.Name, now.As)
		}
		if t.Kind == feed.KindUsers && now.Merge != c.Merge {
			t.differs(plan.ClassRewrite, plan.Setting{Name: "merge", Column: c.Delivered, Before: c.Merge, After: now.Merge}, "column %s: merge is %q, it was %q", c.Name, now.Merge, c.Merge)
		}
		diffMask(t, c, now)
		diffType(t, c, now)
		diffReading(t, c, now)
	}
}

// diffReading compares how values become those of a column. What is not masked and
// was read in another way is read again.
func diffReading(t *Table, c state.Column, now definition.Column) {
	if now.Mask != definition.MaskNone {
		return
	}
	auto := column.UnitAuto.String()
	if unit := rules.UnitText(now.Rule.Unit); unit != c.TimeUnit && now.Type.String() == c.Type {
		was, is := cmp.Or(c.TimeUnit, auto), cmp.Or(unit, auto)
		t.differs(plan.ClassRebuild, plan.Setting{Name: "time_unit", Column: c.Delivered, Before: was, After: is}, "column %s: time_unit is %q, it was %q", c.Name, is, was)
	}
	switch round := rules.RoundText(now.Rule); {
	case round == c.Round:
	case round == "":
		t.differs(plan.ClassRebuild, plan.Setting{Name: "round", Column: c.Delivered, Before: c.Round}, "column %s is not rounded, it was (%s)", c.Name, c.Round)
	default:
		t.differs(plan.ClassRebuild, plan.Setting{Name: "round", Column: c.Delivered, Before: c.Round, After: round}, "column %s is rounded (%s), it was not", c.Name, round)
	}
}

// diffMask compares the mask of a column. Where the key has no value, it may be another
// one, which the plan names and does not count.
func diffMask(t *Table, c state.Column, now definition.Column) {
	was := definition.MaskMethod(c.Mask)
	t.Change.Masks = t.Change.Masks || was == definition.MaskNone && now.Mask != was
	set := plan.Setting{Name: "mask", Column: c.Delivered, Before: string(was), After: string(now.Mask)}
	switch {
	case now.Mask == was && now.Verifier == c.Verifier:
	case now.Mask == was && now.KeyUnknown():
	case sharesField(t, c):
		t.differs(plan.ClassRebuild, keySetting(set), "column %s is masked (%s), and what is rescued of it has a name that another column has, too", c.Name, now.Mask)
	case now.Mask == was:
		t.differs(plan.ClassRebuild, keySetting(set), "the key of the mask of column %s changed", c.Name)
	case now.Mask == definition.MaskNull || now.Mask == definition.MaskDrop:
		t.differs(plan.ClassRewrite, set, "column %s is masked (%s)", c.Name, now.Mask)
	case was == definition.MaskNone && (c.Type == (column.Type{}).String() || t.Kind == feed.KindUsers):
		t.differs(plan.ClassRewrite, set, "column %s is masked (%s)", c.Name, now.Mask)
	default:
		t.differs(plan.ClassRebuild, set, "the mask of column %s was %q, it is %q", c.Name, was, now.Mask)
	}
}

// settingKey is the setting of a mask's key.
const settingKey = "mask key"

// keySetting says of a mask whose method stays that its key is another one. Nothing of
// either key is shown.
func keySetting(s plan.Setting) plan.Setting {
	if s.Before != s.After {
		return s
	}
	return plan.Setting{Name: settingKey, Column: s.Column, After: "changed"}
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

func diffType(t *Table, c state.Column, now definition.Column) {
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
	t.differs(class, plan.Setting{Name: "type", Column: c.Delivered, Before: c.Type, After: typ.String()}, "column %s is a %s, it was a %s", c.Name, typ, c.Type)
	t.TypeChanges = append(t.TypeChanges, plan.TypeChange{Column: c.Name, From: c.Type, To: typ.String()})
}

// listText is a list of names as a setting shows it.
func listText(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

// takenBack says which dumps a table loses by until_dump.
func takenBack(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprintf("dump %d is taken back", ids[0])
	}
	return fmt.Sprintf("%s dumps are taken back, %d to %d", amount.Number(len(ids)), ids[0], ids[len(ids)-1])
}
