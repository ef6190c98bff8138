package pass

import (
	"context"
	"maps"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/write"
	"reconcile/engine/rules"
)

// Outcome is the staged new content of a table while it is made.
type Outcome struct {
	exec.Done
	Parts []*write.Part
}

// NewOutcome begins an outcome from what the table has.
func (r *Run) NewOutcome(s exec.Strategy) *Outcome {
	c := &Outcome{Done: exec.Done{Strategy: s}}
	if r.Old == nil {
		return c
	}
	c.Generation, c.NextOrdinal = r.Old.Generation, r.Old.NextOrdinal
	c.Index, c.Users, c.UserRuns = slices.Clone(r.Old.Index), r.Old.Users, slices.Clone(r.Old.UserRuns)
	c.Content, c.Read = r.Task.KeptContent(), r.Old.Read
	for _, q := range r.Old.Quarantine {
		if r.Task.Live(q.Dump) && r.Task.Delivery(q.Dump) == nil {
			c.Quarantine = append(c.Quarantine, q)
		}
	}
	return c
}

// Staged returns the outcome of a task as data.
func (c *Outcome) Staged(t *exec.Task) *exec.Done {
	for _, p := range c.Parts {
		c.Partitions = append(c.Partitions, p.Record)
	}
	c.RemovedFiles = c.FilesRemoved(t)
	return &c.Done
}

// CountVerdicts tells what becomes of the rows. The bulk path knows only totals:
// what was replaced is what was read or stored and is neither published nor kept
// as a shadow.
func CountVerdicts(ing *ingest.Ingest) (replaced, collapsed int64) {
	for _, s := range ing.Segments {
		for i := range s.Len() {
			switch s.Verdicts.Get(i) {
			case rules.Drop:
				replaced++
			case rules.Shadow:
				collapsed++
			}
		}
	}
	return replaced, collapsed
}

// CountNet counts rows as added or removed by the difference alone; of a table
// that starts over, all are.
func (c *Outcome) CountNet(r *Run) {
	before := int64(0)
	if r.Old != nil {
		before = r.Old.Rows
	}
	if r.Task.Fresh {
		c.Counts.Added, c.Counts.Removed = c.Counts.Rows, before
		return
	}
	c.Counts.Added = max(c.Counts.Rows-before, 0)
	c.Counts.Removed = max(before-c.Counts.Rows, 0)
}

// OutcomeOf begins the outcome of a run that has read ing.
func (r *Run) OutcomeOf(s exec.Strategy, ing *ingest.Ingest) *Outcome {
	c := r.NewOutcome(s)
	if r.Redelivery != nil {
		c.Strategy = exec.Redeliver
	}
	c.Unlisted, c.Spelled = ing.Unlisted, slices.Sorted(maps.Keys(ing.Spelled))
	for _, pair := range slices.SortedFunc(maps.Keys(ing.Spellings), comparePairs) {
		c.Spellings = append(c.Spellings, exec.Spelling{Column: pair[0], Name: pair[1]})
	}
	for _, id := range slices.Sorted(maps.Keys(ing.Carried)) {
		c.Carried = append(c.Carried, exec.Carried{Column: id, Dump: ing.Carried[id]})
	}
	for _, d := range r.Task.Deliveries {
		if r.Task.Live(d.Dump) {
			c.DumpRows = append(c.DumpRows, exec.DumpRows{Dump: d.Dump, Rows: ing.ReadOf[d.Dump]})
		}
	}
	c.Counts.Read, c.Counts.Bytes, c.Counts.Rescued, c.Counts.Rounded = ing.Read, ing.Bytes, ing.Rescued, ing.Rounded.Load()
	if d := r.Task.Delivery(r.Task.LastDelivery()); d != nil {
		c.Content = ing.Sums.Content(d)
	}
	c.Read = r.readAfter(ing)
	return c
}

func comparePairs(a, b [2]string) int { return slices.Compare(a[:], b[:]) }

// Finish adds the quarantine and the totals to a change.
func (r *Run) Finish(ctx context.Context, c *Outcome, ing *ingest.Ingest) error {
	if r.Old != nil {
		if err := r.remask(ctx, c); err != nil {
			return err
		}
	}
	refs, objects, err := ing.Bad.Write(ctx, r.Env.Objects, r.Task.Table)
	if err != nil {
		return err
	}
	c.Objects, c.Quarantine = append(c.Objects, objects...), append(c.Quarantine, refs...)
	c.Counts.Quarantined += ing.Bad.Len()
	c.Counts.Quarantined = max(c.Counts.Quarantined-r.quarantinedBefore(), 0)
	for _, p := range c.Parts {
		c.Objects = append(c.Objects, p.Objects...)
		c.Counts.Partitions++
		for _, f := range p.Record.Files {
			if f.Staged != "" {
				c.Counts.Written += f.Size
			}
		}
	}
	c.Counts.Rows = c.rowsAfter(r.OldParts)
	return nil
}

// rowsAfter counts the published rows once the change is made.
func (c *Outcome) rowsAfter(old []*exec.Partition) int64 {
	n := int64(0)
	gone := map[uint32]bool{}
	for _, p := range c.Parts {
		n += p.Record.Rows
		gone[p.Record.Ordinal] = true
	}
	for _, o := range c.Removed {
		gone[o] = true
	}
	if c.All {
		return n
	}
	for _, p := range old {
		if !gone[p.Ordinal] {
			n += p.Rows
		}
	}
	return n
}
