package engine

import (
	"bytes"
	"context"
	"slices"
	"sync/atomic"

	"reconcile/engine/dump"
	"reconcile/internal/feed"
	"reconcile/state"
)

// echo is a dump that delivers of a table what the greatest applied dump did,
// byte for byte. No row is greater than those of that dump but the ones that are
// delivered now, each of which has its file, its place there and its values. So
// every row that is of the one dump becomes one of the other, and nothing else
// changes: whoever won or lost against it does so again, in whatever group.
type echo struct {
	of, dump int64
	content  *state.Content // of both
	first    *dump.Entry    // what the first of them lists; nil if the source does not say any more
	read     *ingest        // what is known of the files without decoding them

	// moved counts the stored rows that became ones of the new dump, rescued those
	// of them that have something rescued.
	moved, rescued atomic.Int64
}

// echoCandidate returns what the pending dump may be an echo of, judged by what is
// known without reading: nil for most dumps, as their files have other sizes.
func (r *tableRun) echoCandidate(p *Plan, t *TablePlan) *echo {
	if r.env.noDelta || r.kind == feed.KindMapping || r.old == nil || len(r.pending) != 1 {
		return nil
	}
	d := r.pending[0]
	c := r.keptContent(r.old.Applied)
	// A table that does not rescue judges every dump when it comes: the first may
	// have come before that was said.
	if c == nil || r.failCasts || d.skipped || d.again || !d.entry.Incremental || d.dump < c.Dump {
		return nil
	}
	var sizes []int64
	for _, f := range d.entry.Files {
		sizes = append(sizes, p.seen.files[f.Key].obj.Size)
	}
	if contentShape(d.entry, sizes) != c.Shape {
		return nil
	}
	e := &echo{of: c.Dump, dump: d.dump, content: c}
	last := r.old.Applied[len(r.old.Applied)-1]
	if i := t.deliveryOf(c.Dump); i >= 0 && t.all[i].entry.Digest == last.Digest {
		e.first = t.all[i].entry
	}
	return e
}

// confirmEcho reads the files of a candidate. From then on stored rows of the
// first dump count as rows of the pending one.
func (r *tableRun) confirmEcho(ctx context.Context) error {
	e := r.echo
	r.echo = nil
	if e == nil {
		return nil
	}
	g := newIngest(r.schema, r.env.lim)
	g.sums = newFileSums(r.env.tagged)
	if err := g.weigh(ctx, r.env.source, r.files()); err != nil {
		return err
	}
	entry := r.pending[0].entry
	if c := g.sums.content(e.dump, entry); c == nil || c.Shape != e.content.Shape || !bytes.Equal(c.Digest, e.content.Digest) {
		return nil
	}
	ok, err := r.quarantineAgain(ctx, e, entry, g)
	if err != nil || !ok {
		return err
	}
	r.env.progress(r.cfg.Name, g.read, g.bytes)
	e.read, r.echo = g, e
	r.rank[e.of] = r.rank[e.dump]
	return nil
}

// weigh reads files without decoding them: it counts what avroFiles counts, and
// takes the digests.
func (g *ingest) weigh(ctx context.Context, src *dump.Source, files []sourceFile) error {
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
func (r *tableRun) quarantineAgain(ctx context.Context, e *echo, now *dump.Entry, g *ingest) (ok bool, err error) {
	byFile, n := map[string][]badRow{}, 0
	for _, q := range r.old.Quarantine {
		if q.Dump != e.of {
			continue
		}
		err := eachQuarantined(ctx, r.env.store, q, func(b badRow) error {
			n++
			rows := byFile[b.File]
			// A file that was listed twice left its rows twice.
			if !slices.ContainsFunc(rows, func(x badRow) bool { return x.Row == b.Row }) {
				byFile[b.File] = append(rows, b)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	if n > 0 && e.first == nil {
		return false, nil
	}
	for i := range now.Files {
		if n == 0 {
			break
		}
		for _, b := range byFile[e.first.Files[i].Key] {
			b.Dump, b.File = e.dump, now.Files[i].Key
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
