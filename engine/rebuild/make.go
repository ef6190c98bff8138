package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	"reconcile/internal/shell"
	"reconcile/state"
)

// stand is a mapping that tables stand at.
type stand struct {
	planner.MappingAt
	read    *planner.MappingRead
	objects []*state.Sealed // written, and not yet committed
}

var (
	// ErrWhole says that there is a state that reads whole: nothing is to be rebuilt.
	ErrWhole = errors.New("the state is not lost")
	// ErrElsewhere says that the state of the lake reads whole at another place than the
	// configuration says.
	ErrElsewhere = errors.New("the state is not lost, but elsewhere")
)

// Plan finds out how the state is rebuilt. It fails with ErrWhole or
// ErrElsewhere if the state reads whole. The caller holds the lock.
func (r *Rebuilder) Plan(ctx context.Context, l *state.Lock) (*Plan, error) {
	sr := &Plan{State: r.Store.Place(), stands: map[int64]*stand{}}
	if err := r.checkLost(ctx, sr); err != nil {
		return nil, err
	}
	p := &planner.Session{Planner: r.Planner, Locked: true, Closures: map[string]*identity.Closure{}, Heads: lake.Heads{}}
	content, err := published.Read(ctx, r.Planner.Lake, r.Planner.Declared, p.Heads)
	if err != nil {
		return nil, err
	}
	if err := r.checkElsewhere(ctx, content); err != nil {
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
	for _, name := range slices.Sorted(maps.Keys(content.Tables)) {
		if err := r.planTable(ctx, sr, content.Tables[name], all[name]); err != nil {
			return nil, err
		}
	}
	if p.Diags.HasErrors() {
		return nil, &planner.DiagnosticsError{Diags: config.Join(p.Diags)}
	}
	return sr, nil
}

// planTable finds out what becomes of one table, of which all is delivered.
func (r *Rebuilder) planTable(ctx context.Context, sr *Plan, l *published.Table, all []planner.Delivery) error {
	p := sr.plan
	out := &Table{Name: l.Name, Commit: l.Entry.Commit, Dumps: l.Entry.Dumps, Mapping: l.Entry.Mapping, Incomplete: l.Incomplete}
	var err error
	if err := l.CheckUntil(r.Planner.Ask); err != nil {
		return err
	}
	if out.published, err = l.Files(ctx, r.Planner.Lake); err != nil {
		return err
	}
	columns, err := published.Columns(ctx, r.Planner.Lake, out.published)
	if err != nil {
		return fmt.Errorf("table %s: %w", l.Name, err)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(d planner.Delivery) bool { return !slices.Contains(l.Entry.Dumps, d.Dump) })
	t, err := r.resolve(ctx, p, l, all, columns)
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
	if err := errors.Join(l.CheckPlaces(t), l.CheckUnnamed(ctx, r.Planner.Lake, t)); err != nil {
		return err
	}
	for _, f := range out.published {
		t.Left = append(t.Left, state.Step{Sink: f.Root, Path: f.Path, BeforePin: f.Object.Pin})
	}
	t.Repair, t.Action = "its state is lost", plan.Rebuild
	t.Change.Add(plan.ClassRebuild, "%s", t.Repair)
	t.Old = l.Record(t, columns)
	if err := r.findLost(ctx, sr, out); err != nil {
		return err
	}
	sr.Tables = append(sr.Tables, out)
	return planner.CanPublish(ctx, p, t)
}

// resolve finds out what the configuration says of a table, nil if no block takes it.
// Where dumps are gone, or files that would tell their columns, the lake tells them.
func (r *Rebuilder) resolve(ctx context.Context, p *planner.Session, l *published.Table, all []planner.Delivery, columns []column.Column) (*planner.Table, error) {
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
func (r *Rebuilder) findLost(ctx context.Context, sr *Plan, out *Table) error {
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
	stand, err := r.standAt(ctx, sr, *out.Mapping)
	if err == nil && stand == nil {
		out.LostMapping = out.Mapping
	}
	return err
}

// standAt reads the mapping of a dump, nil if the source does not have it whole.
func (r *Rebuilder) standAt(ctx context.Context, sr *Plan, id int64) (*stand, error) {
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
	sr.stands[id] = r.standOf(read)
	return sr.stands[id], nil
}

// standOf is the mapping that was read, as tables stand at it.
func (r *Rebuilder) standOf(read *planner.MappingRead) *stand {
	at := &planner.Session{}
	at.TakeMapping(read)
	return &stand{read: read, MappingAt: planner.MappingAt{Mapping: read.Mapping, Closure: read.Mapping.Closure(r.Planner.Budget.Workers()), Standing: at.Standing}}
}

// Refusal says which tables cannot be rebuilt whole and need -accept-loss, nil if
// there are none.
func (r *Rebuilder) Refusal(sr *Plan) error {
	var errs []error
	for _, t := range sr.Tables {
		if len(t.Lost) == 0 && t.LostMapping == nil || r.Planner.Ask.AcceptsLoss(t.Name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%w: of table %s the source no longer has %s: %s lets the published rows stand in for what is gone; nothing was done",
			plan.ErrRefused, t.Name, t.lostText(), shell.Word("-accept-loss="+t.Name)))
	}
	return errors.Join(errs...)
}
