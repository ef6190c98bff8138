package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// planTables plans every table that the export delivers, the state knows or
// the configuration names.
func planTables(ctx context.Context, p *Plan) error {
	tables := deliveries(p)
	for name := range p.snap.Tables {
		if _, ok := tables[name]; !ok {
			tables[name] = nil
		}
	}
	var resolved []*TablePlan
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		t, err := resolveTable(ctx, p, name, tables[name])
		if err != nil {
			return err
		}
		if t != nil {
			resolved = append(resolved, t)
		}
	}
	holdClashes(p, resolved)
	var foreign []error // of all tables: they are named at once
	for _, t := range resolved {
		t, err := planTable(ctx, p, t)
		if errors.As(err, new(*foreignError)) {
			foreign = append(foreign, err)
			continue
		}
		if err != nil {
			return err
		}
		if t != nil {
			p.tables = append(p.tables, t)
		}
	}
	if len(foreign) > 0 {
		return errors.Join(foreign...)
	}
	if err := planStrays(ctx, p, tables); err != nil {
		return err
	}
	return checkTargets(p)
}

// deliveries lists what the dumps list of each table, in their order, without what
// is left out.
func deliveries(p *Plan) map[string][]delivery {
	all := map[string][]delivery{}
	for i, d := range p.listing.Dumps {
		for _, en := range d.Entries {
			if p.ask.LeftOut(d.ID, en.Name) {
				continue
			}
			list, ok := all[en.Name]
			if !ok { // most tables are in most dumps
				list = make([]delivery, 0, len(p.listing.Dumps)-i)
			}
			all[en.Name] = append(list, delivery{dump: d.ID, entry: en})
		}
	}
	return all
}

// checkTargets refuses a -target that names no table.
func checkTargets(p *Plan) error {
	for _, t := range p.ask.Targets {
		if p.ask.Repair && t == "table."+feed.TableMapping {
			continue // the mapping is there without a table of its own
		}
		if !slices.ContainsFunc(p.tables, func(tp *TablePlan) bool { return "table."+tp.Name == t }) {
			return fmt.Errorf("-target=%s: no such table; targets are written table.NAME with the name of a real table", t)
		}
	}
	return nil
}

// resolveTable finds out what the configuration says of a table, of which all is
// delivered. It returns nil if nothing is to be planned for it.
func resolveTable(ctx context.Context, p *Plan, name string, all []delivery) (*TablePlan, error) {
	t := &TablePlan{Table: plan.Table{Name: name}, old: p.snap.Tables[name], parts: p.snap.Partitions[name], all: all, outdated: outdatedBy(p.snap.Tables[name])}
	var err error
	if t.known, err = knownColumns(ctx, p, t); err != nil {
		return nil, err
	}
	delivered := p.names.note(t)
	if waitsForColumns(p, t, t.known) {
		return nil, nil
	}
	cfg, diags := p.ask.Config.Table(name, t.known)
	if broughtIn(p, t, diags) {
		return t.waits(p, diags), nil
	}
	p.diags = append(p.diags, diags...)
	if diags.HasErrors() {
		return nil, nil
	}
	t.cfg, delivered.Table = cfg, cfg
	return t, nil
}

// planTable plans one table. It returns no plan for a table that no block takes.
func planTable(ctx context.Context, p *Plan, t *TablePlan) (*TablePlan, error) {
	if t.clash != "" {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: t.clash})
		t.keep()
		return t.ifPublished(), nil
	}
	if held := unreachable(p, t); held != nil && lake.Distrusted(held) == nil {
		if !lake.Gone(held) {
			p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: held.Error()})
		}
		t.keep()
		return t, nil
	}
	if t.cfg == nil {
		return planLeaving(ctx, p, t)
	}
	if !t.classify(t.known) {
		p.Holds = append(p.Holds, unidentified(t.Name, t.known))
		return nil, nil
	}
	if other := p.takenBy(t.cfg); other != "" {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: fmt.Sprintf("its folder %s still holds the data of table %s, which has to leave it first; to swap two folders, move one table elsewhere by an apply of its own", t.cfg.Folder, other)})
		t.keep()
		return t, nil
	}
	if t.old != nil {
		t.RowsNow, t.PartitionsNow = t.old.Rows, len(t.parts)
	}
	if repairsOutdated(p, t) {
		t.repair = t.outdated
	}
	if p.unreadable != nil {
		p.Holds = append(p.Holds, p.unreadable.hold(t.Name))
		t.keep()
		return t, nil
	}
	err := planSound(ctx, p, t)
	if p.lake.StopsTable(ctx, err) {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: err.Error()})
		t.keep()
		err = nil
	}
	return t, err
}

// planSound plans the content of a table, or what becomes of it where the state or its
// objects cannot be trusted: what was found until then does not count.
func planSound(ctx context.Context, p *Plan, t *TablePlan) error {
	holds, notices, restated := len(p.Holds), len(p.Notices), len(p.restated)
	damage, err := knownDamage(ctx, p, t)
	if err == nil && len(damage) == 0 {
		err = planContent(ctx, p, t)
	}
	if bad := damagedObject(err); bad != nil {
		damage = append(damage, bad)
	}
	d := lake.Distrusted(err)
	if d == nil && len(damage) == 0 {
		return err
	}
	p.Holds, p.Notices, p.restated = p.Holds[:holds], p.Notices[:notices], p.restated[:restated]
	if d != nil {
		return planDistrusted(ctx, p, t, d.Why)
	}
	return planDamaged(ctx, p, t, damage)
}

// takenBy names the other table whose data lies where a table is to be, in one of
// its sinks; empty if there is none.
func (p *Plan) takenBy(cfg *definition.Table) string {
	for _, name := range slices.Sorted(maps.Keys(p.snap.Tables)) {
		if name == cfg.Name || len(p.snap.Partitions[name]) == 0 {
			continue
		}
		for _, at := range p.snap.Tables[name].Sinks {
			if strings.EqualFold(at.Folder, cfg.Folder) && slices.ContainsFunc(cfg.Sinks, func(s definition.Sink) bool { return s.Path == at.Root }) {
				return name
			}
		}
	}
	return ""
}

// keep makes the plan of a table one that leaves it as it is.
func (t *TablePlan) keep() {
	kept := TablePlan{Table: plan.Table{Name: t.Name}, cfg: t.cfg, kind: t.kind, key: t.key, old: t.old, parts: t.parts, outdated: t.outdated}
	if t.old != nil {
		kept.RowsNow, kept.PartitionsNow = t.old.Rows, len(t.parts)
	}
	*t = kept
}

// planLeaving plans a table that no block takes (any more).
func planLeaving(ctx context.Context, p *Plan, t *TablePlan) (*TablePlan, error) {
	if t.old == nil && slices.Contains(p.strays(), t.Name) {
		return t, planStray(ctx, p, t)
	}
	if t.old == nil {
		if !p.ask.Config.Ignored(t.Name) {
			p.Unclaimed = append(p.Unclaimed, t.Name)
		}
		return nil, nil
	}
	if held, err := leavingOlder(ctx, p, t); held || err != nil {
		return t, err
	}
	t.kind, t.RowsNow, t.PartitionsNow = t.old.Kind, t.old.Rows, len(t.parts)
	t.Action = plan.Destroy
	for _, r := range p.ask.Config.Removed {
		if r.Table == t.Name && !r.Destroy {
			t.Action, t.Removes = plan.Forget, nil
		}
	}
	if t.Action == plan.Destroy {
		for _, s := range t.old.Sinks {
			t.destroys("its files", s, keepForgotten(t.Name))
		}
	}
	if !p.ask.Targeted(t.Name) {
		t.Action, t.Destroys, t.Behind = plan.None, nil, true
	}
	return t, nil
}

// planContent plans what happens to the content of a table.
func planContent(ctx context.Context, p *Plan, t *TablePlan) error {
	begin := planStanding
	if t.repair != "" {
		begin = planRepair
	}
	if err := begin(ctx, p, t); err != nil {
		return err
	}
	if t.old != nil {
		planChange(p, t)
		if err := planReturned(ctx, p, t); err != nil {
			return err
		}
	}
	if t.kind == feed.KindMapping {
		planMappingTable(p, t)
	} else if err := planDumps(ctx, p, t); err != nil {
		return err
	} else if err := noteNames(ctx, p, t); err != nil {
		return err
	}
	if err := planRemap(ctx, p, t); err != nil {
		return err
	}
	if t.old != nil {
		holds, err := planRebuild(ctx, p, t)
		if err != nil {
			return err
		}
		p.Holds = append(p.Holds, holds...)
	}
	t.settle()
	if !p.ask.Targeted(t.Name) && t.Action != plan.None {
		t.Behind, t.Action = true, plan.None
	}
	if t.Action == plan.None {
		return nil
	}
	if err := canPublish(ctx, p, t); err != nil {
		return err
	}
	t.estimate(p.budget)
	if p.measure == nil {
		return nil
	}
	return p.measure(ctx, p, t)
}

// settle names the action.
func (t *TablePlan) settle() {
	switch {
	case t.old == nil && len(t.pending) > 0:
		t.Action = plan.Create
	case t.old == nil:
		t.Action = plan.None
	case t.Change.Class == plan.ClassRebuild:
		t.Action = plan.Rebuild
	case len(t.pending) > 0 || t.remap || t.Change.Class != plan.ClassNone:
		t.Action = plan.Update
	}
}

// holdOfKey marks the pin of a file that lacks a key of the table.
const holdOfKey = "key "

// stillBad reports whether what holdPin gave still holds the table: not after
// the file changed, nor after the configuration of its column did.
func (t *TablePlan) stillBad(held, pin string) bool {
	was, cast, ok := strings.Cut(held, "\n")
	if was != pin || !ok {
		return was == pin
	}
	if key, ok := strings.CutPrefix(cast, holdOfKey); ok {
		return key == feed.UserID || key == t.key
	}
	rule, name, _ := strings.Cut(cast, "\n")
	c := t.cfg.Column(name)
	return t.cfg.OnCastError == "fail" && t.cfg.Takes(name) && c.Mask == definition.MaskNone && ruleText(c.Rule) == rule
}

// canPublish fails if the folder of a table cannot be published to.
func canPublish(ctx context.Context, p *Plan, t *TablePlan) error {
	for _, s := range t.cfg.Sinks {
		if err := p.lake.CanPublish(ctx, s.Path, []string{t.cfg.Folder}); err != nil {
			return err
		}
	}
	return nil
}
