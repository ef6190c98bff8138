package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/published"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// A state that is lost is made anew from the source and what current.json says of each
// table: by exactly the dumps and at exactly the mapping that the lake stands at, so that
// the plan after it shows what is really pending. Data files that hold the right rows
// stay.
//
// One transaction makes the new state, with all tables and their publish lists. Before
// it nothing of the lake has changed and there is no new state; after it there is a whole
// one, and recovery finishes what it lists. So a run that is killed is done again or
// finished, whatever it had come to.

// StateRebuild says how a state is made anew. It is a value of one moment; RebuildState
// carries it out.
type StateRebuild struct {
	State   string
	Lineage string
	// Damage is what is wrong with the state; empty if there is none.
	Damage string
	Tables []*RebuiltTable
	// Left are tables that the lake has and no block of the configuration takes.
	Left []string

	plan   *planner.Session
	above  uint64 // what serials have to exceed
	stands map[int64]*mappingStand
	empty  []*published.Table // that hold nothing, and of which nothing tells what they are
}

// RebuiltTable is what becomes of one table.
type RebuiltTable struct {
	Name    string
	Commit  uint64 // that the lake has it at
	Dumps   []int64
	Mapping *int64
	// Incomplete says that the lake was between two commits.
	Incomplete bool
	Files      int   // that it has in the lake
	Bytes      int64 // of the source
	// Lost are dumps that the source does not have any more, or not whole.
	Lost        []LostDump
	LostMapping *int64

	plan      *planner.Table
	published []published.File
	from      string          // the sink whose rows stand in for what is gone
	columns   []column.Column // of the published files
}

// LostDump is a dump that cannot be read again.
type LostDump struct {
	Dump   int64
	Reason string // empty: it is gone
}

// mappingStand is a mapping that tables stand at.
type mappingStand struct {
	planner.MappingAt
	read    *deliveredMapping
	objects []*state.Sealed // written, and not yet committed
}

var (
	// ErrWhole says that there is a state that reads whole: nothing is to be rebuilt.
	ErrWhole = errors.New("the state is not lost")
	// ErrElsewhere says that the state of the lake reads whole at another place than the
	// configuration says.
	ErrElsewhere = errors.New("the state is not lost, but elsewhere")
)

// PlanRebuild finds out how the state is made anew. It fails with ErrWhole or
// ErrElsewhere if the state reads whole. The caller holds the lock.
func (e *Engine) PlanRebuild(ctx context.Context, l *state.Lock) (*StateRebuild, error) {
	sr := &StateRebuild{State: e.store.Place(), stands: map[int64]*mappingStand{}}
	if err := e.checkLost(ctx, sr); err != nil {
		return nil, err
	}
	p := &planner.Session{Planner: e.planner(), Locked: true, Anew: true, Closures: map[string]*identity.Closure{}, Heads: lake.Heads{}}
	content, err := published.Read(ctx, e.lake, e.declared, p.Heads)
	if err != nil {
		return nil, err
	}
	if err := e.checkElsewhere(ctx, content); err != nil {
		return nil, err
	}
	sr.plan, sr.Lineage, sr.above = p, content.Lineage, p.Heads.TopCommit()
	p.Snap = &state.Snapshot{Lineage: content.Lineage, Serial: sr.above, Tables: map[string]*state.Table{},
		Partitions: map[string][]*state.Partition{}, Dumps: map[int64]*state.Dump{}, Settings: map[string][]byte{}}
	p.Lineage, p.Serial = p.Snap.Lineage, p.Snap.Serial
	if err := planner.ListSource(ctx, p); err != nil {
		return nil, err
	}
	planner.HoldManifests(p)
	if err := planner.ListRead(ctx, p); err != nil {
		return nil, err
	}
	all := planner.Deliveries(p)
	for _, name := range sortedKeys(content.Tables) {
		if err := e.planRebuilt(ctx, sr, content.Tables[name], all[name]); err != nil {
			return nil, err
		}
	}
	if p.Diags.HasErrors() {
		return nil, &planner.DiagnosticsError{Diags: config.Join(p.Diags)}
	}
	return sr, nil
}

// planRebuilt finds out what becomes of one table, of which all is delivered.
func (e *Engine) planRebuilt(ctx context.Context, sr *StateRebuild, l *published.Table, all []planner.Delivery) error {
	p := sr.plan
	out := &RebuiltTable{Name: l.Name, Commit: l.Entry.Commit, Dumps: l.Entry.Dumps, Mapping: l.Entry.Mapping, Incomplete: l.Incomplete}
	var err error
	if err := l.CheckUntil(e.ask); err != nil {
		return err
	}
	if out.published, err = l.Files(ctx, e.lake); err != nil {
		return err
	}
	columns, err := published.Columns(ctx, e.lake, out.published)
	if err != nil {
		return fmt.Errorf("table %s: %w", l.Name, err)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(d planner.Delivery) bool { return !slices.Contains(l.Entry.Dumps, d.Dump) })
	t, err := e.resolveAnew(ctx, p, l, all, columns)
	switch {
	case err != nil:
		return err
	case (t == nil || t.Definition == nil) && len(l.Entry.Dumps)+len(out.published) == 0:
		sr.empty = append(sr.empty, l)
		return nil
	case t == nil || t.Definition == nil:
		sr.Left = append(sr.Left, l.Name)
		return nil
	case !t.Classify(t.Known):
		return fmt.Errorf("table %s: %s", t.Name, planner.Unidentified(t.Name, t.Known).Reason)
	}
	out.plan, out.Files, out.from, out.columns = t, len(out.published), l.From, columns
	if err := errors.Join(l.CheckPlaces(t), l.CheckUnnamed(ctx, e.lake, t)); err != nil {
		return err
	}
	for _, f := range out.published {
		t.Left = append(t.Left, state.Step{Sink: f.Root, Path: f.Path, BeforePin: f.Object.Pin})
	}
	t.Repair, t.Action = "its state is lost", plan.Rebuild
	t.Change.Add(plan.ClassRebuild, "%s", t.Repair)
	t.Old = l.Record(t, columns)
	if err := e.findLost(ctx, sr, out); err != nil {
		return err
	}
	sr.Tables = append(sr.Tables, out)
	return planner.CanPublish(ctx, p, t)
}

// resolveAnew finds out what the configuration says of a table, nil if no block takes it.
// Where dumps are gone, or files that would tell their columns, the lake tells them.
func (e *Engine) resolveAnew(ctx context.Context, p *planner.Session, l *published.Table, all []planner.Delivery, columns []column.Column) (*planner.Table, error) {
	holds := len(p.Holds)
	if len(all) == len(l.Entry.Dumps) {
		t, err := planner.ResolveTable(ctx, p, l.Name, all)
		if err != nil || t != nil || len(p.Holds) == holds {
			return t, err
		}
		p.Holds = p.Holds[:holds]
	}
	p.Snap.Tables[l.Name] = l.Seen(columns)
	t, err := planner.ResolveTable(ctx, p, l.Name, all)
	if err == nil && t == nil && len(p.Holds) > holds {
		err = fmt.Errorf("table %s: %s", l.Name, p.Holds[holds].Reason)
	}
	return t, err
}

// findLost finds out what of a table the source does not have any more.
func (e *Engine) findLost(ctx context.Context, sr *StateRebuild, out *RebuiltTable) error {
	p, t := sr.plan, out.plan
	for _, id := range planner.RebuiltFrom(p, t) {
		h, size, err := planner.CheckRebuild(ctx, p, t, id)
		if err != nil {
			return err
		}
		out.Bytes += size
		if h != nil {
			out.Lost = append(out.Lost, LostDump{id, strings.TrimPrefix(h.File+": "+h.Reason, ": ")})
			t.Lost = append(t.Lost, id)
		}
	}
	if out.Mapping == nil {
		return nil
	}
	stand, err := e.standAt(ctx, sr, *out.Mapping)
	if err == nil && stand == nil {
		out.LostMapping = out.Mapping
	}
	return err
}

// standAt reads the mapping of a dump, nil if the source does not have it whole.
func (e *Engine) standAt(ctx context.Context, sr *StateRebuild, id int64) (*mappingStand, error) {
	if s, ok := sr.stands[id]; ok {
		return s, nil
	}
	sr.stands[id] = nil
	d := sr.plan.Listing.Dump(id)
	if d == nil || d.Entry(feed.TableMapping) == nil {
		return nil, nil
	}
	read, err := planner.ReadMappingOf(ctx, sr.plan, id, d.Entry(feed.TableMapping))
	if planner.BadFile(err) != nil && ctx.Err() == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	at := &planner.Session{}
	at.TakeMapping(read)
	sr.stands[id] = &mappingStand{read: deliveredOf(read), MappingAt: planner.MappingAt{Mapping: read.Mapping, Closure: read.Mapping.Closure(), Standing: at.Standing}}
	return sr.stands[id], nil
}

// RebuildRefusal says which tables cannot be rebuilt whole and need -accept-loss, nil if
// there are none.
func (e *Engine) RebuildRefusal(sr *StateRebuild) error {
	var errs []error
	for _, t := range sr.Tables {
		if len(t.Lost) == 0 && t.LostMapping == nil || e.ask.AcceptsLoss(t.Name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%w: of table %s the source no longer has %s: -accept-loss=%s lets the published rows stand in for what is gone; nothing was done",
			ErrRefused, t.Name, t.lostText(), t.Name))
	}
	return errors.Join(errs...)
}

// lostText names what is lost of a table.
func (t *RebuiltTable) lostText() string {
	var out []string
	for _, d := range t.Lost {
		text := fmt.Sprintf("dump %d", d.Dump)
		if d.Reason != "" {
			text += " (" + d.Reason + ")"
		}
		out = append(out, text)
	}
	if t.LostMapping != nil {
		out = append(out, fmt.Sprintf("the user mapping of dump %d", *t.LostMapping))
	}
	return strings.Join(out, ", ")
}

// Losses says what of a table does not come back, a line each.
func (t *RebuiltTable) Losses() []string {
	if len(t.Lost) == 0 && t.LostMapping == nil {
		return nil
	}
	out := []string{"the source no longer has " + t.lostText()}
	switch {
	case t.LostMapping != nil && t.plan.Kind == feed.KindMapping:
		out = append(out, "the published rows stand in for it; what does not come back: its quarantine")
	case t.LostMapping != nil:
		out = append(out, "published rows tell whom users stand for; what does not come back: that of users without rows, unless user_migrations are published")
	}
	if len(t.Lost) == 0 {
		return out
	}
	switch t.plan.Kind {
	case feed.KindEvents:
		out = append(out, "published rows stand in for theirs; what does not come back: rows that merged users hide, and the quarantine of these dumps")
	case feed.KindUsers:
		out = append(out, "published rows stand in for theirs; what does not come back: the members behind each of these rows, and the quarantine of these dumps")
	}
	return out
}

// Bytes is how much of the source is read.
func (sr *StateRebuild) Bytes() int64 {
	n := int64(0)
	for _, t := range sr.Tables {
		n += t.Bytes
	}
	return n
}

// MappingEntries is how many entries the mappings have that tables stand at.
func (sr *StateRebuild) MappingEntries() int {
	n := 0
	for _, s := range sr.stands {
		if s != nil {
			n += s.read.Mapping.Len()
		}
	}
	return n
}
