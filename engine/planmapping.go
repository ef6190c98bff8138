package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planMapping finds the mapping that counts: that of the state unless a newer dump,
// or a corrected one, has another that no guard holds.
func planMapping(ctx context.Context, p *Plan) error {
	have, lost, err := mappingToKeep(ctx, p)
	if err != nil {
		return err
	}
	j, err := judgeMappings(ctx, p, have)
	if bad := damagedObject(err); bad != nil {
		p.standing, p.unreadable = have, &unreadable{mapping: have, bad: bad, way: wayToMapping(p, have.Dump)}
		return describeMapping(ctx, p)
	}
	if err != nil {
		return err
	}
	p.Holds = append(p.Holds, j.bad...)
	if n := len(j.tripped); n > 0 {
		p.Holds = append(p.Holds, j.tripped[n-1].hold)
	}
	if j.counts != nil {
		p.mapping, p.standing = j.counts.mapping, p.snap.Mapping
		if j.counts.read != nil {
			p.takeMapping(j.counts.read)
		}
	}
	p.noteUnit(have, unitText(p.ask.Config.Source.TimeUnit))
	if lost != nil {
		if err := replaceMapping(p, lost); err != nil {
			return err
		}
	}
	p.Mapping.Withdrawn = p.standing == nil && p.snap.Mapping != nil
	if p.Mapping.Gone = goneMappings(p); len(p.Mapping.Gone) > 0 {
		p.Notices = append(p.Notices, p.goneMappingsText()+"; apply needs -accept-loss="+feed.TableMapping)
	}
	return describeMapping(ctx, p)
}

// noteUnit says what becomes of a mapping whose times were read in another unit.
func (p *Plan) noteUnit(have *state.Mapping, unit string) {
	if have == nil || have.TimeUnit == unit {
		return
	}
	was, now := cmp.Or(have.TimeUnit, column.UnitAuto.String()), cmp.Or(unit, column.UnitAuto.String())
	switch {
	case p.standing == have:
		p.Notices = append(p.Notices, fmt.Sprintf("the user mapping of dump %d was read with time_unit %q and stays so: it cannot be read again with %q", have.Dump, was, now))
	case p.standing.Dump == have.Dump:
		p.Notices = append(p.Notices, fmt.Sprintf("the user mapping of dump %d is read again: time_unit is %q, it was %q", have.Dump, now, was))
	}
}

func readMappingOf(ctx context.Context, p *Plan, id int64, en *dump.Entry) (*mappingRead, error) {
	if en.Problem != "" {
		return nil, &BadFileError{Err: errors.New(en.Problem)}
	}
	return p.mappings.ReadMapping(ctx, id, en)
}

// takeMapping has the tables follow a mapping. Its objects are written by apply.
func (p *Plan) takeMapping(read *mappingRead) {
	p.newMapping, p.mapping = read, read.mapping
	p.standing = &state.Mapping{Dump: read.dump, Digest: read.digest, Rules: rules.ContentVersion, Warnings: describeReport(read.report),
		Quarantine: state.Ref{Rows: int64(read.bad)}, Read: read.read, TimeUnit: unitText(read.unit)}
}

func describeMapping(ctx context.Context, p *Plan) error {
	p.Mapping.Taken = p.newMapping != nil
	if p.snap.Mapping != nil {
		p.Mapping.From = &p.snap.Mapping.Dump
	}
	if p.standing != nil {
		p.Mapping.To, p.Mapping.Entries = &p.standing.Dump, int(p.standing.Ref.Rows)
	}
	if p.standing != nil && p.unreadable == nil {
		p.Mapping.Entries = p.mapping.Len()
		p.closure = p.mapping.Closure()
		p.Mapping.Notes = p.standing.Warnings
	}
	if len(p.Mapping.Notes) > 0 && p.ask.Config.OnConflict == "fail" {
		return fmt.Errorf("the user mapping of dump %d: %s; the configuration says identity { on_conflict = \"fail\" }: nothing was applied",
			p.standing.Dump, strings.Join(p.Mapping.Notes, "; "))
	}
	if p.newMapping == nil && !p.Mapping.Withdrawn {
		if p.closure != nil {
			p.closures[p.standing.Ref.Digest] = p.closure
		}
		return nil
	}
	var old *identity.Closure
	if p.snap.Mapping != nil {
		var err error
		old, err = p.closureOf(ctx, p.snap.Mapping.Ref)
		if damagedObject(err) != nil {
			p.Mapping.Notes = append(slices.Clip(p.Mapping.Notes), "how many users it merges or parts is not known, as the mapping before it cannot be read")
			return nil
		}
		if err != nil {
			return err
		}
	}
	for _, raw := range identity.Diff(old, p.closure) {
		if p.closure.Canon(raw) == raw {
			p.Mapping.Parted++
		} else {
			p.Mapping.Merged++
		}
	}
	return nil
}

// describeReport names conflicts and cycles.
func describeReport(r *identity.Report) []string {
	var out []string
	if r.Conflicts > 0 {
		c := r.FirstConflicts[0]
		out = append(out, fmt.Sprintf("%d users have more than one target, as %d: %d and %d (the newest counts)", r.Conflicts, c.From, c.Chosen, c.Other))
	}
	if r.Cycles > 0 {
		c := r.FirstCycles[0]
		out = append(out, fmt.Sprintf("%d cycles of users, as %v (their smallest id counts)", r.Cycles, c.Members))
	}
	return out
}

// planMappingTable plans user_migrations as a table: it follows the mapping.
func planMappingTable(p *Plan, t *TablePlan) {
	if t.repair != "" || len(p.ask.GoesBack(t.old)) > 0 {
		return // the rebuild itself goes by the mapping in force
	}
	if p.standing == nil {
		t.remap = t.old != nil && t.old.HasMapping // it is withdrawn
		return
	}
	if !t.standsAt(p.standing) {
		t.pending = []delivery{mappingDelivery(p)}
		t.Dumps = []plan.DumpStep{{Dump: p.standing.Dump}}
	}
}

// standsAt reports whether user_migrations shows a mapping. One dump can have had
// two: its manifest or its files may have changed. Masks rewrite quarantined rows,
// but not their number.
func (t *TablePlan) standsAt(m *state.Mapping) bool {
	if t.old == nil || m.Ref.IsZero() {
		return false
	}
	bad := int64(0)
	for _, q := range t.old.Quarantine {
		bad += q.Ref.Rows
	}
	return t.old.MappingDump == m.Dump && t.old.Mapping.Digest == m.Ref.Digest && bad == m.Quarantine.Rows
}

// planRemap finds out whether the mapping that the table stands at differs.
func planRemap(ctx context.Context, p *Plan, t *TablePlan) (err error) {
	if t.old == nil || t.kind == feed.KindMapping || t.repair+t.rewrite != "" || len(p.ask.GoesBack(t.old)) > 0 {
		return nil
	}
	if t.oldMapping, err = p.closureOf(ctx, t.old.Mapping); err != nil {
		return err
	}
	if t.oldMapping == p.closure {
		return nil
	}
	t.Rekeyed = len(identity.Diff(t.oldMapping, p.closure))
	t.remap = t.Rekeyed > 0
	return nil
}
