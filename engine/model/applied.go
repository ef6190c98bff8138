package model

import "slices"

// AppliedFor returns the dumps that a table is applied for when some dumps have
// arrived, and whether it is held: a fault holds it from that dump on, until a
// later full resync that is good itself makes the faulty dump void.
func AppliedFor(arrived []*Dump, table string, s Settings) (set []*Dump, held bool) {
	if table == migrations {
		mapping, held := MappingFor(arrived)
		if mapping == nil {
			return nil, held
		}
		return []*Dump{mapping}, held
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

// MappingFor returns the dump with the newest good mapping, nil if there is
// none, and whether a newer one is held.
func MappingFor(arrived []*Dump) (mapping *Dump, held bool) {
	for _, d := range slices.Backward(sorted(arrived, migrations)) {
		if d.badFile(migrations) == "" {
			return d, held
		}
		held = true
	}
	return nil, held
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
	key, err := KeyOf([]*Dump{d}, table)
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
