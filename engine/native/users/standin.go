package users

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/native/pass"
	"reconcile/engine/rowfile"
	"reconcile/internal/column"
)

// When a state is rebuilt and live dumps are gone from the source, the published rows
// stand in for theirs, if that is accepted. A published row of an event tells all of
// what it was, its raw user and its dump included: it enters as if its dump had been
// read. What such dumps had beyond that, rows that others hide, is lost.
//
// A published row of users does not tell whose it is. Where the dumps that are there do
// not give it, it enters as the row of the raw user that it is named after, and comes
// before whatever these have of him: it holds what the whole group came to. Where other
// members still make it another row, it stands in for them, too.

// stoodIn brings users to their new state where published rows stand in for some.
// They are computed without these first, which tells where they are needed.
func stoodIn(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	stands := r.Stands
	r.Stands = nil
	c, err := usersTable(ctx, r)
	if err != nil {
		return nil, err
	}
	stands.Staged = stagedIn(r, c, stands.Root)
	r.Stands, r.Rounded, r.Rescued = stands, 0, 0
	if c, err = usersTable(ctx, r); err != nil {
		return nil, err
	}
	if stands.Alone, err = usersOff(ctx, r, c); err != nil || len(stands.Alone) == 0 {
		return c, err
	}
	r.Rounded, r.Rescued = 0, 0
	return usersTable(ctx, r)
}

// stagedIn lists the files that a change staged in a sink.
func stagedIn(r *pass.Run, c *pass.Outcome, root string) []string {
	at := slices.IndexFunc(r.Task.Sinks, func(t exec.Target) bool { return t.Root == root })
	var out []string
	for _, p := range c.Parts {
		for _, f := range p.Record.Files {
			if f.Sink == at {
				out = append(out, f.Staged)
			}
		}
	}
	return out
}

// usersOff lists the published users whom a change does not give as they are published.
// Rows of other members, which the dumps that are there have and one that is gone had
// replaced, can do that.
func usersOff(ctx context.Context, r *pass.Run, c *pass.Outcome) (_ map[int64]bool, err error) {
	cols := r.Schema.FileColumns()
	have, err := openStaged(ctx, r, r.Stands.Sink, stagedIn(r, c, r.Stands.Root))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, have.Close()) }()
	out := map[int64]bool{}
	err = r.Stands.Each(ctx, r.Stands.Typed(cols), func(in *column.Batch) error {
		o := &rowfile.Reader{Batch: in}
		for ; o.Next < in.N; o.Next++ {
			same, err := have.Has(ctx, o)
			if err != nil {
				return err
			}
			if !same {
				out[o.At().User] = true
			}
		}
		return nil
	})
	return out, err
}

// openStaged opens the one file that a table without partitions has; one of no file has
// no rows.
func openStaged(ctx context.Context, r *pass.Run, sk exec.Sink, staged []string) (*rowfile.Reader, error) {
	if len(staged) == 0 {
		return &rowfile.Reader{}, nil
	}
	rd, err := sk.Open(ctx, staged[0], "", r.Schema.FileColumns())
	if err != nil {
		return nil, err
	}
	return rowfile.NewReader(&r.Schema.Schema, rd), nil
}
