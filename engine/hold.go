package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/state"
)

// holding returns the file for which an error holds a table, nil if there is
// none. A source that is unavailable holds nothing: it stops the run.
func holding(err error) *fileError {
	var bad *fileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// hold takes the dumps from a file on out of the plan. That the file is bad is
// remembered with its pin, so that it is not read again until it, or what makes
// it bad, changes; a file that could not be read at all is tried again next time.
func (e *Engine) hold(ctx context.Context, l *state.Lock, p *Plan, t *TablePlan, bad *fileError, res *Result) error {
	h := plan.Hold{Table: t.Name, Dump: bad.file.dump, File: bad.file.key, Reason: bad.err.Error()}
	res.Holds = append(res.Holds, h)
	from, floor := h.Dump, t.floor
	if before := t.cut(from); before != nil {
		res.Holds = append(res.Holds, *before)
		from = before.Dump
	}
	if err := e.rememberHold(ctx, l, h, bad); err != nil {
		return err
	}
	return e.lookBack(ctx, l, p, t, from, floor, res)
}

func (e *Engine) rememberHold(ctx context.Context, l *state.Lock, h plan.Hold, bad *fileError) error {
	if !lasting(bad) {
		return nil
	}
	pin := ""
	if obj, err := e.source.Stat(ctx, h.File); err == nil {
		pin = obj.Pin
	}
	record := state.Hold{Table: h.Table, Dump: h.Dump, File: h.File, Pin: holdPin(pin, bad), Reason: h.Reason}
	return l.Update(ctx, func(tx *state.Tx) error { return tx.PutHold(record) })
}

// forgetHolds drops what is remembered of files that nobody delivers any more,
// that are left out now, or that only a rebuild needed that is not planned any more.
func (e *Engine) forgetHolds(ctx context.Context, l *state.Lock, p *Plan) error {
	gone := slices.DeleteFunc(slices.Clone(p.snap.Holds), func(h state.Hold) bool {
		if h.Object != "" {
			return e.stillDamaged(p, h)
		}
		d := p.listing.Dump(h.Dump)
		return d != nil && d.Entry(h.Table) != nil && !e.leftOut(h.Dump, h.Table) && p.needsHold(h)
	})
	if len(gone) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, h := range gone {
			errs = append(errs, tx.DeleteHold(h))
		}
		return errors.Join(errs...)
	})
}

// lasting reports whether a file is bad by its content.
func lasting(err error) bool {
	var damage *avro.DamageError
	var cast *castError
	var key *keyError
	return errors.As(err, &damage) || errors.As(err, &cast) || errors.As(err, &key)
}
