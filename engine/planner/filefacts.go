package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// What current.json says can be brought back from a backup together with the state,
// or be lost. The data files themselves say, too, by which commit they were written
// and of which dumps their rows are.

// fileFacts is what a data file says of itself.
type fileFacts struct {
	commit uint64  // that wrote it, 0 if it does not say
	dumps  []int64 // that its rows are of, sorted
}

// factsOf reads what a data file says of itself. A file that is gone, or is no file
// that a reader could read, says nothing. Rows are only read with dumps.
func factsOf(ctx context.Context, p *Session, at sinks.Place, dumps bool) (out fileFacts, err error) {
	sk, err := p.Lake.Open(ctx, at.Root)
	if err != nil {
		return out, err
	}
	r, err := sk.Open(ctx, at.Path, "", []column.Column{{Name: feed.DumpID, Type: column.Type{ID: column.Int64}}})
	switch {
	case err == nil:
	case ctx.Err() != nil || errclass.Of(err) == errclass.SinkUnavailable:
		return out, err
	default:
		return out, nil
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if l, ok := r.(sinks.Labeled); ok {
		out.commit, _ = strconv.ParseUint(l.Labels()["commit"], 10, 64)
	}
	if !dumps {
		return out, nil
	}
	out.dumps, err = DumpsIn(ctx, r)
	return out, err
}

// DumpsIn lists the dumps that the rest of a file's rows are of. Where a page is
// damaged, what was read counts; a sink that fails says nothing of its files.
func DumpsIn(ctx context.Context, r sinks.Reader) ([]int64, error) {
	seen := map[int64]bool{}
	for {
		b, err := r.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errclass.Of(err) == errclass.SinkUnavailable:
			return nil, err
		case b == nil || err != nil:
			return slices.Sorted(maps.Keys(seen)), nil
		}
		c := b.Col(feed.DumpID)
		for i := range b.N {
			if !c.IsNull(i) {
				seen[c.Ints[i]] = true
			}
		}
	}
}

// writtenLater says that files which are not those that the state knows were written
// by a later commit than the state has of the table: then the state is the older one.
// It is empty if none was.
func writtenLater(ctx context.Context, p *Session, t *Table) (string, error) {
	for _, x := range t.touched {
		if x.digest == x.file.Digest {
			continue
		}
		at := sinks.Place{Root: t.Old.Sinks[x.file.Sink].Root, Path: x.file.Path}
		facts, err := factsOf(ctx, p, at, false)
		if err != nil {
			return "", err
		}
		if facts.commit > t.Old.Commit {
			return fmt.Sprintf("%s; %s/%s was written by commit %d", p.Home.OlderText(at.Root, facts.commit, t.Old.Commit), at.Root, at.Path, facts.commit), nil
		}
	}
	return "", nil
}

// dumpsInFiles lists the dumps that a repair cannot know of otherwise: rows of the
// files that it replaces are of them, and neither the state nor current.json has them.
func dumpsInFiles(ctx context.Context, p *Session, t *Table) ([]state.Applied, error) {
	var out []state.Applied
	for _, s := range t.Left {
		if s.Before != "" {
			continue // as the state knows it
		}
		facts, err := factsOf(ctx, p, sinks.Place{Root: s.Sink, Path: s.Path}, true)
		if err != nil {
			return nil, err
		}
		for _, d := range facts.dumps {
			if !slices.ContainsFunc(out, func(a state.Applied) bool { return a.Dump == d }) {
				out = append(out, state.Applied{Dump: d, Incremental: true})
			}
		}
	}
	return out, nil
}
