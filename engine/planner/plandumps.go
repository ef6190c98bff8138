package planner

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
func planDumps(ctx context.Context, p *Session, t *Table) error {
	applied, err := appliedDumps(ctx, p, t)
	if err != nil {
		return err
	}
	dumps := keptDumps(p, t)
	t.resync = rules.Live(dumps)
	bad := map[int64]plan.Hold{}
	sizes := map[int64]int64{}
	var fresh []Delivery
	for i, d := range t.All {
		if !applied[i] && d.Entry.Problem == "" {
			fresh = append(fresh, d)
		}
	}
	if err := lookAt(ctx, p, fresh); err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	for i := range t.All {
		d := &t.All[i]
		if applied[i] {
			dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental, Held: d.Entry.Problem != ""})
			continue
		}
		h, size, err := checkDelivery(ctx, p, t, d)
		if err != nil {
			return err
		}
		sizes[d.Dump] = size
		if h != nil {
			bad[d.Dump] = *h
		}
		dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental, Held: h != nil})
	}
	t.Bad = bad
	resync := rules.Live(dumps)
	if err := compareRead(ctx, p, t, resync, sizes); err != nil {
		return err
	}
	t.takeDumps(p, applied, sizes, resync)
	return nil
}

// keptDumps lists the dumps that the table has.
func keptDumps(p *Session, t *Table) []rules.Dump {
	if t.Old == nil {
		return nil
	}
	out := make([]rules.Dump, len(t.Old.Applied), len(t.Old.Applied)+len(t.All))
	for i, a := range t.Old.Applied {
		out[i] = rules.Dump{ID: a.Dump, Full: !a.Incremental, Withdrawn: p.Ask.Withdrawn(p.Listing, a.Dump, t.Name), Lost: a.Lost}
	}
	return out
}

// appliedDumps tells of each of all deliveries whether the table has its dump. One
// that was lost, or that published rows stand in for, it has no longer once the source has it
// again: it then comes as a late one.
func appliedDumps(ctx context.Context, p *Session, t *Table) ([]bool, error) {
	applied := make([]bool, len(t.All))
	if t.Old == nil {
		return applied, nil
	}
	find := t.finder()
	for _, a := range t.Old.Applied {
		i := find(a.Dump)
		if i < 0 {
			continue
		}
		applied[i] = true
		if !a.Lost && !a.StoodIn {
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &t.All[i])
		if err != nil {
			return nil, err
		}
		applied[i] = h != nil
	}
	return applied, nil
}

// takeDumps lists the pending dumps below the first bad one that no good
// resync makes void.
func (t *Table) takeDumps(p *Session, applied []bool, sizes map[int64]int64, resync int64) {
	t.Floor = resync
	held := false
	for i, d := range t.All {
		if h, ok := t.Bad[d.Dump]; ok && (applied[i] || d.Dump > resync) {
			p.Holds = append(p.Holds, h)
			held = true
		}
		if held {
			break
		}
		if applied[i] && !d.Again {
			continue
		}
		t.Pending = append(t.Pending, d)
		step := plan.DumpStep{Dump: d.Dump, Resync: !d.Entry.Incremental && !d.Again, Void: d.Dump < resync, Again: d.Again}
		if !step.Void {
			step.Files, step.Bytes = len(d.Entry.Files), sizes[d.Dump]
		}
		t.Dumps = append(t.Dumps, step)
	}
}

// Cut takes the dumps from one on out of the pending ones. If a resync is among
// them, a bad dump that it would have made void holds the table, too: that hold is
// returned.
func (t *Table) Cut(from int64) *plan.Hold {
	t.Pending = slices.DeleteFunc(t.Pending, func(d Delivery) bool { return d.Dump >= from })
	dumps := []rules.Dump{{ID: t.resync, Full: true}} // or AllLive
	for _, d := range t.Pending {
		dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental, Held: t.Bad[d.Dump].Table != ""})
	}
	t.Floor = rules.Live(dumps)
	for _, d := range t.Pending {
		if h, ok := t.Bad[d.Dump]; ok && d.Dump > t.Floor {
			t.Pending = slices.DeleteFunc(t.Pending, func(x Delivery) bool { return x.Dump >= d.Dump })
			return &h
		}
	}
	return nil
}

// checkDelivery returns why a delivery holds its table, if it does, and the
// bytes of its files.
func checkDelivery(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, int64, error) {
	if t.Definition.OnSchemaChange == definition.Freeze && d.Entry.Problem == "" {
		if h, err := checkFrozen(ctx, p, t, *d); h != nil || err != nil {
			return h, 0, err
		}
	}
	return checkFiles(ctx, p, t, d)
}

// checkFiles is checkDelivery without what is only asked of dumps that are not
// yet applied.
func checkFiles(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, int64, error) {
	hold := func(file, reason string) *plan.Hold {
		return &plan.Hold{Table: t.Name, Dump: d.Dump, File: file, Reason: reason}
	}
	if d.Entry.Problem != "" {
		return hold("", d.Entry.Problem), 0, nil
	}
	if err := lookAt(ctx, p, []Delivery{*d}); err != nil {
		return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
	}
	size := int64(0)
	d.Pins = make(map[string]string, len(d.Entry.Files))
	for _, f := range d.Entry.Files {
		obj, err := p.Seen.Files[f.Key].Obj, p.Seen.Files[f.Key].err
		if errors.Is(err, fs.ErrNotExist) {
			return hold(f.Key, "the manifest lists this file, but it is not there"), 0, nil
		}
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if dump.Unavailable(err) {
			return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		}
		if err != nil {
			return hold(f.Key, err.Error()), 0, nil
		}
		for _, h := range p.Snap.Holds {
			if h.Table == t.Name && h.Dump == d.Dump && h.File == f.Key && t.stillBad(h.Pin, obj.Pin) {
				return hold(f.Key, h.Reason), 0, nil
			}
		}
		size += obj.Size
		d.Pins[f.Key] = obj.Pin
	}
	return nil, size, nil
}

// checkFrozen returns the hold of a table that takes only certain columns, if a
// delivery brings others: by its manifest or, without columns there, in its files.
func checkFrozen(ctx context.Context, p *Session, t *Table, d Delivery) (*plan.Hold, error) {
	frozen := func(file string, columns []string) *plan.Hold {
		i := slices.IndexFunc(columns, func(c string) bool { return !t.Definition.Takes(c) })
		if i < 0 {
			return nil
		}
		return &plan.Hold{Table: t.Name, Dump: d.Dump, File: file,
			Reason: partfile.FrozenReason(columns[i])}
	}
	if d.Entry.HasColumns {
		return frozen("", d.Entry.Columns), nil
	}
	for _, f := range d.Entry.Files {
		h, err := partfile.Header(ctx, p.Source, f.Key)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case dump.Unavailable(err):
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		case err != nil:
			return &plan.Hold{Table: t.Name, Dump: d.Dump, File: f.Key, Reason: err.Error()}, nil
		}
		if h := frozen(f.Key, partfile.FieldNames(h)); h != nil {
			return h, nil
		}
	}
	return nil, nil
}
