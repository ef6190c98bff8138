package model

import "slices"

// TableGuard is what the guard of a table goes by.
type TableGuard struct {
	// MaxRemoved is how many millionths of the rows below it a full resync may leave out; a
	// million is all.
	MaxRemoved int64
	HoldsEmpty bool
	Passed     map[int64]bool // full resyncs that counted once, or were accepted
}

// TrippedFor returns the full resync that a guard holds a table at, nil without one: the
// first that trips and that no later one makes void. Each is judged in the order of the
// dumps, by what those below it give that do not trip.
func TrippedFor(arrived []*Dump, table string, s Settings, g TableGuard) *Dump {
	dumps := slices.DeleteFunc(sorted(arrived, table), func(d *Dump) bool { return d.unclear(table) })
	key, err := keyOf(dumps, table)
	if table == users || err != nil {
		key = ""
	}
	var count, trip []*Dump
	for _, d := range dumps {
		if d.full(table) && !g.Passed[d.ID] && g.trips(pairsOf(count, table, key), pairsOf([]*Dump{d}, table, key)) {
			trip = append(trip, d)
			continue
		}
		count = append(count, d)
		if d.full(table) && d.fault(table, s) == "" { // what trips below is void
			trip = nil
		}
	}
	for _, d := range trip {
		if d.fault(table, s) == "" {
			return d
		}
	}
	return nil
}

// trips judges a full resync by the rows below it and its own.
func (g TableGuard) trips(below, brings map[[2]int64]bool) bool {
	missing := int64(0)
	for pair := range below {
		if !brings[pair] {
			missing++
		}
	}
	n := int64(len(below))
	return n > 0 && (g.HoldsEmpty && len(brings) == 0 || missing*1_000_000 > n*g.MaxRemoved)
}

// pairsOf are the live rows of dumps that have their keys, by raw user and key. Of a file
// that cannot be read there are none.
func pairsOf(dumps []*Dump, table, key string) map[[2]int64]bool {
	keys := []string{"user_id"}
	if key != "" {
		keys = append(keys, key)
	}
	out := map[[2]int64]bool{}
	from := liveFrom(dumps, table)
	for _, d := range dumps {
		if d.ID < from {
			continue
		}
		rows, _ := split(read(d.readable(), table, keys, Plain{}))
		for _, r := range rows {
			pair := [2]int64{r.id("user_id")}
			if key != "" {
				pair[1] = r.id(key)
			}
			out[pair] = true
		}
	}
	return out
}

// readable is the dump without the files that cannot be read.
func (d *Dump) readable() *Dump {
	c := *d
	c.Entries = slices.Clone(d.Entries)
	for i := range c.Entries {
		c.Entries[i].Files = slices.DeleteFunc(slices.Clone(c.Entries[i].Files), func(f *File) bool { return f.Fault != None })
	}
	return &c
}

// unclear reports whether the manifest does not say of a table if it is incremental, or
// says both.
func (d *Dump) unclear(table string) bool {
	for _, e := range d.entries(table) {
		if e.Incremental == nil || *e.Incremental != *d.entries(table)[0].Incremental {
			return true
		}
	}
	return false
}
