package native

import (
	"context"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// bytesOfEntry is about what an entry of a mapping takes in a data file.
const bytesOfEntry = 10

// mappingTable writes user_migrations: the newest mapping as delivered, plus
// where each id ends.
func mappingTable(ctx context.Context, r *pass.Run) (_ *pass.Outcome, err error) {
	var full *identity.Mapping
	if r.Task.NewMapping != nil {
		if full, err = r.Env.Mappings.Mapping(ctx, r.Task.NewMapping.Ref); err != nil {
			return nil, err
		}
	}
	work := r.WorkOfWriting(int64(full.Len()) * bytesOfEntry)
	r.Env.Events.Expect(exec.Writing, work)
	passed := r.Env.Events.Stretch(exec.Writing, int64(full.Len()), work)
	w := r.Attempt.TableWriter(&write.Part{})
	for lo := 0; lo < full.Len() && err == nil; lo += r.Task.Thresholds.GroupRows {
		b := mappingBatch(r, full, lo, min(lo+r.Task.Thresholds.GroupRows, full.Len()))
		if err = w.Write(ctx, b); err == nil {
			passed.Pass(b.N)
		}
	}
	p, err := w.Finish(err)
	if err != nil {
		return nil, err
	}
	c := r.NewOutcome(exec.WholeTable)
	c.All = true
	if len(p.Record.Files) > 0 {
		c.Parts = []*write.Part{p}
	}
	c.Quarantine = nil
	if m := r.Task.NewMapping; m != nil && !m.Quarantine.IsZero() {
		c.Quarantine = []exec.DumpRef{{Dump: m.Dump, Ref: m.Quarantine}}
	}
	if err := r.Finish(ctx, c, &ingest.Ingest{}); err != nil {
		return nil, err
	}
	if len(r.Task.Deliveries) > 0 && !r.Task.Fresh {
		c.Counts.Quarantined = r.Task.NewMapping.Quarantine.Rows
	}
	c.CountNet(r)
	return c, nil
}

func mappingBatch(r *pass.Run, m *identity.Mapping, lo, hi int) *column.Batch {
	l := rules.PublishedMapping()
	b := &column.Batch{N: hi - lo, Cols: l.Columns}
	for i := lo; i < hi; i++ {
		from := m.From(i)
		b.Cols[l.From].AppendInt(from)
		b.Cols[l.To].AppendInt(m.To(i))
		if t, ok := m.Time(i); ok {
			b.Cols[l.Time].AppendInt(t)
		} else {
			b.Cols[l.Time].AppendNulls(1)
		}
		b.Cols[l.Canonical].AppendInt(r.Canon(from))
		b.Cols[l.Dump].AppendInt(r.Task.NewMapping.Dump)
	}
	return b
}
