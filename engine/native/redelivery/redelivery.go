package redelivery

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/partfile"
	"reconcile/engine/quarantine"
)

// Redelivery is a dump that delivers of a table what the greatest applied dump did,
// byte for byte. No row is greater than those of that dump but the ones that are
// delivered now, each of which has its file, its place there and its values. So
// every row that is of the one dump becomes one of the other, and nothing else
// changes: whoever won or lost against it does so again, in whatever group.
type Redelivery struct {
	Of, Dump int64
	read     *ingest.Ingest // what is known of the files without decoding them
	part     int64          // bytes of stored rows that are read at once

	// moved counts the stored rows that became ones of the new dump, rescued those
	// of them that have something rescued.
	moved, rescued atomic.Int64
}

// Confirm reads the files of a candidate. It returns nil if there is none, or it is
// another content.
func Confirm(ctx context.Context, task *exec.Task, env *exec.Env, s *decode.Schema, files iter.Seq2[ingest.File, error]) (*Redelivery, error) {
	may := task.Redelivery
	if may == nil {
		return nil, nil
	}
	g := ingest.New(s, env.Limits)
	g.Sums, g.Events = partfile.NewSums(task.ETags), env.Events
	if err := g.Scan(ctx, env.Source, files); err != nil {
		return nil, err
	}
	now := &task.Deliveries[0]
	if c := g.Sums.Content(now); c == nil || c.Fingerprint != may.Content.Fingerprint || !bytes.Equal(c.Digest, may.Content.Digest) {
		return nil, nil
	}
	ok, err := quarantineAgain(ctx, task, env.Objects, g)
	if err != nil || !ok {
		return nil, errors.Join(err, g.Close())
	}
	return &Redelivery{Of: may.Of, Dump: may.Dump, read: g, part: int64(env.Limits.Budget.FileRowGroup())}, nil
}

// quarantineAgain adds to g the rows that the first dump left in the quarantine, as
// rows of the redelivery's files. It fails if it cannot tell which files these are.
func quarantineAgain(ctx context.Context, task *exec.Task, objects exec.Objects, g *ingest.Ingest) (ok bool, err error) {
	of, now := task.Redelivery, &task.Deliveries[0]
	keys := map[string][]string{} // of the files now, by the keys that they had
	if of.Known {
		i := 0
		for f, err := range now.Files.All() {
			if err != nil {
				return false, err
			}
			keys[of.Files[i]] = append(keys[of.Files[i]], f.Key)
			i++
		}
	}
	n := int64(0)
	for _, q := range task.Stored.Quarantine {
		if q.Dump != of.Of {
			continue
		}
		var last quarantine.Row
		err := quarantine.Each(ctx, objects, q, func(b quarantine.Row) error {
			n++
			// A file that was listed twice left its rows twice, one behind the other.
			if b.File == last.File && b.Row == last.Row && n > 1 {
				return nil
			}
			last = b
			b.Dump = of.Dump
			for _, key := range keys[last.File] {
				b.File = key
				if err := g.Bad.Add(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return g.Bad.Len() == n, nil
}

// ShareWith gives g what is known of the files, as if it had read them.
func (e *Redelivery) ShareWith(g *ingest.Ingest) {
	o := e.read
	g.Read, g.Bytes, g.Unlisted, g.Spelled, g.Bad, g.Sums = o.Read, o.Bytes, o.Unlisted, o.Spelled, o.Bad, o.Sums
	g.Spellings, g.Carried, g.ReadOf = o.Spellings, o.Carried, o.ReadOf
}

// MovedRows is how many stored rows became ones of the repeating dump; none of a nil e.
func (e *Redelivery) MovedRows() int64 {
	if e == nil {
		return 0
	}
	return e.moved.Load()
}

// RescuedRows is how many of them have something rescued; none of a nil e.
func (e *Redelivery) RescuedRows() int64 {
	if e == nil {
		return 0
	}
	return e.rescued.Load()
}
