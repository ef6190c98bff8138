package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// ConfigPart is what a configuration changes about the tables of a state.
type ConfigPart struct {
	Entries []plan.ConfigEntry // by table
	Digest  string             // of all of them
	// UnknownKeys are masks whose keys have no value, so that nobody can tell whether they
	// changed. They are in no entry, and so in no digest.
	UnknownKeys []plan.Unchecked
	// Diags are mistakes of the configuration that only the real tables show.
	Diags   hcl.Diagnostics
	ask     *Request
	names   []config.DeliveredTable
	snap    *state.Snapshot
	defined map[string]string // digests of what the configuration says of tables
}

// ConfigDiff compares the configuration with what each table of a state was last applied
// under. It goes by these two alone: it asks neither source nor sinks, and judges names by
// the columns that the state has. What a night brings changes it only where the
// configuration says something of a table or column that is new.
func ConfigDiff(ctx context.Context, r *Planner, snap *state.Snapshot) (*ConfigPart, error) {
	p := &Session{Planner: r, Snap: snap}
	reviewed := *r.Ask
	reviewed.Accept = nil // whatever is given, the digest is of what a review saw
	p.Planner = r.asking(&reviewed)
	moved, err := placeSinks(p)
	if err != nil {
		return nil, err
	}
	part := &ConfigPart{ask: r.Ask, snap: p.Snap, defined: map[string]string{}}
	var tables []*Table
	for _, name := range slices.Sorted(maps.Keys(p.Snap.Tables)) {
		t, err := ResolveTable(ctx, p, name, nil)
		if err != nil {
			return nil, err
		}
		if t != nil {
			tables = append(tables, t)
		}
	}
	holdClashes(p, tables)
	p.maskKeys = findMaskKeys(tables)
	for _, t := range tables {
		if err := part.add(ctx, p, t, moved[t.Name]); err != nil {
			return nil, err
		}
	}
	part.Diags, part.names = config.Join(p.Diags), p.Names.tables
	part.Digest, err = plan.ConfigDigest(part.Entries)
	return part, err
}

// placeSinks gives a view of the state the places that sinks have by flags and moved
// blocks, and takes those out that are forgotten. It says what moved, by table.
func placeSinks(p *Session) (map[string][]plan.Setting, error) {
	now, _, err := SinksToMove(p, p.Snap)
	if err != nil {
		return nil, err
	}
	out := map[string][]plan.Setting{}
	for _, m := range now {
		p.Snap = renamed(p.Snap, m)
		for _, name := range m.Tables {
			out[name] = append(out[name], plan.Setting{Name: "moved", Before: m.From, After: m.To})
		}
	}
	return out, forgetSinks(p)
}

// add compares one table.
func (part *ConfigPart) add(ctx context.Context, p *Session, t *Table, moved []plan.Setting) (err error) {
	e := plan.ConfigEntry{Table: t.Name}
	if e.Definition, err = contentDigest(t.Definition, nil); err != nil {
		return err
	}
	part.defined[t.Name] = e.Definition
	switch {
	case t.Definition == nil:
		leave(p, t)
		e.Action, e.Settings = t.Action, []plan.Setting{{Name: "table", Before: "taken", After: leavingText(t.Action)}}
	case !t.Classify(t.Known):
		return nil
	default:
		if t.Kind != feed.KindMapping { // which follows the mapping
			diffTaken(p, t)
		}
		if err := diffSettings(ctx, p, t); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		part.noteKeys(p, t)
		if keys := keysChanged(t); len(keys) > 0 {
			if e.Keys, err = plan.DigestValue(keys); err != nil {
				return err
			}
		}
		if e.Action, e.Settings = plan.Update, append(t.settings, moved...); t.Change.Class == plan.ClassRebuild {
			e.Action = plan.Rebuild
		}
	}
	if len(e.Settings) == 0 {
		return nil
	}
	e.Class = t.Change.Class
	near := p.Ask.Config.Near // it is the same on every machine
	for i := range e.Settings {
		s := &e.Settings[i]
		s.Sink, s.Before, s.After = near(s.Sink), near(s.Before), near(s.After)
	}
	e.Settings = plan.SortSettings(e.Settings)
	for _, d := range t.Destroys {
		e.Destroys = append(e.Destroys, near(d))
	}
	if len(e.Destroys) > 0 {
		e.Flags = append(e.Flags, "-allow-destroy")
	}
	for _, h := range judgeMaskKeys(p, t) {
		e.Flags = append(e.Flags, "-accept="+h.Accept)
	}
	slices.Sort(e.Flags)
	part.Entries = append(part.Entries, e)
	return nil
}

func leavingText(a plan.Action) string {
	if a == plan.Forget {
		return "forgotten"
	}
	return "left out"
}

// noteKeys names the columns whose masks have keys without a value.
func (part *ConfigPart) noteKeys(p *Session, t *Table) {
	if len(p.Ask.Config.Unset) == 0 || t.Kind == feed.KindMapping {
		return
	}
	var names []string
	for _, c := range t.Old.Columns {
		if now := t.Definition.Column(c.Delivered); now.KeyUnknown() && c.Mask == string(definition.MaskHMAC) {
			names = append(names, c.Name)
		}
	}
	if len(names) > 0 {
		part.UnknownKeys = append(part.UnknownKeys, plan.Unchecked{Table: t.Name, Why: noValue(p.Ask.Config),
			What: "whether the key changed by which these columns are masked: " + strings.Join(names, ", ")})
	}
}

// lacksKeys reports whether columns of a table are masked by keys without a value, so that
// its rows cannot be computed, and says so.
func lacksKeys(p *Session, t *Table) bool {
	if len(p.Ask.Config.Unset) == 0 || t.Definition == nil || !slices.ContainsFunc(t.Known, func(name string) bool { return t.Definition.Column(name).KeyUnknown() }) {
		return false
	}
	p.NotChecked = append(p.NotChecked, plan.Unchecked{Table: t.Name, What: "exact numbers", Why: noValue(p.Ask.Config)})
	return true
}

// noValue says which sensitive variables have no value.
func noValue(cfg *config.Config) string {
	if len(cfg.Unset) == 1 {
		return fmt.Sprintf("the sensitive variable %q has no value", cfg.Unset[0])
	}
	return fmt.Sprintf("sensitive variables have no value: %s", strings.Join(cfg.Unset, ", "))
}

// Plan is a plan of what the configuration changes alone.
func (part *ConfigPart) Plan() *plan.Plan {
	return &plan.Plan{Lineage: part.snap.Lineage, Serial: part.snap.Serial, Raise: raiseOf(part.snap), ConfigOnly: true, Config: part.Entries, ConfigDigest: part.Digest, NotChecked: part.notChecked()}
}

// Left is what is left of entries that were planned earlier: without those of tables that
// were changed since as the entry says. An entry that is gone for another reason, as where
// the configuration was taken back, is left.
func (part *ConfigPart) Left(was []plan.ConfigEntry) (out []plan.ConfigEntry, _ error) {
	for _, e := range was {
		done, err := part.isDone(&e)
		if err != nil {
			return nil, err
		}
		if !done {
			out = append(out, e)
		}
	}
	return out, nil
}

func (part *ConfigPart) isDone(e *plan.ConfigEntry) (bool, error) {
	now := part.snap.Tables[e.Table]
	switch {
	case slices.ContainsFunc(part.Entries, func(x plan.ConfigEntry) bool { return x.Table == e.Table }):
		return false, nil
	case e.Action == plan.Destroy || e.Action == plan.Forget:
		return now == nil, nil
	case now == nil:
		return false, nil
	}
	digest, err := e.Digest()
	rekeyed := slices.ContainsFunc(e.Settings, func(s plan.Setting) bool { return s.Name == settingKey })
	return now.Plan == digest || !rekeyed && part.defined[e.Table] == e.Definition, err
}

// notChecked lists what the comparison leaves open, as it needs the source or the sinks, or
// a value that is not there.
func (part *ConfigPart) notChecked() []plan.Unchecked {
	cfg, out := part.ask.Config, slices.Clone(part.UnknownKeys)
	tables := slices.Clone(part.names)
	for i := range tables {
		tables[i].Unknown = true // the source may have more
	}
	d := config.Delivered{Tables: tables, OnlyState: true, InState: slices.Sorted(maps.Keys(part.snap.Tables)), Judged: part.snap.JudgedMasks,
		Removed: slices.Sorted(maps.Keys(part.snap.RemovedTables))}
	for _, id := range slices.Sorted(maps.Keys(dumpsIn(part.snap))) {
		d.Dumps = append(d.Dumps, config.DeliveredDump{ID: id})
	}
	diags, _ := cfg.CheckNames(d)
	for _, d := range diags {
		out = append(out, plan.Unchecked{What: fmt.Sprintf("%s: %s", placeText(d), d.Summary), Why: "only what the state has was looked at"})
	}
	if m := part.snap.Mapping; m != nil && leavesMapping(part.ask, m) {
		out = append(out, plan.Unchecked{What: "the user mapping: the configuration leaves out that of a dump which is in force, or reads its times in another unit",
			Why: "the source has what takes its place, and the next apply of all takes it"})
	}
	return append(out, plan.Unchecked{What: "tables and columns that were not applied yet, dumps that are gone, what it costs, what the sinks hold", Why: "neither the source nor a sink was looked at"})
}

// placeText names where a diagnostic is about.
func placeText(d *hcl.Diagnostic) string {
	if d.Subject == nil {
		return "the configuration"
	}
	return fmt.Sprintf("%s:%d", d.Subject.Filename, d.Subject.Start.Line)
}

// leavesMapping reports whether the mapping in force is not what the configuration asks for.
func leavesMapping(q *Request, m *state.Mapping) bool {
	return q.LeftOut(m.Dump, feed.TableMapping) || m.TimeUnit != rules.UnitText(q.Config.Source.TimeUnit)
}

// dumpsIn are the dumps that a state knows.
func dumpsIn(snap *state.Snapshot) map[int64]bool {
	out := map[int64]bool{}
	for id := range snap.Dumps {
		out[id] = true
	}
	for _, t := range snap.Tables {
		for _, a := range t.Applied {
			out[a.Dump] = true
		}
	}
	if snap.Mapping != nil {
		out[snap.Mapping.Dump] = true
	}
	return out
}
