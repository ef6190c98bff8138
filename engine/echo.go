package engine

import (
	"bytes"
	"context"
	"slices"
	"sync/atomic"

	"reconcile/engine/exec"
	"reconcile/engine/quarantine"
)

// echo is a dump that delivers of a table what the greatest applied dump did,
// byte for byte. No row is greater than those of that dump but the ones that are
// delivered now, each of which has its file, its place there and its values. So
// every row that is of the one dump becomes one of the other, and nothing else
// changes: whoever won or lost against it does so again, in whatever group.
type echo struct {
	of, dump int64
	read     *ingest // what is known of the files without decoding them

	// moved counts the stored rows that became ones of the new dump, rescued those
	// of them that have something rescued.
	moved, rescued atomic.Int64
}

// confirmEcho reads the files of a candidate. From then on stored rows of the
// first dump count as rows of the pending one.
func (r *tableRun) confirmEcho(ctx context.Context) error {
	may := r.task.Redelivery
	if may == nil {
		return nil
	}
	g := newIngest(r.schema, r.env.Limits)
	g.sums = newFileSums(r.task.ETags)
	if err := g.weigh(ctx, r.env.Source, r.files()); err != nil {
		return err
	}
	now := &r.task.Deliveries[0]
	if c := g.sums.content(now); c == nil || c.Shape != may.Content.Shape || !bytes.Equal(c.Digest, may.Content.Digest) {
		return nil
	}
	ok, err := r.quarantineAgain(ctx, may, now, g)
	if err != nil || !ok {
		return err
	}
	r.env.Events.Progress(g.read, g.bytes)
	r.echo = &echo{of: may.Of, dump: may.Dump, read: g}
	r.rank[may.Of] = r.rank[may.Dump]
	return nil
}

// weigh reads files without decoding them: it counts what avroFiles counts, and
// takes the digests.
func (g *ingest) weigh(ctx context.Context, src exec.Source, files []sourceFile) error {
	plans, j := plans{schema: g.schema, shapes: g.shapes}, new(job)
	blocks := g.blocks(src, files)
	defer blocks.close()
	for {
		ok, err := blocks.next(ctx, j)
		if err != nil || !ok {
			return err
		}
		p, err := plans.of(j.shape)
		if err != nil {
			return &fileError{j.file, err}
		}
		g.count(p, int64(j.block.Count), int64(len(j.block.Data)))
	}
}

// quarantineAgain adds to g the rows that the first dump left in the quarantine, as
// rows of the echo's files. It fails if it cannot tell which files these are.
func (r *tableRun) quarantineAgain(ctx context.Context, of *exec.Redelivery, now *exec.Delivery, g *ingest) (ok bool, err error) {
	byFile, n := map[string][]quarantine.Row{}, 0
	for _, q := range r.old.Quarantine {
		if q.Dump != of.Of {
			continue
		}
		err := quarantine.Each(ctx, r.env.Objects, q, func(b quarantine.Row) error {
			n++
			rows := byFile[b.File]
			// A file that was listed twice left its rows twice.
			if !slices.ContainsFunc(rows, func(x quarantine.Row) bool { return x.Row == b.Row }) {
				byFile[b.File] = append(rows, b)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	if n > 0 && !of.Known {
		return false, nil
	}
	for i := range now.Files {
		if n == 0 {
			break
		}
		for _, b := range byFile[of.Files[i]] {
			b.Dump, b.File = of.Dump, now.Files[i].Key
			g.bad = append(g.bad, b)
		}
	}
	return len(g.bad) == n, nil
}

// touchEchoed touches the partitions that may have rows of the first dump.
func (d *deltaRun) touchEchoed() {
	if d.echo == nil {
		return
	}
	for _, p := range d.oldParts {
		if p.Newest == nil || *p.Newest >= d.echo.of {
			d.touched[partValue(p)] = true
		}
	}
}

// lend gives g what is known of the files, as if it had read them.
func (e *echo) lend(g *ingest) {
	o := e.read
	g.read, g.bytes, g.unlisted, g.spelled, g.bad, g.sums = o.read, o.bytes, o.unlisted, o.spelled, o.bad, o.sums
	g.spellings, g.carried = o.spellings, o.carried
}

func (e *echo) movedRows() int64 {
	if e == nil {
		return 0
	}
	return e.moved.Load()
}

func (e *echo) rescuedRows() int64 {
	if e == nil {
		return 0
	}
	return e.rescued.Load()
}
