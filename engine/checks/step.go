package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// Step is a step of a table that is staged.
type Step struct {
	Task *exec.Task
	Done *exec.Done
	Env  *exec.Env
	// DumpRows is how many rows the dumps that the table has delivered, as far as that is
	// known.
	DumpRows []exec.DumpRows
	Users    Users
}

// file is a data file of the table, in its first sink: all of them have the same rows.
type file struct{ path, pin string }

// staged lists the files that the step wrote.
func (s *Step) staged() []file {
	var out []file
	for _, p := range s.Done.Partitions {
		for _, f := range p.Files {
			if f.Sink == 0 && f.Staged != "" {
				out = append(out, file{path: f.Staged})
			}
		}
	}
	return out
}

// kept lists the files that stay as they are.
func (s *Step) kept() []file {
	var out []file
	add := func(p *exec.Partition) {
		for _, f := range p.Files {
			if f.Sink == 0 && f.Staged == "" {
				out = append(out, file{f.Path, f.Pin})
			}
		}
	}
	gone := map[uint32]bool{}
	for _, ordinal := range s.Done.Removed {
		gone[ordinal] = true
	}
	for i := range s.Done.Partitions {
		p := &s.Done.Partitions[i]
		gone[p.Ordinal] = true
		add(p)
	}
	if s.Done.All || s.Task.Stored == nil {
		return out
	}
	for i := range s.Task.Stored.Partitions {
		if p := &s.Task.Stored.Partitions[i]; !gone[p.Ordinal] {
			add(p)
		}
	}
	return out
}

// rowsOf are rows of a batch, by their places in it.
type rowsOf struct {
	batch *column.Batch
	dumps []int64 // of all rows of the batch
	at    []int
}

// each reads columns of files, a row group or a part of a large one at a time, and hands on
// the rows of some dumps, or, with others set, of all others. Of a row group without such a
// row nothing is read but the dumps.
func (s *Step) each(ctx context.Context, files []file, dumps []int64, others bool, want []column.Column, use func(rowsOf) error) error {
	sk := s.Env.Sinks[s.Task.Sinks[0].Root]
	r := groupReader{dumps: dumps, others: others, most: int64(s.Env.Limits.Budget.FileRowGroup()), want: append([]column.Column{{Name: feed.DumpID, Type: column.Int64Type}}, want...)}
	for _, f := range files {
		if err := r.eachGroup(ctx, sk, f, use); err != nil {
			return fmt.Errorf("reading %s for checks: %w", f.path, err)
		}
	}
	return nil
}

// groupReader reads row groups, and keeps the memory.
type groupReader struct {
	dumps      []int64
	others     bool
	most       int64 // bytes of rows that are read at once
	want       []column.Column
	ids, batch column.Batch
	at         []int
}

func (r *groupReader) eachGroup(ctx context.Context, sk exec.Sink, f file, use func(rowsOf) error) (err error) {
	rd, err := sk.Open(ctx, f.path, f.pin, r.want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	if groups, ok := rd.(sinks.GroupReader); ok {
		for g, n := range groups.Groups() {
			if err := r.group(ctx, groups, g, n, use); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		b, err := rd.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := r.handOn(b, use); err != nil {
			return err
		}
	}
}

// group reads a row group of n rows.
func (r *groupReader) group(ctx context.Context, rd sinks.GroupReader, g, n int, use func(rowsOf) error) error {
	if err := rd.Group(ctx, g, r.want[:1], &r.ids); err != nil {
		return err
	}
	if !r.choose(&r.ids) {
		return nil
	}
	step := sinks.PartOf(rd, g, r.want, n, r.most)
	for from := 0; from < n; from += step {
		if err := sinks.ReadPart(ctx, rd, g, r.want, n, from, from+step, &r.batch); err != nil {
			return err
		}
		if err := r.handOn(&r.batch, use); err != nil {
			return err
		}
	}
	return nil
}

// handOn hands on the rows of a batch that are chosen, if there are any.
func (r *groupReader) handOn(b *column.Batch, use func(rowsOf) error) error {
	if !r.choose(b) {
		return nil
	}
	return use(rowsOf{b, b.Cols[0].Ints, r.at})
}

// choose finds the rows to hand on, and reports whether there are any.
func (r *groupReader) choose(b *column.Batch) bool {
	r.at = r.at[:0]
	last, in := int64(0), false
	for i, dump := range b.Cols[0].Ints {
		if i == 0 || dump != last {
			last = dump
			_, in = slices.BinarySearch(r.dumps, dump)
		}
		if in != r.others {
			r.at = append(r.at, i)
		}
	}
	return len(r.at) > 0
}
