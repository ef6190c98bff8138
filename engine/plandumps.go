package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
)

// planDumps finds the dumps that the table takes now, and where it is held.
func planDumps(ctx context.Context, p *Plan, t *TablePlan) error {
	applied, err := appliedDumps(ctx, p, t)
	if err != nil {
		return err
	}
	dumps := keptDumps(p, t)
	t.resync = rules.Live(dumps)
	bad := map[int64]plan.Hold{}
	sizes := map[int64]int64{}
	var fresh []delivery
	for i, d := range t.all {
		if !applied[i] && d.entry.Problem == "" {
			fresh = append(fresh, d)
		}
	}
	if err := lookAt(ctx, p, fresh); err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	for i := range t.all {
		d := &t.all[i]
		if applied[i] {
			dumps = append(dumps, rules.Dump{ID: d.dump, Full: !d.entry.Incremental, Held: d.entry.Problem != ""})
			continue
		}
		h, size, err := checkDelivery(ctx, p, t, d)
		if err != nil {
			return err
		}
		sizes[d.dump] = size
		if h != nil {
			bad[d.dump] = *h
		}
		dumps = append(dumps, rules.Dump{ID: d.dump, Full: !d.entry.Incremental, Held: h != nil})
	}
	t.bad = bad
	resync := rules.Live(dumps)
	if err := compareRead(ctx, p, t, resync, sizes); err != nil {
		return err
	}
	t.takeDumps(p, applied, sizes, resync)
	return nil
}

// keptDumps lists the dumps that the table has.
func keptDumps(p *Plan, t *TablePlan) []rules.Dump {
	if t.old == nil {
		return nil
	}
	out := make([]rules.Dump, len(t.old.Applied), len(t.old.Applied)+len(t.all))
	for i, a := range t.old.Applied {
		out[i] = rules.Dump{ID: a.Dump, Full: !a.Incremental, Withdrawn: p.ask.Withdrawn(p.listing, a.Dump, t.Name), Lost: a.Lost}
	}
	return out
}

// appliedDumps tells of each of all deliveries whether the table has its dump. One
// that was lost, or that published rows stand in for, it has no longer once the source has it
// again: it then comes as a late one.
func appliedDumps(ctx context.Context, p *Plan, t *TablePlan) ([]bool, error) {
	applied := make([]bool, len(t.all))
	if t.old == nil {
		return applied, nil
	}
	find := t.finder()
	for _, a := range t.old.Applied {
		i := find(a.Dump)
		if i < 0 {
			continue
		}
		applied[i] = true
		if !a.Lost && !a.StoodIn {
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &t.all[i])
		if err != nil {
			return nil, err
		}
		applied[i] = h != nil
	}
	return applied, nil
}

// takeDumps lists the pending dumps below the first bad one that no good
// resync makes void.
func (t *TablePlan) takeDumps(p *Plan, applied []bool, sizes map[int64]int64, resync int64) {
	t.floor = resync
	held := false
	for i, d := range t.all {
		if h, ok := t.bad[d.dump]; ok && (applied[i] || d.dump > resync) {
			p.Holds = append(p.Holds, h)
			held = true
		}
		if held {
			break
		}
		if applied[i] && !d.again {
			continue
		}
		t.pending = append(t.pending, d)
		step := plan.DumpStep{Dump: d.dump, Resync: !d.entry.Incremental && !d.again, Void: d.dump < resync, Again: d.again}
		if !step.Void {
			step.Files, step.Bytes = len(d.entry.Files), sizes[d.dump]
		}
		t.Dumps = append(t.Dumps, step)
	}
}

// cut takes the dumps from one on out of the pending ones. If a resync is among
// them, a bad dump that it would have made void holds the table, too: that hold is
// returned.
func (t *TablePlan) cut(from int64) *plan.Hold {
	t.pending = slices.DeleteFunc(t.pending, func(d delivery) bool { return d.dump >= from })
	dumps := []rules.Dump{{ID: t.resync, Full: true}} // or AllLive
	for _, d := range t.pending {
		dumps = append(dumps, rules.Dump{ID: d.dump, Full: !d.entry.Incremental, Held: t.bad[d.dump].Table != ""})
	}
	t.floor = rules.Live(dumps)
	for _, d := range t.pending {
		if h, ok := t.bad[d.dump]; ok && d.dump > t.floor {
			t.pending = slices.DeleteFunc(t.pending, func(x delivery) bool { return x.dump >= d.dump })
			return &h
		}
	}
	return nil
}

// checkDelivery returns why a delivery holds its table, if it does, and the
// bytes of its files.
func checkDelivery(ctx context.Context, p *Plan, t *TablePlan, d *delivery) (*plan.Hold, int64, error) {
	if t.cfg.OnSchemaChange == definition.Freeze && d.entry.Problem == "" {
		if h, err := checkFrozen(ctx, p, t, *d); h != nil || err != nil {
			return h, 0, err
		}
	}
	return checkFiles(ctx, p, t, d)
}

// checkFiles is checkDelivery without what is only asked of dumps that are not
// yet applied.
func checkFiles(ctx context.Context, p *Plan, t *TablePlan, d *delivery) (*plan.Hold, int64, error) {
	hold := func(file, reason string) *plan.Hold {
		return &plan.Hold{Table: t.Name, Dump: d.dump, File: file, Reason: reason}
	}
	if d.entry.Problem != "" {
		return hold("", d.entry.Problem), 0, nil
	}
	if err := lookAt(ctx, p, []delivery{*d}); err != nil {
		return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.dump, err)
	}
	size := int64(0)
	d.pins = make(map[string]string, len(d.entry.Files))
	for _, f := range d.entry.Files {
		obj, err := p.seen.files[f.Key].obj, p.seen.files[f.Key].err
		if errors.Is(err, fs.ErrNotExist) {
			return hold(f.Key, "the manifest lists this file, but it is not there"), 0, nil
		}
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if dump.Unavailable(err) {
			return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.dump, err)
		}
		if err != nil {
			return hold(f.Key, err.Error()), 0, nil
		}
		for _, h := range p.snap.Holds {
			if h.Table == t.Name && h.Dump == d.dump && h.File == f.Key && t.stillBad(h.Pin, obj.Pin) {
				return hold(f.Key, h.Reason), 0, nil
			}
		}
		size += obj.Size
		d.pins[f.Key] = obj.Pin
	}
	return nil, size, nil
}

// checkFrozen returns the hold of a table that takes only certain columns, if a
// delivery brings others: by its manifest or, without columns there, in its files.
func checkFrozen(ctx context.Context, p *Plan, t *TablePlan, d delivery) (*plan.Hold, error) {
	frozen := func(file string, columns []string) *plan.Hold {
		i := slices.IndexFunc(columns, func(c string) bool { return !t.cfg.Takes(c) })
		if i < 0 {
			return nil
		}
		return &plan.Hold{Table: t.Name, Dump: d.dump, File: file,
			Reason: partfile.FrozenReason(columns[i])}
	}
	if d.entry.HasColumns {
		return frozen("", d.entry.Columns), nil
	}
	for _, f := range d.entry.Files {
		h, err := partfile.Header(ctx, p.source, f.Key)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case dump.Unavailable(err):
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.dump, err)
		case err != nil:
			return &plan.Hold{Table: t.Name, Dump: d.dump, File: f.Key, Reason: err.Error()}, nil
		}
		if h := frozen(f.Key, partfile.FieldNames(h)); h != nil {
			return h, nil
		}
	}
	return nil, nil
}
