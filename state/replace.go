package state

import (
	"context"
	"fmt"
)

// serialGap is how far serials go on above all that are known where the history of the
// state cannot tell which ones were used.
const serialGap = 1000

// Replace commits, in one transaction, what fn puts in the place of all that the state
// holds. It works where there is no state, and, with a lock of LockOver, where what
// stands there is damaged. The state gets the lineage; one that has another is refused
// with *LineageError.
//
// The serial exceeds above, that of Exceed, and all that were used: where the state
// reads, it is the next one, else it goes on 1,000 above all that are known. Errors are
// those of Update.
func (l *Lock) Replace(ctx context.Context, lineage string, above uint64, fn func(*Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	base, err := l.Session.Over(ctx, lineage)
	if err != nil {
		return err
	}
	serial, before := max(base.Serial, l.above, above), uint64(0)
	if base.Whole {
		serial, before = serial+1, base.Serial
	} else {
		serial += serialGap
	}
	tx := newTx(serial, Head{Serial: before, Lineage: lineage, Generation: base.Generation})
	tx.changes.Replaces = true
	if err := fn(tx); err != nil {
		return err
	}
	return l.commit(ctx, tx)
}

// LineageError says that a state is not the one that something belongs to.
type LineageError struct {
	Place   string // of the state
	Lineage string // that stands there
	What    string // what belongs to another one
	Want    string // its lineage
}

func (e *LineageError) Error() string {
	return fmt.Sprintf("%s is of lineage %s, but the state that stands at %s is of lineage %s: move that one aside, with all that lies beside it, and run again; nothing was changed",
		e.What, e.Want, e.Place, e.Lineage)
}
