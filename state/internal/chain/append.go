package chain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// Outcome is what became of a record.
type Outcome int

const (
	// Unknown: the record may stand in the log, or come to. Nothing that it names
	// may be removed and the lease must not be released.
	Unknown Outcome = iota
	// Done: the record is part of the chain.
	Done
	// Refused: the record is not part of the chain and never will be.
	Refused
)

func (o Outcome) String() string { return [...]string{"unknown", "done", "refused"}[o] }

const (
	// lastLook is how long finding out may take after the context ended.
	lastLook = 15 * time.Second
	// hopeless is after how many errors in a row that do not go away by themselves
	// an open outcome is left open.
	hopeless = 10
)

// errEnded reports a record that was not sent.
var errEnded = errors.New("the lease ended before the record was sent")

// Append commits a record behind the one that Prev names, with one request if all
// goes well. valid reports whether the lease is held at this moment; nil means that
// it always is. If the record with its payload is too large, the payload becomes an
// object first, and r.Spilled names it.
//
// A refusal or a lost answer decides nothing: Append reads the slot and sends the
// same bytes again until the record that stands there is r or another one, which is
// then returned if it could be read. It gives up, with Unknown and what it saw last,
// when ctx or the lease ends. What is answered after the lease ended is judged by
// the chain from the newest checkpoint on. Refused comes with an error when nothing
// was sent or the store refused it for good (blob.ErrUnsupported if it keeps no
// conditions). r must not be changed while Append is at work.
func (c *Chain) Append(ctx context.Context, r *Record, valid func() bool) (Outcome, *Record, error) {
	if valid == nil {
		valid = func() bool { return true }
	}
	if r.Nonce == "" {
		r.Nonce = rand.Text()
	}
	data, err := c.encoded(ctx, r)
	if err == nil && !valid() {
		err = errEnded
	}
	if err != nil {
		return Refused, nil, fmt.Errorf("append record %d: %w", r.Serial, err)
	}
	a := &appending{c: c, r: r, data: data, valid: valid}
	out, other, err := a.run(ctx)
	if err != nil {
		err = fmt.Errorf("append record %d: %w", r.Serial, err)
	}
	return out, other, err
}

// encoded returns the bytes of a record, which are few enough.
func (c *Chain) encoded(ctx context.Context, r *Record) ([]byte, error) {
	if r.Serial == 0 {
		return nil, errors.New("it has no serial")
	}
	data, err := encode(r)
	if err != nil || len(data) <= maxRecord {
		return data, err
	}
	if err := c.spill(ctx, r); err != nil {
		return nil, err
	}
	if data, err = encode(r); err == nil && len(data) > maxRecord {
		err = fmt.Errorf("it has %s without its payload, at most %s are written", amount.Of(len(data), "byte"), amount.Number(maxRecord))
	}
	return data, err
}

// appending is the work on one record.
type appending struct {
	c     *Chain
	r     *Record
	data  []byte
	valid func() bool
	// open says that a request may be under way of which nothing is known.
	open bool
}

func (a *appending) run(ctx context.Context) (Outcome, *Record, error) {
	failed := 0
	for n := 1; ; n++ {
		err := a.send(ctx)
		switch {
		case err == nil && a.valid():
			return Done, nil, nil
		case err == nil:
			return a.judge(ctx, nil)
		case !a.open && !errors.Is(err, blob.ErrConflict):
			return Refused, nil, err
		}
		out, other, decided, lerr := a.checkSlot(ctx)
		if decided {
			return out, other, lerr
		}
		err = errors.Join(err, lerr)
		if failed++; blob.Transient(err) || errors.Is(err, blob.ErrConflict) {
			failed = 0
		}
		if ctx.Err() != nil || !a.valid() || failed == hopeless {
			return a.judge(ctx, err)
		}
		a.c.wait(ctx, n)
	}
}

// send sends the record once. It notes when what became of that is open.
func (a *appending) send(ctx context.Context) error {
	w, err := a.c.place.store.Create(ctx, logKey(a.r.Serial), blob.Absent())
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(a.data); err != nil {
		return err // nothing is sent before Commit: a record is less than a part
	}
	if err := failpoint.Hit(ctx, failpoint.RecordBefore); err != nil {
		return err
	}
	if _, err = w.Commit(); err == nil {
		err = failpoint.Hit(ctx, failpoint.RecordAfter)
	}
	if err != nil && !blob.Undone(err) {
		a.open = true
	}
	return err
}

// checkSlot decides by the record that stands in the slot.
func (a *appending) checkSlot(ctx context.Context) (out Outcome, other *Record, decided bool, err error) {
	there, _, err := a.c.place.record(ctx, a.r.Serial)
	var newer *NewerError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Unknown, nil, false, nil
	case isDamage(err) || errors.As(err, &newer):
		out, other, err = a.judge(ctx, err)
		return out, other, true, err
	case err != nil:
		return Unknown, nil, false, err
	case a.valid() && there.digest == a.r.digest:
		return Done, nil, true, nil
	case a.valid() && there.Prev == a.r.Prev:
		return Refused, there, true, nil
	}
	out, other, err = a.judge(ctx, nil)
	return out, other, true, err
}

// judge decides by the chain from the newest checkpoint on, also when ctx has
// ended. why is what is wrong if that decides nothing.
func (a *appending) judge(ctx context.Context, why error) (Outcome, *Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	for n := 1; ; n++ {
		out, other, err := a.c.onChain(ctx, a.r)
		switch {
		case out != Unknown:
			return out, other, nil
		case !errors.Is(err, ErrBeginAgain) || n == beginnings || ctx.Err() != nil:
			return Unknown, nil, errors.Join(errUnknown, why, err)
		}
	}
}

// errUnknown is what a caller prints.
var errUnknown = errors.New("what became of it is unknown; run again, which finds out")

// onChain reports whether a record is part of the chain (Done), another one is in
// its place (Refused), or the chain does not say.
func (c *Chain) onChain(ctx context.Context, r *Record) (Outcome, *Record, error) {
	list, err := c.listCheckpoints(ctx)
	if err != nil {
		return Unknown, nil, err
	}
	var from Position
	if len(list) > 0 {
		from = list[0].Position
	}
	switch {
	case from.Serial > r.Serial:
		return Unknown, nil, fmt.Errorf("checkpoint %d stands above it", from.Serial)
	case from.Serial == r.Serial && from.Digest == r.digest:
		return Done, nil, nil
	case from.Serial == r.Serial:
		return Refused, nil, nil
	}
	v, err := c.Follow(ctx, from)
	if err != nil {
		return Unknown, nil, err
	}
	for _, there := range v.Records {
		switch {
		case there.Serial != r.Serial:
		case there.digest == r.digest:
			return Done, nil, nil
		default:
			return Refused, there, nil
		}
	}
	return Unknown, nil, nil
}

// wait waits before the attempt after n failed ones, unless the context ends.
func (c *Chain) wait(ctx context.Context, n int) {
	const longest = 5 * time.Second
	d := longest
	if n < 10 {
		d = min(d, c.o.Retry.Wait<<(n-1))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
