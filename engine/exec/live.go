package exec

import "slices"

// Live reports whether rows of a dump count.
func (t *Task) Live(dump int64) bool { return t.Floor.Live(dump) }

// AllVoid reports whether no dump that the table has brings rows that count.
func (t *Task) AllVoid() bool {
	return !slices.ContainsFunc(t.Applied, func(a Applied) bool { return t.Live(a.Dump) })
}

// Delivery returns what the step takes of a dump, nil if nothing.
func (t *Task) Delivery(dump int64) *Delivery {
	i, ok := slices.BinarySearchFunc(t.Deliveries, dump, func(d Delivery, id int64) int { return compareDumps(d.Dump, id) })
	if !ok {
		return nil
	}
	return &t.Deliveries[i]
}

// AppliedAfter lists the dumps that the table is correct for after the step.
func (t *Task) AppliedAfter() []Applied {
	var out []Applied
	for _, a := range t.Applied {
		if t.Delivery(a.Dump) == nil {
			out = append(out, a)
		}
	}
	for _, d := range t.Deliveries {
		out = append(out, Applied{Dump: d.Dump, Digest: d.Digest, Incremental: d.Incremental})
	}
	slices.SortFunc(out, func(a, b Applied) int { return compareDumps(a.Dump, b.Dump) })
	return out
}

// LastDelivery is the greatest dump that the table is correct for after the step, 0 if
// there is none.
func (t *Task) LastDelivery() int64 {
	list := t.AppliedAfter()
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].Dump
}

// KeptContent is what is known of the greatest dump after a step that does not read
// it, nil if nothing is.
func (t *Task) KeptContent() *Content {
	if t.Stored == nil {
		return nil
	}
	return t.Stored.ContentOf(t.AppliedAfter())
}

// ContentOf returns what is known of the greatest of some applied dumps, nil if nothing
// is.
func (s *Stored) ContentOf(applied []Applied) *Content {
	if s.Content == nil || len(applied) == 0 {
		return nil
	}
	last := applied[len(applied)-1]
	if last.Dump != s.Content.Dump || last.Lost || last.Skipped {
		return nil
	}
	return s.Content
}

func compareDumps(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
