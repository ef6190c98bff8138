package engine

import (
	"cmp"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planChange finds what there is to change about what the table has, and why: damage
// first, then what the configuration says.
func planChange(p *Plan, t *TablePlan) {
	var damage plan.ConfigDiff
	if t.repair != "" {
		damage.Add(plan.ClassRebuild, "-repair: %s", t.repair)
	}
	if t.rewrite != "" {
		damage.Add(plan.ClassRewrite, "-repair: %s", t.rewrite)
	}
	t.diffDrift(&damage)
	if p.snap.Tables[t.Name] != nil {
		t.diffConfig(p)
	}
	t.mends = t.repair != "" || damage.Class == plan.ClassRebuild && t.Change.Class != plan.ClassRebuild
	t.Change.Class = max(t.Change.Class, damage.Class)
	t.Change.Reasons = append(damage.Reasons, t.Change.Reasons...)
}

// diffConfig compares the table's record with its configuration.
func (t *TablePlan) diffConfig(p *Plan) {
	d, old, cfg := &t.Change, t.old, t.cfg
	if old.Key != t.key {
		d.Add(plan.ClassRebuild, "the key is %s now, it was %s", t.key, old.Key)
	}
	if back := p.ask.GoesBack(old); len(back) > 0 {
		d.Add(plan.ClassRebuild, "until_dump is %d: %s", *p.ask.Config.Source.UntilDump, takenBack(back))
	}
	find := t.finder()
	for _, a := range old.Applied {
		i := find(a.Dump)
		switch {
		case p.ask.Later(a.Dump):
		case i >= 0 && (a.Lost || a.StoodIn || t.kind == feed.KindMapping || t.all[i].entry.Digest == a.Digest):
		case i >= 0:
			d.Add(plan.ClassRebuild, "the manifest of dump %d lists other files or columns than were applied", a.Dump)
		case p.ask.Skipped(a.Dump, t.Name):
			d.Add(plan.ClassRebuild, "dump %d was applied and is skipped now", a.Dump)
		case p.ask.Withdrawn(p.listing, a.Dump, t.Name):
			d.Add(plan.ClassRebuild, "the manifest of dump %d no longer lists the table", a.Dump)
		}
	}
	if now := cfg.PartitionBy; now != old.PartitionBy {
		d.Add(plan.ClassRewrite, "partition_by is [%s], it was [%s]", now, old.PartitionBy)
	}
	t.diffSinks(p, d)
	t.diffSchemaPolicy(d)
	if t.kind != feed.KindMapping {
		t.diffRenamed(d)
		t.diffColumns(d)
	}
}

func (t *TablePlan) diffSinks(p *Plan, d *plan.ConfigDiff) {
	if t.kind == feed.KindEvents && len(t.old.Sinks) == 0 && len(t.parts) > 0 {
		d.Add(plan.ClassRebuild, "the only sink that held its rows is forgotten")
	}
	for _, s := range t.cfg.Sinks {
		i := t.old.SinkAt(s.Path)
		switch {
		case i < 0:
			d.Add(plan.ClassRewrite, "new sink %s", s.Path)
		case t.old.Sinks[i].Folder != t.cfg.Folder:
			d.Add(plan.ClassRewrite, "the folder is %s, it was %s", t.cfg.Folder, t.old.Sinks[i].Folder)
			t.destroys("the files", t.old.Sinks[i], keepFolder(t.Name, t.old.Sinks[i].Folder))
		case t.old.Sinks[i].Compression != s.Compression:
			d.Add(plan.ClassRewrite, "compression is %s, it was %s", s.Compression, t.old.Sinks[i].Compression)
		case encodingsOf(t.old, s) != recorded(t.old.Sinks[i]):
			d.Add(plan.ClassRewrite, "encodings are %s, they were %s", encodingsOf(t.old, s), recorded(t.old.Sinks[i]))
		}
	}
	for _, o := range t.old.Sinks {
		if !slices.ContainsFunc(t.cfg.Sinks, func(s definition.Sink) bool { return s.Path == o.Root }) {
			d.Add(plan.ClassRewrite, "the sink at %s is no longer a sink of the table", o.Root)
			t.destroys("the files", o, keepSink(p, o.Root))
		}
	}
}

// encodingsOf returns which encodings the files of a table get in a sink: those that
// the configuration asks for, else those that the table has, plain ones if it is new.
func encodingsOf(old *state.Table, s definition.Sink) string {
	if s.Encodings != "" {
		return s.Encodings
	}
	if old == nil || len(old.Sinks) == 0 {
		return definition.Plain
	}
	i := slices.IndexFunc(old.Sinks, func(o state.SinkTable) bool { return o.Root == s.Path })
	return recorded(old.Sinks[max(i, 0)])
}

// recorded returns the encodings of a table's files in a sink. Versions that knew
// no choice wrote compact ones.
func recorded(s state.SinkTable) string { return cmp.Or(s.Encodings, definition.Compact) }

// diffSchemaPolicy compares on_schema_change and columns = [...].
func (t *TablePlan) diffSchemaPolicy(d *plan.ConfigDiff) {
	old, cfg := t.old, t.cfg
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
func (t *TablePlan) diffRenamed(d *plan.ConfigDiff) {
	now := t.cfg.Renamed()
	delivered := func(label string, named string) bool {
		return slices.ContainsFunc(t.old.Columns, func(c state.Column) bool {
			return (named == "" || c.Name == named) && slices.ContainsFunc(append([]string{c.Delivered}, c.Spellings...), func(n string) bool {
				return definition.TakenBy(label, n)
			})
		})
	}
	for _, label := range now {
		// A legacy table does not say which blocks it was made with.
		was := slices.Contains(t.old.Renamed, label) || !t.old.ExactNames && delivered(label, t.cfg.Column(label).As)
		if !was && delivered(label, "") {
			d.Add(plan.ClassRebuild, "a block takes %q alone, as %s", label, t.cfg.Column(label).As)
		}
	}
	for _, label := range t.old.Renamed {
		if !slices.Contains(now, label) && delivered(label, "") {
			d.Add(plan.ClassRebuild, "no block takes %q alone any more", label)
		}
	}
}

// diffColumns compares each column that the table has.
func (t *TablePlan) diffColumns(d *plan.ConfigDiff) {
	legacy := !t.old.ExactNames
	for _, c := range t.old.Columns {
		name := rules.AskedName(t.cfg, legacy, c.Delivered, c.Name)
		if !t.cfg.Takes(name) {
			d.Add(plan.ClassRewrite, "column %s is left out", c.Delivered)
			continue
		}
		now := t.cfg.Column(name)
		if legacy && t.cfg.KeepsName(name, now.As, c.Name) {
			now.As = c.Name
		}
		if c.Mask == string(definition.MaskDrop) {
			t.diffMask(d, c, now)
			continue
		}
		if now.As != c.Name {
			d.Add(plan.ClassRewrite, "column %s is named %s", c.Name, now.As)
		}
		if t.kind == feed.KindUsers && now.Merge != c.Merge {
			d.Add(plan.ClassRewrite, "column %s: merge is %q, it was %q", c.Name, now.Merge, c.Merge)
		}
		t.diffMask(d, c, now)
		t.diffType(d, c, now)
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
	if unit := unitText(now.Rule.Unit); unit != c.TimeUnit && now.Type.String() == c.Type {
		d.Add(plan.ClassRebuild, "column %s: time_unit is %q, it was %q", c.Name, cmp.Or(unit, auto), cmp.Or(c.TimeUnit, auto))
	}
	switch round := roundText(now.Rule); {
	case round == c.Round:
	case round == "":
		d.Add(plan.ClassRebuild, "column %s is not rounded, it was (%s)", c.Name, c.Round)
	default:
		d.Add(plan.ClassRebuild, "column %s is rounded (%s), it was not", c.Name, round)
	}
}

// unitText is a unit as the state keeps it.
func unitText(u column.TimeUnit) string {
	if u == column.UnitAuto {
		return ""
	}
	return u.String()
}

// ruleText tells rules of a column apart.
func ruleText(r column.Rule) string {
	return strings.Join(strings.Fields(r.Type.String()+" "+unitText(r.Unit)+" "+roundText(r)), " ")
}

// roundText is how a rule rounds, as the state keeps it.
func roundText(r column.Rule) string {
	if r.HalfEven {
		return definition.HalfEven
	}
	return ""
}

func (t *TablePlan) diffMask(d *plan.ConfigDiff, c state.Column, now definition.Column) {
	was := definition.MaskMethod(c.Mask)
	d.Masks = d.Masks || was == definition.MaskNone && now.Mask != was
	switch {
	case now.Mask == was && now.Verifier == c.Verifier:
	case t.sharesField(c):
		d.Add(plan.ClassRebuild, "column %s is masked (%s), and what is rescued of it has a name that another column has, too", c.Name, now.Mask)
	case now.Mask == was:
		d.Add(plan.ClassRebuild, "the key of the mask of column %s changed", c.Name)
	case now.Mask == definition.MaskNull || now.Mask == definition.MaskDrop:
		d.Add(plan.ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	case was == definition.MaskNone && (c.Type == (column.Type{}).String() || t.kind == feed.KindUsers):
		d.Add(plan.ClassRewrite, "column %s is masked (%s)", c.Name, now.Mask)
	default:
		d.Add(plan.ClassRebuild, "the mask of column %s was %q, it is %q", c.Name, was, now.Mask)
	}
}

// sharesField reports whether a field of a column's Avro form was read, and may be
// another column's.
func (t *TablePlan) sharesField(c state.Column) bool {
	form := feed.AvroForm(c.Delivered)
	return form != c.Delivered && slices.Contains(t.old.Spelling, t.cfg.ID(c.Delivered)) &&
		slices.ContainsFunc(t.old.Columns, func(o state.Column) bool {
			return t.cfg.ID(o.Delivered) == t.cfg.ID(form) && o.Delivered != c.Delivered
		})
}

func (t *TablePlan) diffType(d *plan.ConfigDiff, c state.Column, now definition.Column) {
	typ := now.Type
	if now.Mask != definition.MaskNone {
		typ = column.Type{}
	}
	if typ.String() == c.Type {
		return
	}
	class := plan.ClassRebuild
	if c.Type == (column.Type{}).String() && c.Mask == "" || t.kind == feed.KindUsers {
		class = plan.ClassRewrite
	}
	if now.Mask == definition.MaskNull || now.Mask == definition.MaskDrop {
		class = plan.ClassRewrite
	}
	if class == plan.ClassRewrite && t.kind == feed.KindEvents && slices.Contains(t.old.Spelling, t.cfg.ID(c.Delivered)) {
		class = plan.ClassRebuild // what does not cast is rescued under the row's own spelling
	}
	d.Add(class, "column %s is a %s, it was a %s", c.Name, typ, c.Type)
}
