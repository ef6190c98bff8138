package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// rememberNames brings what the state remembers of the names up to date: which masks were
// judged, so that what is delivered later cannot make the same configuration an error,
// and which tables removed blocks took out of it. Where it is, nothing is written.
func (run *applyRun) rememberNames(ctx context.Context) error {
	masks, removed := map[string]bool{}, map[string]bool{}
	for _, digest := range run.plan.Names.Judged {
		masks[digest] = true
	}
	if run.plan.ConfigOnly { // which judged none
		masks = run.plan.Snap.JudgedMasks
	}
	for _, r := range run.e.cfg.Removed {
		if run.plan.Snap.RemovedTables[r.Table] || run.plan.Snap.Tables[r.Table] != nil {
			removed[r.Table] = true
		}
	}
	if maps.Equal(masks, run.plan.Snap.JudgedMasks) && maps.Equal(removed, run.plan.Snap.RemovedTables) {
		return nil
	}
	return run.lock.Update(ctx, func(tx *state.Tx) error {
		return errors.Join(remember(run.plan.Snap.JudgedMasks, masks, tx.SetJudgedMask), remember(run.plan.Snap.RemovedTables, removed, tx.SetRemovedTable))
	})
}

// remember makes a set in the state another one.
func remember(have, want map[string]bool, set func(name string, in bool) error) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !have[name] {
			errs = append(errs, set(name, true))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !want[name] {
			errs = append(errs, set(name, false))
		}
	}
	return errors.Join(errs...)
}

// forgetLater drops what the state knows of the manifests of dumps above until_dump that
// nothing has any more: when they count again they come as new ones.
func (e *Engine) forgetLater(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	var gone []int64
	for _, id := range slices.Sorted(maps.Keys(snap.Dumps)) {
		if e.ask.Later(id) && !isApplied(snap, id) {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, id := range gone {
			errs = append(errs, tx.DeleteDump(id))
		}
		return errors.Join(errs...)
	})
}

// isApplied reports whether a table or the mapping in force is of a dump.
func isApplied(snap *state.Snapshot, id int64) bool {
	if snap.Mapping != nil && snap.Mapping.Dump == id {
		return true
	}
	for _, t := range snap.Tables {
		if slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Dump == id }) {
			return true
		}
	}
	return false
}

// acceptManifests notes that the manifests that the plan accepted are the ones
// to go by. What they change of a table shows by what the table has applied, so
// that it is planned also if this apply does not come to it.
func acceptManifests(ctx context.Context, l *state.Lock, p *planner.Session) error {
	if len(p.Accepted) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, id := range p.Accepted {
			errs = append(errs, commit.PutDump(tx, p.Listing.Dump(id)))
		}
		return errors.Join(errs...)
	})
}

// acceptMappings notes which mappings are not judged again: what this command
// accepts, what it applies, and what was applied until now.
func acceptMappings(p *planner.Session, tx *state.Tx) error {
	var errs []error
	put := func(dump int64, digest string) {
		errs = append(errs, tx.SetAccepted(state.Delivery{Table: feed.TableMapping, Dump: dump}, digest))
	}
	if have := p.Snap.Mapping; have != nil {
		put(have.Dump, have.Digest)
	}
	for _, d := range p.AcceptedMappings {
		put(d.Dump, d.Entry.Digest)
	}
	if p.Standing != nil {
		put(p.Standing.Dump, p.Standing.Digest)
	}
	return errors.Join(errs...)
}

// The state knows of the part files of a table's last applied dumps, and of those
// of the mapping in force, how they were read. So a plan sees when another file
// stands there now, as where a mirror was still writing it.

// renewRead records the ETags of files that were written again unchanged. now is the
// state as it is, which is not what the plan was made of where a sink was forgotten.
func (run *applyRun) renewRead(ctx context.Context, now *state.Snapshot) error {
	var tables []*state.Table
	for _, t := range run.plan.Drafts {
		if rec := now.Tables[t.Name]; rec != nil && len(t.Renewed) > 0 {
			tables = append(tables, noteRead(run.plan, t, rec))
		}
	}
	if len(tables) == 0 && run.plan.SameMapping == nil {
		return nil
	}
	return run.lock.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, rec := range tables {
			errs = append(errs, tx.PutTable(rec))
		}
		if run.plan.SameMapping != nil {
			errs = append(errs, tx.SetMapping(run.plan.SameMapping))
		}
		return errors.Join(errs...)
	})
}

// renewReadOf does the same for one table, in the middle of an apply.
func (run *applyRun) renewReadOf(ctx context.Context, t *planner.Table) error {
	if len(t.Renewed) == 0 {
		return nil
	}
	snap, err := run.e.declared.LoadTables(ctx, run.lock, t.Name)
	if err != nil {
		return err
	}
	rec := noteRead(run.plan, t, snap.Tables[t.Name])
	return run.lock.Update(ctx, func(tx *state.Tx) error { return tx.PutTable(rec) })
}

// noteRead has an apply go by what is renewed of how a table's files were read, and returns
// the record to store in place of the one that the state has.
func noteRead(p *planner.Session, t *planner.Table, has *state.Table) *state.Table {
	rec := *has
	rec.Read = renewed(has.Read, t.Renewed)
	if seen := p.Snap.Tables[t.Name]; seen != nil {
		own := *seen
		own.Read = rec.Read
		p.Snap.Tables[t.Name] = &own
	}
	old := *t.Old
	old.Read = rec.Read
	t.Old = &old
	return &rec
}

// renewed returns records with some of them replaced.
func renewed(list, by []state.ReadDump) []state.ReadDump {
	out := slices.Clone(list)
	for i := range out {
		for _, b := range by {
			if b.Dump == out[i].Dump {
				out[i] = b
			}
		}
	}
	return out
}

// acceptDumps notes which full resyncs this command accepts. They stay accepted, also where
// something else keeps it from taking them.
func acceptDumps(ctx context.Context, l *state.Lock, p *planner.Session) error {
	fresh := slices.DeleteFunc(slices.Clone(p.AcceptedDumps), func(d planner.AcceptedDump) bool { return p.Snap.Accepted[d.Delivery] == d.Digest })
	if len(fresh) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, d := range fresh {
			errs = append(errs, tx.SetAccepted(d.Delivery, d.Digest))
		}
		return errors.Join(errs...)
	})
}

// rememberTripped notes how guards judged the full resyncs that wait. snap is the state as it
// is, and gets the records that it writes.
func rememberTripped(ctx context.Context, l *state.Lock, p *planner.Session, snap *state.Snapshot) error {
	var records []*state.Table
	for _, t := range p.Drafts {
		has := snap.Tables[t.Name]
		if has == nil || t.Definition == nil {
			continue
		}
		tripped, err := planner.Tripped(p, t, has)
		if err != nil {
			return err
		}
		if !slices.Equal(tripped, has.Tripped) {
			rec := *has
			rec.Tripped = tripped
			records = append(records, &rec)
		}
	}
	if len(records) == 0 {
		return nil
	}
	err := l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, rec := range records {
			errs = append(errs, tx.PutTable(rec))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	for _, rec := range records {
		snap.Tables[rec.Name] = rec
	}
	return nil
}
