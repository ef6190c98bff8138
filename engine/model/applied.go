package model

import "slices"

// AppliedFor returns the dumps that a table is applied for when some dumps have
// arrived, and whether it is held: a fault holds it from that dump on, until a
// later full resync that is good itself makes the faulty dump void.
func AppliedFor(arrived []*Dump, table string, s Settings) (set []*Dump, held bool) {
	if table == migrations {
		v := MappingFor(arrived, Guard{})
		if v.Dump == nil {
			return nil, v.Bad || v.Tripped != nil
		}
		return []*Dump{v.Dump}, v.Bad || v.Tripped != nil
	}
	dumps := sorted(arrived, table)
	start := 0 // of the dumps that must be good
	for i, d := range dumps {
		if d.full(table) && d.fault(table, s) == "" {
			start = i
		}
	}
	for i := start; i < len(dumps); i++ {
		if dumps[i].fault(table, s) != "" {
			return dumps[:i], true
		}
	}
	return dumps, false
}

// Guard is what the guard of the mapping goes by.
type Guard struct {
	From   int            // ids that a mapping must have to judge others; 0: 100
	Passed map[int64]bool // dumps whose mapping was applied or accepted
}

// MappingVerdict says which mapping counts, and what of the newer ones does not.
type MappingVerdict struct {
	Dump    *Dump // nil: none counts
	Bad     bool  // a newer one cannot be read
	Tripped *Dump // the newest that a guard holds
}

// MappingFor returns the newest good mapping that passes the guard: whether it
// passes, each is asked in the order of the dumps, against the last that did.
func MappingFor(arrived []*Dump, g Guard) MappingVerdict {
	var v MappingVerdict
	for _, d := range sorted(arrived, migrations) {
		switch {
		case d.badFile(migrations) != "":
			v.Bad = true
		case !g.Passed[d.ID] && g.trips(v.Dump, d):
			v.Tripped = d
		default:
			v = MappingVerdict{Dump: d}
		}
	}
	return v
}

// trips reports whether fewer than half of the ids of a mapping, if there are many,
// are in the next one again.
func (g Guard) trips(last, next *Dump) bool {
	if last == nil {
		return false
	}
	least := g.From
	if least == 0 {
		least = 100
	}
	before, after := mappedIDs(last), mappedIDs(next)
	again := 0
	for id := range before {
		if after[id] {
			again++
		}
	}
	return len(before) >= least && 2*again < len(before)
}

func mappedIDs(d *Dump) map[int64]bool {
	out := map[int64]bool{}
	rows, _ := split(read(d, migrations, mappingKeys, Plain{}))
	for _, r := range rows {
		out[r.id("from_user_id")] = true
	}
	return out
}

// Held says why a dump holds a table, empty if it does not.
func (d *Dump) Held(table string, s Settings) string {
	if table == migrations {
		return d.badFile(table)
	}
	return d.fault(table, s)
}

func (d *Dump) fault(table string, s Settings) string {
	es := d.entries(table)
	for _, e := range es {
		if e.Incremental == nil {
			return "the manifest does not say whether it is incremental"
		}
		if *e.Incremental != *es[0].Incremental {
			return "two entries of the table disagree on incremental"
		}
	}
	if why := d.badFile(table); why != "" {
		return why
	}
	keys := d.keys(table)
	for _, name := range d.whole(table).names(true, s) {
		if mode, _ := s.Schema(); mode == "freeze" && !listed(s, keys, name) {
			return "column " + name + " is not in columns of the configuration"
		}
	}
	if s.CastErrorFails() && d.castFails(table, keys, s) {
		return "a value does not cast"
	}
	return ""
}

func (d *Dump) badFile(table string) string {
	for _, e := range d.entries(table) {
		for _, f := range e.Files {
			if f.Fault != None {
				return "file " + f.Key + " cannot be read"
			}
		}
	}
	return ""
}

// keys returns the key columns as far as one dump can tell.
func (d *Dump) keys(table string) []string {
	if table == users {
		return []string{"user_id"}
	}
	key, err := keyOf([]*Dump{d}, table)
	if err != nil {
		return []string{"user_id"}
	}
	return []string{"user_id", key}
}

// castFails reports whether a value of a row that goes to the table is lost in
// its cast.
func (d *Dump) castFails(table string, keys []string, s Settings) bool {
	rows, _ := split(read(d, table, keys, s))
	return slices.ContainsFunc(rows, func(r record) bool { return r.failed })
}
