package engine

import (
	"context"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// mappingTable writes user_migrations: the newest mapping as delivered, plus
// where each id ends.
func (r *tableRun) mappingTable(ctx context.Context) (_ *outcome, err error) {
	var full *identity.Mapping
	if r.task.NewMapping != nil {
		if full, err = r.env.Mappings.Mapping(ctx, r.task.NewMapping.Ref); err != nil {
			return nil, err
		}
	}
	w := r.attempt.tableWriter(&stagedPart{})
	for lo := 0; lo < full.Len() && err == nil; lo += r.task.Thresholds.GroupRows {
		err = w.Write(ctx, r.mappingBatch(full, lo, min(lo+r.task.Thresholds.GroupRows, full.Len())))
	}
	p, err := w.finish(err)
	if err != nil {
		return nil, err
	}
	c := r.newOutcome(exec.WholeTable)
	c.All = true
	if len(p.record.Files) > 0 {
		c.parts = []*stagedPart{p}
	}
	c.Quarantine = nil
	if m := r.task.NewMapping; m != nil && !m.Quarantine.IsZero() {
		c.Quarantine = []exec.DumpRef{{Dump: m.Dump, Ref: m.Quarantine}}
	}
	if err := r.finish(ctx, c, &ingest{}); err != nil {
		return nil, err
	}
	if len(r.task.Deliveries) > 0 && !r.task.Fresh {
		c.Counts.Quarantined = r.task.NewMapping.Quarantine.Rows
	}
	c.countNet(r)
	return c, nil
}

func (r *tableRun) mappingBatch(m *identity.Mapping, lo, hi int) *column.Batch {
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
		b.Cols[l.Canonical].AppendInt(r.canon(from))
		b.Cols[l.Dump].AppendInt(r.task.NewMapping.Dump)
	}
	return b
}
