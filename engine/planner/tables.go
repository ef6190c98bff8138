package planner

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
	"reconcile/internal/errclass"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planTables plans every table that the export delivers, the state knows or
// the configuration names.
func planTables(ctx context.Context, p *Session) error {
	tables := Deliveries(p)
	if p.ConfigOnly {
		tables = appliedOnly(p, tables)
	}
	for name := range p.Snap.Tables {
		if _, ok := tables[name]; !ok {
			tables[name] = nil
		}
	}
	var resolved []*Table
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		t, err := ResolveTable(ctx, p, name, tables[name])
		if err != nil {
			return err
		}
		if t != nil {
			resolved = append(resolved, t)
		}
	}
	holdClashes(p, resolved)
	p.maskKeys, p.storedIn = findMaskKeys(resolved), storedIn(p.Snap)
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
			p.Drafts = append(p.Drafts, t)
		}
	}
	if len(foreign) > 0 {
		return errors.Join(foreign...)
	}
	if p.ConfigOnly {
		return nil
	}
	if err := planStrays(ctx, p, tables); err != nil {
		return err
	}
	return errors.Join(checkTargets(p), checkReplacements(p))
}

// Deliveries lists what the dumps list of each table, in their order, without what
// is left out.
func Deliveries(p *Session) map[string][]Delivery {
	all := map[string][]Delivery{}
	for i, d := range p.Listing.Dumps {
		for _, en := range d.Entries {
			if p.Ask.LeftOut(d.ID, en.Name) {
				continue
			}
			list, ok := all[en.Name]
			if !ok { // most tables are in most dumps
				list = make([]Delivery, 0, len(p.Listing.Dumps)-i)
			}
			all[en.Name] = append(list, Delivery{Dump: d.ID, Entry: en})
		}
	}
	return all
}

// checkTargets refuses a -target that names no table.
func checkTargets(p *Session) error {
	for _, t := range p.Ask.Targets {
		if p.Ask.Repair && t == "table."+feed.TableMapping {
			continue // the mapping is there without a table of its own
		}
		if !slices.ContainsFunc(p.Drafts, func(tp *Table) bool { return "table."+tp.Name == t }) {
			return fmt.Errorf("-target=%s: no such table; targets are written table.NAME with the name of a real table%s", t, meant("-target", t, p.Drafts))
		}
	}
	return nil
}

// ResolveTable finds out what the configuration says of a table, of which all is
// delivered. It returns nil if nothing is to be planned for it.
func ResolveTable(ctx context.Context, p *Session, name string, all []Delivery) (*Table, error) {
	t := &Table{Table: plan.Table{Name: name}, Old: p.Snap.Tables[name], Parts: p.Snap.Partitions[name], All: all, outdated: outdatedBy(p.Snap.Tables[name])}
	var err error
	if t.Known, err = knownColumns(ctx, p, t); err != nil {
		return nil, err
	}
	delivered := p.Names.note(t)
	if waitsForColumns(p, t, t.Known) {
		return nil, nil
	}
	cfg, diags := p.Ask.Config.Table(name, t.Known)
	if broughtIn(p, t, diags) {
		return t.waits(p, diags), nil
	}
	p.Diags = append(p.Diags, diags...)
	if diags.HasErrors() {
		return nil, nil
	}
	t.Definition, delivered.Table = cfg, cfg
	return t, nil
}

// planTable plans one table. It returns no plan for a table that no block takes.
func planTable(ctx context.Context, p *Session, t *Table) (*Table, error) {
	if t.clash != "" {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: t.clash})
		t.Keep()
		return t.ifPublished(), nil
	}
	if p.ConfigOnly && !changesConfigOf(p, t.Name) {
		t.Keep()
		return t, nil
	}
	if held := Unreachable(p, t); held != nil && errclass.Of(held) != errclass.Distrusted {
		if errclass.Of(held) != errclass.SinkMissing {
			p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: held.Error()})
		}
		t.Keep()
		return t, nil
	}
	if t.Definition == nil {
		return planLeaving(ctx, p, t)
	}
	if !t.Classify(t.Known) {
		p.Holds = append(p.Holds, Unidentified(t.Name, t.Known))
		return nil, nil
	}
	if other := p.takenBy(t.Definition); other != "" {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: fmt.Sprintf("its folder %s still holds the data of table %s, which has to leave it first; to swap two folders, move one table elsewhere by an apply of its own", t.Definition.Folder, other)})
		t.Keep()
		return t, nil
	}
	if t.Old != nil {
		t.RowsNow, t.PartitionsNow = t.Old.Rows, len(t.Parts)
	}
	if repairsOutdated(p, t) {
		t.Repair = t.outdated
	}
	if p.unreadable != nil {
		p.Holds = append(p.Holds, p.unreadable.hold(t.Name))
		t.Keep()
		return t, nil
	}
	err := planSound(ctx, p, t)
	if p.Lake.StopsTable(ctx, err) {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: err.Error()})
		t.Keep()
		err = nil
	}
	return t, err
}

// planSound plans the content of a table, or what becomes of it where the state or its
// objects cannot be trusted: what was found until then does not count.
func planSound(ctx context.Context, p *Session, t *Table) error {
	holds, restated := len(p.Holds), len(p.ToRestate)
	damage, err := knownDamage(ctx, p, t)
	if err == nil && len(damage) == 0 {
		err = planContent(ctx, p, t)
	}
	if bad := DamagedObject(err); bad != nil {
		damage = append(damage, bad)
	}
	distrust := lake.WhyDistrusted(err)
	if distrust == "" && len(damage) == 0 {
		return err
	}
	p.Holds, p.ToRestate, t.notes = p.Holds[:holds], p.ToRestate[:restated], nil
	if distrust != "" {
		return planDistrusted(ctx, p, t, distrust)
	}
	return planDamaged(ctx, p, t, damage)
}

// storedIn finds the tables whose data lies in a folder of the lake, without case and by
// name.
func storedIn(snap *state.Snapshot) map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		if len(snap.Partitions[name]) == 0 {
			continue
		}
		for _, at := range snap.Tables[name].Sinks {
			folder := foldPath(at.Folder)
			if list := out[folder]; len(list) == 0 || list[len(list)-1] != name {
				out[folder] = append(list, name)
			}
		}
	}
	return out
}

// foldPath is the same for paths that strings.EqualFold takes for equal.
func foldPath(path string) string { return strings.ToLower(strings.ToUpper(path)) }

// takenBy names the other table whose data lies where a table is to be, in one of
// its sinks; empty if there is none.
func (p *Session) takenBy(cfg *definition.Table) string {
	for _, name := range p.storedIn[foldPath(cfg.Folder)] {
		if name == cfg.Name {
			continue
		}
		for _, at := range p.Snap.Tables[name].Sinks {
			if strings.EqualFold(at.Folder, cfg.Folder) && slices.ContainsFunc(cfg.Sinks, func(s definition.Sink) bool { return s.Path == at.Root }) {
				return name
			}
		}
	}
	return ""
}

// planLeaving plans a table that no block takes (any more).
func planLeaving(ctx context.Context, p *Session, t *Table) (*Table, error) {
	if t.Old == nil && slices.Contains(p.strays(), t.Name) {
		return t, planStray(ctx, p, t)
	}
	if t.Old == nil {
		if !p.Ask.Config.Ignored(t.Name) {
			p.Unclaimed = append(p.Unclaimed, t.Name)
		}
		return nil, nil
	}
	if held, err := leavingOlder(ctx, p, t); held || err != nil {
		return t, err
	}
	leave(p, t)
	if !p.Ask.Targeted(t.Name) {
		t.Action, t.Destroys, t.Behind = plan.None, nil, true
	}
	return t, nil
}

// leave has a table go that no block takes any more.
func leave(p *Session, t *Table) {
	t.Kind, t.RowsNow, t.PartitionsNow = t.Old.Kind, t.Old.Rows, len(t.Parts)
	t.Action = plan.Destroy
	for _, r := range p.Ask.Config.Removed {
		if r.Table == t.Name && !r.Destroy {
			t.Action, t.Removes = plan.Forget, nil
		}
	}
	if t.Action == plan.Destroy {
		for _, s := range t.Old.Sinks {
			t.destroys("its files", s, keepForgotten(t.Name))
		}
	}
}

// planContent plans what happens to the content of a table.
func planContent(ctx context.Context, p *Session, t *Table) error {
	begin := planStanding
	if t.Repair != "" {
		begin = planRepair
	}
	if err := begin(ctx, p, t); err != nil {
		return err
	}
	if t.Old != nil {
		if err := planChange(ctx, p, t); err != nil {
			return err
		}
		if err := planReturned(ctx, p, t); err != nil {
			return err
		}
	}
	if p.ConfigOnly {
		if err := planKept(ctx, p, t); err != nil {
			return err
		}
	} else if t.Kind == feed.KindMapping {
		planMappingTable(p, t)
	} else if err := planDumps(ctx, p, t); err != nil {
		return err
	} else if err := noteNames(ctx, p, t); err != nil {
		return err
	}
	planColumns(t)
	if !p.ConfigOnly {
		if err := planRemap(ctx, p, t); err != nil {
			return err
		}
	}
	if err := planHeldStep(ctx, p, t); err != nil {
		return err
	}
	if t.Old != nil {
		holds, err := PlanRebuild(ctx, p, t)
		if err != nil {
			return err
		}
		p.Holds = append(p.Holds, holds...)
	}
	t.nameAction()
	if !p.Ask.Targeted(t.Name) && t.Action != plan.None {
		t.Behind, t.Action = true, plan.None
	}
	if t.Action == plan.None {
		return nil
	}
	if err := CanPublish(ctx, p, t); err != nil {
		return err
	}
	return judgeSteps(ctx, p, t)
}

// judgeSteps estimates what the steps of a table write, and has guards judge that.
func judgeSteps(ctx context.Context, p *Session, t *Table) error {
	if err := estimate(ctx, p, t); err != nil {
		return err
	}
	if holds := judgePlanned(p, t); len(holds) > 0 {
		p.Holds = append(p.Holds, holds...)
		t.Keep()
		return nil
	}
	if p.Measure == nil || lacksKeys(p, t) {
		return nil
	}
	return p.Measure(ctx, p, t)
}

// nameAction names the action.
func (t *Table) nameAction() {
	switch {
	case t.Old == nil && len(t.Pending) > 0:
		t.Action = plan.Create
	case t.Old == nil:
		t.Action = plan.None
	case t.Change.Class == plan.ClassRebuild:
		t.Action = plan.Rebuild
	case len(t.Pending) > 0 || t.remap || t.Change.Class != plan.ClassNone:
		t.Action = plan.Update
	}
}

// CanPublish fails if the folder of a table cannot be published to.
func CanPublish(ctx context.Context, p *Session, t *Table) error {
	if asksNoSink(p) {
		return nil
	}
	for _, s := range t.Definition.Sinks {
		if err := p.Lake.CanPublish(ctx, s.Path, []string{t.Definition.Folder}); err != nil {
			return err
		}
	}
	return nil
}
