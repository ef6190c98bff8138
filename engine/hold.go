package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
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
func (e *Engine) hold(ctx context.Context, l *state.Lock, p *Plan, t *TablePlan, bad *exec.Held, res *Result) error {
	h := holdOf(t.Name, bad)
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

// holdOf is the hold of a table by a file.
func holdOf(table string, bad *exec.Held) plan.Hold {
	return plan.Hold{Table: table, Dump: bad.Dump, File: bad.File, Reason: bad.Reason}
}

func (e *Engine) rememberHold(ctx context.Context, l *state.Lock, h plan.Hold, bad *exec.Held) error {
	if !bad.Lasting {
		return nil
	}
	pin := ""
	if obj, err := e.source.Stat(ctx, h.File); err == nil {
		pin = obj.Pin
	}
	record := state.Hold{Table: h.Table, Dump: h.Dump, File: h.File, Pin: holdPin(pin, bad.Cause), Reason: h.Reason}
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

// heldBy says which file holds a table, and whether that lasts.
func heldBy(bad *fileError) *exec.Held {
	h := &exec.Held{Dump: bad.file.dump, File: bad.file.key, Pin: bad.file.pin, Reason: bad.err.Error(), Lasting: lasting(bad)}
	var cast *castError
	var key *keyError
	if errors.As(bad, &key) {
		h.Cause.Key = key.key
	} else if errors.As(bad, &cast) {
		h.Cause.Column, h.Cause.Rule = cast.column, ruleText(cast.rule)
	}
	return h
}

// lasting reports whether a file is bad by its content.
func lasting(err error) bool {
	var damage *avro.DamageError
	var cast *castError
	var key *keyError
	return errors.As(err, &damage) || errors.As(err, &cast) || errors.As(err, &key)
}
