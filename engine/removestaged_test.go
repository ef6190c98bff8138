package engine

import (
	"context"
	"errors"
	"testing"

	"reconcile/state"
)

// unsure is the right to write a state of which the first commit is carried out late, and
// nobody is told.
type unsure struct {
	state.Session
	first *state.Tx
}

func (u *unsure) Commit(ctx context.Context, tx *state.Tx) (state.Outcome, error) {
	if u.first != nil {
		return u.Session.Commit(ctx, tx)
	}
	u.first = tx
	return state.Unknown, errors.New("no answer")
}

// While it is unknown whether a commit counts, what was staged for it stays, also when
// what was computed ahead for other tables is given up. The next apply finds out.
func TestUnknownCommitKeepsItsFiles(t *testing.T) {
	a := newBed(t, lakeTables)
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10))), full("f", avroPart("event_id user_id", row(7, 10)))))
	e := a.engine()
	l, err := e.Lock(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	u := &unsure{Session: l.Session}
	l.Session = u
	p, err := e.PlanLocked(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(t.Context(), l, p); !errors.Is(err, state.ErrUnknownOutcome) {
		t.Fatalf("the apply ended with %v", err)
	}
	if _, err := u.Session.Commit(t.Context(), u.first); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), l.Unlock()); err != nil {
		t.Fatal(err)
	}
	a.forgetDump("1") // what was staged has to do
	a.held(a.run())
	a.want("e", "event_id", "1")
}
