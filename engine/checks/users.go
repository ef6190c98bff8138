package checks

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/keyset"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// Users is the table of users as it is committed.
type Users struct {
	// Canon gives the user that a raw user stands for in it.
	Canon func(raw int64) int64
	// Open opens its files, of which each is sorted by user_id, and no user is in two. Column
	// is the one to read.
	Open func(ctx context.Context, want column.Column) ([]sinks.Reader, error)
}

// knownUsers judges that the users of events have a row in users. Events are sorted by user,
// as the table of users is, and compared in one pass over both.
type knownUsers struct{ numbered }

func newKnownUsers(s *Step, x Subject) rowJudge {
	if s.Users.Open == nil {
		return nil
	}
	user := column.Column{Name: s.Task.Schema.UserName, Type: column.Int64Type}
	return &knownUsers{newNumbered(s, x, []column.Column{user})}
}

func (j *knownUsers) columns() []column.Column {
	return []column.Column{{Name: feed.RawUserID, Type: column.Int64Type}}
}

func (j *knownUsers) take(ctx context.Context, r rowsOf) error {
	raws := r.batch.Col(feed.RawUserID).Ints
	last, canon := int64(0), int64(0)
	for k, i := range r.at {
		if k == 0 || raws[i] != last { // a user's rows lie together
			last, canon = raws[i], j.s.Users.Canon(raws[i])
		}
		if err := j.files.Add(ctx, keyset.Row{Raw: canon, Key: j.rows}); err != nil {
			return err
		}
		j.rows++
	}
	return nil
}

// finish implements rowJudge.
func (j *knownUsers) finish(ctx context.Context) (_ *outcome, err error) {
	readers, err := j.s.Users.Open(ctx, column.Column{Name: feed.UserID, Type: column.Int64Type})
	defer func() {
		for _, rd := range readers {
			err = errors.Join(err, rd.Close())
		}
	}()
	if err != nil {
		return nil, err
	}
	cursors := make([]userCursor, len(readers))
	for i, rd := range readers {
		cursors[i].rd = rd
	}
	var failed int64
	var first smallest
	last, known := int64(0), true
	begun := false
	err = j.sorted(ctx, func(r keyset.Row) (err error) {
		if !begun || r.Raw != last {
			begun, last, known = true, r.Raw, false
			for i := range cursors {
				has, err := cursors[i].has(ctx, r.Raw)
				if err != nil {
					return fmt.Errorf("reading the table users: %w", err)
				}
				known = known || has
			}
		}
		if !known {
			failed++
			first.add(r.Key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if j.of.Check.Allows(failed, j.rows) {
		first = nil
	}
	if err := j.find(ctx, first); err != nil {
		return nil, err
	}
	return &outcome{judged: j.rows, failed: failed, sample: j.show}, nil
}

// userCursor goes through the ids of a file of users, once and upwards.
type userCursor struct {
	rd  sinks.Reader
	ids []int64
	end bool
}

// has reports whether an id is there, which is greater than the one before.
func (c *userCursor) has(ctx context.Context, id int64) (bool, error) {
	for {
		for len(c.ids) > 0 && c.ids[0] < id {
			c.ids = c.ids[1:]
		}
		if len(c.ids) > 0 || c.end {
			return len(c.ids) > 0 && c.ids[0] == id, nil
		}
		b, err := c.rd.Next(ctx)
		if err != nil {
			return false, err
		}
		if c.end = b == nil; !c.end {
			c.ids = b.Cols[0].Ints
		}
	}
}

// OpenUsers opens the files of the table of users in one sink.
func OpenUsers(sk exec.Sink, files []exec.File) func(context.Context, column.Column) ([]sinks.Reader, error) {
	return func(ctx context.Context, want column.Column) ([]sinks.Reader, error) {
		var out []sinks.Reader
		for _, f := range files {
			rd, err := sk.Open(ctx, f.Path, f.Pin, []column.Column{want})
			if err != nil {
				return out, fmt.Errorf("reading %s for checks: %w", f.Path, err)
			}
			out = append(out, rd)
		}
		return out, nil
	}
}
