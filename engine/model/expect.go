package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Table is the correct content of a table.
type Table struct {
	// Columns are the published names in lower case, sorted.
	Columns []string
	// Optional are columns of an explicit list that nothing delivered yet: a
	// sink may have them, with nulls only, or not.
	Optional []string
	// Rows are by key: "event_id/user_id" (or session_id), the user id in
	// users, the from_user_id in user_migrations.
	Rows       map[string]Row
	Quarantine []Quarantined // by version
}

// Row is one row of a table.
type Row struct {
	// Partition is its folder below the table's, "year=2026/month=01"; empty
	// without partitions.
	Partition string
	// Values has every column of the table; nil is null. Ids are decimal,
	// timestamps 2026-01-05T10:00:00.123Z, doubles as ECMAScript writes them.
	Values map[string]*string
}

// Expect returns the correct content of a table for a set of applied dumps
// (see AppliedFor) and the dump with the newest mapping among the applied ones
// (see MappingFor), nil if there is none.
func Expect(applied []*Dump, mapping *Dump, s Settings, table string) (*Table, error) {
	applied = sorted(applied, table)
	var t *Table
	var err error
	switch table {
	case users:
		t = expectUsers(applied, canonical(mapping, s), s)
	case migrations:
		t = expectMigrations(mapping, s)
	default:
		t, err = expectEvents(applied, canonical(mapping, s), s, table)
	}
	if err != nil {
		return nil, err
	}
	t.finish(s)
	if twice := slices.Compact(slices.Clone(t.Columns)); len(twice) < len(t.Columns) {
		return nil, fmt.Errorf("table %q has two columns of one name among %q", table, t.Columns)
	}
	return t, nil
}

// sorted returns the dumps that list a table, by id.
func sorted(dumps []*Dump, table string) []*Dump {
	var out []*Dump
	for _, d := range dumps {
		if len(d.entries(table)) > 0 {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *Dump) int { return compareInts(a.ID, b.ID) })
	return out
}

func compareInts(a, b int64) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

// liveFrom returns the id of the latest dump that voids what came before it.
func liveFrom(applied []*Dump, table string) int64 {
	from := int64(math.MinInt64)
	for _, d := range applied {
		if d.full(table) {
			from = max(from, d.ID)
		}
	}
	return from
}

// live returns all rows of a table that are not void, and which of them lack
// their keys.
func live(applied []*Dump, table string, keys []string, s Settings) ([]record, []Quarantined) {
	from := liveFrom(applied, table)
	var rows []record
	for _, d := range applied {
		if d.ID >= from {
			rows = append(rows, read(d, table, keys, s)...)
		}
	}
	return split(rows)
}

func split(rows []record) ([]record, []Quarantined) {
	var ok []record
	var not []Quarantined
	for _, r := range rows {
		if len(r.missing) == 0 {
			ok = append(ok, r)
			continue
		}
		not = append(not, Quarantined{Dump: r.dump, File: r.fileKey, At: r.file, Row: r.row, Columns: r.missing})
	}
	return ok, not
}

// keyOf returns the key column of an event table: session_id for sessions,
// else event_id if it is delivered, else session_id.
func keyOf(applied []*Dump, table string) (string, error) {
	if table == "sessions" {
		return "session_id", nil
	}
	var names []string
	from := liveFrom(applied, table)
	for _, d := range applied {
		names = append(names, d.whole(table).names(d.ID >= from, Plain{})...)
	}
	for _, key := range []string{"event_id", "session_id"} {
		if slices.Contains(names, key) {
			return key, nil
		}
	}
	return "", fmt.Errorf("table %q has neither event_id nor session_id", table)
}

func expectEvents(applied []*Dump, closure map[int64]int64, s Settings, table string) (*Table, error) {
	key, err := keyOf(applied, table)
	if rows, _ := live(applied, table, nil, s); err != nil && len(rows) == 0 {
		return &Table{}, nil // nothing says what it would be like
	} else if err != nil {
		return nil, err
	}
	keys := []string{"user_id", key}
	rows, bad := live(applied, table, keys, s)

	type pair struct{ key, user int64 }
	newest := map[pair]record{} // per (key, raw user): the greatest version
	for _, r := range rows {
		p := pair{r.id(key), r.id("user_id")}
		if old, ok := newest[p]; !ok || r.later(old) {
			newest[p] = r
		}
	}
	winner := map[pair]record{} // per (key, canonical user): the greatest (dump, raw user)
	for p, r := range newest {
		c := pair{p.key, canon(closure, p.user)}
		old, ok := winner[c]
		if !ok || r.dump > old.dump || r.dump == old.dump && p.user > old.id("user_id") {
			winner[c] = r
		}
	}

	t := newTable(columnsOf(applied, table, keys, s), "_raw_user_id", "_dump_id", "_rescued_data")
	t.Quarantine = bad
	for p, r := range winner {
		user := strconv.FormatInt(p.user, 10)
		v := maps.Clone(r.vals)
		v["user_id"] = &user
		v["_raw_user_id"] = r.vals["user_id"]
		v["_dump_id"] = Text(strconv.FormatInt(r.dump, 10))
		v["_rescued_data"] = rescued(r.rescue)
		t.Rows[fmt.Sprintf("%d/%d", p.key, p.user)] = Row{Values: v}
	}
	return t, nil
}

var mappingKeys = []string{"from_user_id", "to_user_id"}

func expectMigrations(mapping *Dump, s Settings) *Table {
	t := newTable([]columnOf{{name: "from_user_id"}, {name: "to_user_id"}, {name: "time"}}, "canonical_user_id", "_dump_id")
	if mapping == nil {
		return t
	}
	var rows []record
	rows, t.Quarantine = split(read(mapping, migrations, mappingKeys, Plain{Unit: s.TimeUnit()}))
	closure := canonical(mapping, s)
	for from, r := range choose(rows) {
		key := strconv.FormatInt(from, 10)
		v := map[string]*string{"from_user_id": r.vals["from_user_id"], "to_user_id": r.vals["to_user_id"], "time": r.vals["time"]}
		v["canonical_user_id"] = Text(strconv.FormatInt(canon(closure, from), 10))
		v["_dump_id"] = Text(strconv.FormatInt(r.dump, 10))
		t.Rows[key] = Row{Values: v}
	}
	return t
}

// newTable returns an empty table with delivered columns and ours.
func newTable(columns []columnOf, ours ...string) *Table {
	t := &Table{Columns: ours, Rows: map[string]Row{}}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.name)
	}
	slices.Sort(t.Columns)
	return t
}

// finish gives every row every column and its partition, and names the columns
// that may be missing.
func (t *Table) finish(s Settings) {
	column, levels := s.Partition()
	by := published(s, column)
	for key, r := range t.Rows {
		for _, c := range t.Columns {
			if _, ok := r.Values[c]; !ok {
				r.Values[c] = nil
			}
		}
		r.Partition = partition(r.Values[by], levels)
		t.Rows[key] = r
	}
	mode, list := s.Schema()
	if mode == "" || mode == "evolve" {
		return
	}
	for _, name := range list {
		if !slices.Contains(t.Columns, published(s, name)) && s.Column(name).Mask != "drop" {
			t.Optional = append(t.Optional, published(s, name))
		}
	}
}

// partition returns the folders of a timestamp or a date.
func partition(value *string, levels []string) string {
	var out []string
	for _, level := range levels {
		v := "__HIVE_DEFAULT_PARTITION__"
		if value != nil {
			at := *value + "T00" // a date has no hour
			v = map[string]string{"year": at[:4], "month": at[5:7], "day": at[8:10], "hour": at[11:13], "date": at[:10]}[level]
		}
		out = append(out, level+"="+v)
	}
	return strings.Join(out, "/")
}
