package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"reconcile/internal/blob"
)

// beginnings is how often a reader begins again before it gives up.
const beginnings = 10

// View is what a reader found from where it began up to the head.
type View struct {
	Records     []*Record    // in order
	Head        Position     // of the last one, or where it began
	Checkpoints []Checkpoint // newest first, as listed at the end
}

// Follow reads the log from a position to the head: one request for each record and
// two more, and a third where neither a record was read nor a checkpoint stands at
// the head. Where there is much to read it lists the log once more, and reads several
// records at a time.
//
// It fails with ErrBeginAgain when the position is not part of the chain or the
// chain moved on too far, and with *DamagedError when what follows the position is
// not a chain. Only what is found from the newest checkpoint on, and twice, is
// damage: Load sees to that.
func (c *Chain) Follow(ctx context.Context, from Position) (*View, error) {
	return c.follow(ctx, from, &entries{c: c})
}

func (c *Chain) follow(ctx context.Context, from Position, log *entries) (*View, error) {
	v := &View{Head: from}
	for stuck := 0; ; {
		r, err := log.next(ctx, v.Head.Serial+1)
		if err == nil {
			err = c.links(v.Head, r)
		}
		switch {
		case err == nil:
			v.Records, v.Head, stuck = append(v.Records, r), r.Position(), 0
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return nil, c.unlessMoved(ctx, v.Head.Serial, err)
		}
		ok, err := c.believe(ctx, from, v)
		switch {
		case err != nil:
			return nil, err
		case ok:
			return v, nil
		case stuck == beginnings:
			return nil, c.place.damaged(logKey(v.Head.Serial+1), "it is listed and cannot be found")
		}
		stuck++
	}
}

// links checks that a record follows a position.
func (c *Chain) links(p Position, r *Record) error {
	switch {
	case r.Prev != p.Digest:
		return c.place.damaged(logKey(r.Serial), fmt.Sprintf("it does not follow record %d of this state", p.Serial))
	case r.Stub:
		return c.place.damaged(logKey(r.Serial), "its content was taken, and no checkpoint has it")
	}
	return nil
}

// unlessMoved returns err, or ErrBeginAgain if a checkpoint stands above a serial:
// then it is about a slot that was emptied, or is a stray.
func (c *Chain) unlessMoved(ctx context.Context, serial uint64, err error) error {
	var newer *NewerError
	if !isDamage(err) && !errors.As(err, &newer) {
		return err
	}
	list, lerr := c.listCheckpoints(ctx)
	switch {
	case lerr != nil:
		return lerr
	case len(list) > 0 && list[0].Serial > serial:
		return fmt.Errorf("record %d: %w", serial+1, ErrBeginAgain)
	}
	return err
}

// believe reports whether the head of v is that of the chain, after nothing was
// found behind it. If not, there is more to read. The one listing has the checkpoints,
// as it must, and also the log, so that a record that is lost is told from the end.
func (c *Chain) believe(ctx context.Context, from Position, v *View) (bool, error) {
	list, serials, err := c.place.survey(ctx)
	if err != nil {
		return false, err
	}
	v.Checkpoints = list
	vouched := len(v.Records) > 0 || from.Serial == 0
	for _, k := range list {
		switch at, known := v.at(from, k.Serial); {
		case k.Serial > v.Head.Serial:
			return false, fmt.Errorf("record %d: %w", v.Head.Serial+1, ErrBeginAgain)
		case known && at != k.Position:
			return false, c.place.damaged(k.Key, "the log has another record there")
		case k.Serial == v.Head.Serial:
			vouched = true
		}
	}
	for _, n := range serials {
		switch {
		case n == v.Head.Serial+1:
			return false, nil
		case n > v.Head.Serial:
			return false, c.gap(ctx, v.Head.Serial, n)
		}
	}
	if !vouched {
		// What a cache says of another chain must not be taken for the head of this.
		_, err = c.at(ctx, from)
	}
	return err == nil, err
}

// gap says what it means that a listing shows record later and not the one behind serial.
// A folder is not listed at one moment: nil if that record is there all the same, and
// ErrBeginAgain if it was collected meanwhile.
func (c *Chain) gap(ctx context.Context, serial, later uint64) error {
	_, _, err := c.place.record(ctx, serial+1)
	if errors.Is(err, fs.ErrNotExist) {
		err = c.place.damaged(logKey(serial+1), fmt.Sprintf("it is missing, and there is record %d", later))
	}
	if err == nil {
		return nil
	}
	return c.unlessMoved(ctx, serial, err)
}

// at is the position with a serial as v has it.
func (v *View) at(from Position, serial uint64) (Position, bool) {
	switch {
	case serial == from.Serial:
		return from, true
	case serial > from.Serial && serial-from.Serial <= uint64(len(v.Records)):
		return v.Records[serial-from.Serial-1].Position(), true
	}
	return Position{}, false
}

// at reads the record at a position, which is there at the head of a chain. It fails
// with ErrBeginAgain if the slot is empty or has another record.
func (c *Chain) at(ctx context.Context, p Position) (*Record, error) {
	r, _, err := c.place.record(ctx, p.Serial)
	if errors.Is(err, fs.ErrNotExist) || err == nil && r.digest != p.Digest {
		return nil, fmt.Errorf("record %d: %w", p.Serial, ErrBeginAgain)
	}
	return r, err
}

// Loaded is what Load found.
type Loaded struct {
	View
	// Cached says that it began at the cache; else it began at From or, if that is
	// nil, with nothing, before the first record.
	Cached bool
	From   *Checkpoint
	// Warnings are the damaged checkpoints that were passed over.
	Warnings []error
}

// Load brings a reader to the head: from the position of its cache, unless that is
// zero or not part of the chain, else from the newest checkpoint that use takes,
// else from the first record. use reads and verifies a checkpoint, and makes it what
// the reader begins with, in place of all before. It fails with an error of
// DamagedCheckpoint for one that is to be passed over. Load may call it again.
//
// A chain that moves on while it is read gives ErrBeginAgain after some attempts.
func (c *Chain) Load(ctx context.Context, cache Position, use func(context.Context, Checkpoint) error) (*Loaded, error) {
	damaged := false
	for n := 1; ; n++ {
		l, err := c.loadOnce(ctx, cache, use)
		if err == nil {
			return l, nil
		}
		cache = Position{}
		switch {
		case isDamage(err) && !damaged:
			damaged = true
		case !errors.Is(err, ErrBeginAgain) || n == beginnings:
			return nil, err
		}
	}
}

func (c *Chain) loadOnce(ctx context.Context, cache Position, use func(context.Context, Checkpoint) error) (*Loaded, error) {
	if cache.Serial > 0 {
		v, err := c.Follow(ctx, cache)
		if err != nil {
			return nil, err
		}
		return &Loaded{View: *v, Cached: true}, nil
	}
	list, serials, err := c.place.survey(ctx)
	if err != nil {
		return nil, err
	}
	l, err := firstWhole(ctx, list, use)
	if err != nil {
		return nil, err
	}
	var from Position
	if l.From != nil {
		from = l.From.Position
	}
	v, err := c.follow(ctx, from, &entries{c: c, listed: serials, surveyed: true})
	if len(l.Warnings) > 0 && (isDamage(err) || errors.Is(err, ErrBeginAgain) || err == nil && v.Head.Serial == 0) {
		err = fmt.Errorf("%w (nor does the log lead there from an older checkpoint)", l.Warnings[0])
	}
	if err != nil {
		return nil, err
	}
	l.View = *v
	return l, nil
}

// firstWhole uses the first checkpoint that is not damaged.
func firstWhole(ctx context.Context, list []Checkpoint, use func(context.Context, Checkpoint) error) (*Loaded, error) {
	l := &Loaded{}
	for i, k := range list {
		err := use(ctx, k)
		switch {
		case err == nil:
			l.From = &list[i]
			return l, nil
		case isDamage(err):
			l.Warnings = append(l.Warnings, err)
		case errors.Is(err, blob.ErrConflict) || errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("checkpoint %d: %w", k.Serial, ErrBeginAgain)
		default:
			return nil, err
		}
	}
	return l, nil
}
