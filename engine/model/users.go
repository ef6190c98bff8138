package model

import (
	"slices"
	"strconv"
)

func expectUsers(applied []*Dump, closure map[int64]int64, s Settings) *Table {
	keys := []string{"user_id"}
	rows, bad := live(applied, users, keys, s)

	newest := map[int64]record{} // per raw user: the greatest (dump, last_modified, version)
	for _, r := range rows {
		old, ok := newest[r.id("user_id")]
		c := compareInts(r.dump, old.dump)
		if c == 0 {
			c = compare("timestamp", r.vals["last_modified"], old.vals["last_modified"])
		}
		if !ok || c > 0 || c == 0 && r.later(old) {
			newest[r.id("user_id")] = r
		}
	}
	groups := map[int64][]record{}
	for user, r := range newest {
		groups[canon(closure, user)] = append(groups[canon(closure, user)], r)
	}

	columns := columnsOf(applied, users, keys, s)
	t := newTable(columns, "_dump_id", "_rescued_data")
	t.Quarantine = bad
	for user, members := range groups {
		key := strconv.FormatInt(user, 10)
		vals, rescue, dump := mergeUsers(members, columns, s)
		v := vals
		v["user_id"] = &key
		v["_dump_id"] = Text(strconv.FormatInt(dump, 10))
		v["_rescued_data"] = rescued(rescue)
		t.Rows[key] = Row{Values: v}
	}
	return t
}

// ruleOf returns the type by which a column of users is compared and how it is
// merged.
func ruleOf(column columnOf, s Settings) (typ, merge string) {
	c := s.Column(column.delivered)
	typ, merge = typeOf(column.delivered, c.Type), c.Merge
	if c.Mask != "" {
		typ = "string"
	}
	switch {
	case merge != "":
	case column.name == "joindate":
		merge = "min"
	case column.name == "last_modified":
		merge = "max"
	default:
		merge = "latest"
	}
	return typ, merge
}

// mergeUsers makes one row of the members of a canonical user; dump is the
// greatest of theirs.
func mergeUsers(members []record, columns []columnOf, s Settings) (vals map[string]*string, rescue map[string]map[string]string, dump int64) {
	// The latest member comes first.
	slices.SortFunc(members, func(a, b record) int {
		if c := compare("timestamp", b.vals["last_modified"], a.vals["last_modified"]); c != 0 {
			return c
		}
		if c := compareInts(b.dump, a.dump); c != 0 {
			return c
		}
		return compareInts(b.id("user_id"), a.id("user_id"))
	})
	vals, rescue, dump = map[string]*string{}, map[string]map[string]string{}, members[0].dump
	for _, c := range columns {
		typ, merge := ruleOf(c, s)
		m := supplier(members, c.name, typ, merge)
		vals[c.name], rescue[c.name] = m.vals[c.name], m.rescue[c.name]
	}
	for _, m := range members {
		dump = max(dump, m.dump)
	}
	return vals, rescue, dump
}

// supplier returns the member that a column is taken from: of members with a
// value the latest, or the latest of those with the least or greatest one; else
// the latest that had something there which did not cast.
func supplier(members []record, column, typ, merge string) record {
	best := -1
	for i, m := range members {
		v := m.vals[column]
		if v == nil {
			continue
		}
		switch {
		case best < 0,
			merge == "min" && compare(typ, v, members[best].vals[column]) < 0,
			merge == "max" && compare(typ, v, members[best].vals[column]) > 0:
			best = i
		}
	}
	if best < 0 {
		best = slices.IndexFunc(members, func(m record) bool { return m.rescue[column] != nil })
	}
	return members[max(best, 0)]
}
