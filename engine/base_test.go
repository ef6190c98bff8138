package engine

import (
	"errors"
	"os"
	"testing"

	"reconcile/engine/commit"
	"reconcile/state"
)

// What was computed from a table that the state does not have any more is not committed.
func TestMovedBaseIsRefused(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
	before, err := os.ReadFile(a.currentFile())
	if err != nil {
		t.Fatal(err)
	}
	e := a.engine()
	l, err := e.Lock(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	p, err := e.PlanLocked(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	moved := *p.Snap.Tables["e"]
	moved.Rows++
	if err := l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutTable(&moved) }); err != nil {
		t.Fatal(err)
	}
	_, err = e.Apply(t.Context(), l, p)
	var base *commit.BaseError
	if !errors.As(err, &base) || base.Table != "e" {
		t.Errorf("got %v", err)
	}
	after, err := os.ReadFile(a.currentFile())
	if err != nil || string(after) != string(before) {
		t.Errorf("%v: it says %s, it said %s", err, after, before)
	}
}
