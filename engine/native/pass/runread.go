package pass

import (
	"cmp"
	"context"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/redelivery"
	"reconcile/engine/partfile"
)

// ReadFiles reads the part files of live pending dumps into g. Those of a redelivery
// were read when it was found to be one, and their rows are there already.
func (r *Run) ReadFiles(ctx context.Context, g *ingest.Ingest) error {
	if r.Redelivery != nil {
		r.Redelivery.ShareWith(g)
		return nil
	}
	g.Sums = partfile.NewSums(r.Task.ETags)
	return g.AvroFiles(ctx, r.Env.Source, r.files)
}

// readAfter is what the next plan compares after a run that has read g: the dumps
// that the run applies. If it applies none for the first time, what was known
// before stays; so does what no plan could compare so far.
func (r *Run) readAfter(g *ingest.Ingest) []exec.Read {
	var out []exec.Read
	applies := false
	for _, d := range r.Task.Deliveries {
		if !r.Task.Live(d.Dump) {
			continue
		}
		if was := g.Sums.ReadOf(d.Dump, d.Files.Len()); was != nil {
			out = append(out, *was)
			applies = applies || !d.Again
		}
	}
	if r.Old == nil {
		return out
	}
	for _, was := range r.Old.Read {
		if r.Task.Live(was.Dump) && r.Task.Delivery(was.Dump) == nil && (!applies || slices.Contains(r.Task.Compared, was.Dump)) {
			out = append(out, was)
		}
	}
	slices.SortFunc(out, func(a, b exec.Read) int { return cmp.Compare(a.Dump, b.Dump) })
	return out
}

// TakesAgain reports whether the run reads a dump that the table has.
func (r *Run) TakesAgain() bool {
	return slices.ContainsFunc(r.Task.Deliveries, func(d exec.Delivery) bool { return d.Again })
}

// quarantinedBefore counts the quarantined rows of dumps that are read again.
func (r *Run) quarantinedBefore() int64 {
	n := int64(0)
	if r.Old == nil || !r.TakesAgain() {
		return n
	}
	for _, q := range r.Old.Quarantine {
		if r.Task.Live(q.Dump) && r.Task.Delivery(q.Dump) != nil {
			n += q.Ref.Rows
		}
	}
	return n
}

// NewIngest returns an ingest of the task's part files.
func (r *Run) NewIngest(s *decode.Schema) *ingest.Ingest {
	g := ingest.New(s, r.Env.Limits)
	g.FailCasts, g.Frozen, g.Events = r.Task.FailCasts, r.Task.Frozen, r.Env.Events
	return g
}

// DeliveredBytes is the size of the part files to read.
func (r *Run) DeliveredBytes() int64 {
	n := int64(0)
	for i := range r.Task.Deliveries {
		if d := &r.Task.Deliveries[i]; r.Task.Live(d.Dump) {
			n += d.Files.Bytes()
		}
	}
	return n
}

// files iterates over the part files to read: those of live deliveries.
func (r *Run) files(yield func(ingest.File, error) bool) {
	for i := range r.Task.Deliveries {
		d := &r.Task.Deliveries[i]
		if !r.Task.Live(d.Dump) {
			continue
		}
		i := -1
		for f, err := range d.Files.All() {
			i++
			if !yield(ingest.File{Dump: d.Dump, Rank: r.Rank[d.Dump], Index: i, Key: f.Key, Pin: f.Pin, Again: d.Again,
				Claims: d.Claims, Columns: d.Columns, HasColumns: d.HasColumns}, err) {
				return
			}
		}
	}
}

// Confirm finds out whether the only delivery repeats another one. From then on stored
// rows of that one count as rows of the delivery.
func (r *Run) Confirm(ctx context.Context) (err error) {
	if r.Redelivery, err = redelivery.Confirm(ctx, r.Task, r.Env, r.Schema, r.files); err == nil && r.Redelivery != nil {
		r.Rank[r.Redelivery.Of] = r.Rank[r.Redelivery.Dump]
	}
	return err
}
