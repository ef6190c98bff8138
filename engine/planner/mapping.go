package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/identity"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planMapping finds the mapping that counts: that of the state unless a newer dump,
// or a corrected one, has another that no guard holds.
func planMapping(ctx context.Context, p *Session) error {
	if p.Snap.Mapping != nil {
		from := p.Snap.Mapping.Dump
		p.Mapping.From = &from
	}
	have, lost, err := mappingToKeep(ctx, p)
	if err != nil {
		return err
	}
	j, err := judgeMappings(ctx, p, have)
	if bad := DamagedObject(err); bad != nil {
		p.Standing, p.unreadable = have, &unreadable{mapping: have, bad: bad, way: wayToMapping(p, have.Dump)}
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
		p.StandingMapping, p.Standing = j.counts.mapping, p.Snap.Mapping
		if j.counts.read != nil {
			p.TakeMapping(j.counts.read)
		}
	}
	p.noteUnit(have, rules.UnitText(p.Ask.Config.Source.TimeUnit))
	if lost != nil {
		if err := replaceMapping(p, lost); err != nil {
			return err
		}
	}
	p.Mapping.Withdrawn = p.Standing == nil && p.Snap.Mapping != nil
	if p.Mapping.Gone = goneMappings(p); len(p.Mapping.Gone) > 0 {
		p.Notices = append(p.Notices, GoneMappingsText(&p.Mapping)+"; apply needs -accept-loss="+feed.TableMapping)
	}
	return describeMapping(ctx, p)
}

// noteUnit says what becomes of a mapping whose times were read in another unit.
func (p *Session) noteUnit(have *state.Mapping, unit string) {
	if have == nil || have.TimeUnit == unit {
		return
	}
	was, now := cmp.Or(have.TimeUnit, column.UnitAuto.String()), cmp.Or(unit, column.UnitAuto.String())
	switch {
	case p.Standing == have:
		p.Notices = append(p.Notices, fmt.Sprintf("the user mapping of dump %d was read with time_unit %q and stays so: it cannot be read again with %q", have.Dump, was, now))
	case p.Standing.Dump == have.Dump:
		p.Notices = append(p.Notices, fmt.Sprintf("the user mapping of dump %d is read again: time_unit is %q, it was %q", have.Dump, now, was))
	}
}

// TakeMapping has the tables follow a mapping. Its objects are written by apply.
func (p *Session) TakeMapping(read *MappingRead) {
	p.NewMapping, p.StandingMapping = read, read.Mapping
	p.Standing = &state.Mapping{Dump: read.Dump, Digest: read.Digest, Rules: rules.ContentVersion, Warnings: describeReport(read.Report),
		Quarantine: state.Ref{Rows: read.Bad.Len()}, Read: read.Read, TimeUnit: rules.UnitText(read.Unit)}
}

func describeMapping(ctx context.Context, p *Session) error {
	p.Mapping.Taken = p.NewMapping != nil
	if p.Standing != nil {
		to := p.Standing.Dump
		p.Mapping.To, p.Mapping.Entries = &to, int(p.Standing.Ref.Rows)
	}
	if p.Standing != nil && p.unreadable == nil {
		p.Mapping.Entries = p.StandingMapping.Len()
		p.Closure = p.StandingMapping.Closure(p.Budget.Workers())
		p.Mapping.Notes = slices.Clone(p.Standing.Warnings)
	}
	if len(p.Mapping.Notes) > 0 && p.Ask.Config.OnConflict == "fail" {
		return fmt.Errorf("the user mapping of dump %d: %s; the configuration says identity { on_conflict = \"fail\" }: nothing was applied",
			p.Standing.Dump, strings.Join(p.Mapping.Notes, "; "))
	}
	if p.NewMapping == nil && !p.Mapping.Withdrawn {
		if p.Closure != nil {
			p.Closures[p.Standing.Ref.Digest] = p.Closure
		}
		return nil
	}
	var old *identity.Closure
	if p.Snap.Mapping != nil {
		var err error
		old, err = p.ClosureOf(ctx, p.Snap.Mapping.Ref)
		if DamagedObject(err) != nil {
			p.Mapping.Notes = append(p.Mapping.Notes, "how many users it merges or parts is not known, as the mapping before it cannot be read")
			return nil
		}
		if err != nil {
			return err
		}
	}
	for _, raw := range identity.Diff(old, p.Closure) {
		if p.Closure.Canon(raw) == raw {
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
		out = append(out, fmt.Sprintf("%s %s more than one target, as %d: %d and %d (the newest counts)",
			amount.Of(r.Conflicts, "user"), amount.Verb(r.Conflicts, "has", "have"), c.From, c.Chosen, c.Other))
	}
	if r.Cycles > 0 {
		c := r.FirstCycles[0]
		out = append(out, fmt.Sprintf("%s of users, as %s (their smallest id counts)", amount.Of(r.Cycles, "cycle"), strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Members), " ", ", "), "[]")))
	}
	return out
}
