package main

import (
	"fmt"
	"slices"
	"time"
)

// The two shoppers whose orders the quickstart follows.
const (
	anaPhone, anaLaptop, ana = 5_104_117, 5_104_522, 5_100_031
	benTablet, ben           = 5_107_300, 5_100_044
)

// delivery is one dump: what its manifest lists.
type delivery struct {
	id     int64
	tables []table
}

// table is a table of a dump, in one or more part files.
type table struct {
	name  string
	full  bool // not incremental
	parts []part
}

// part is a part file.
type part struct {
	columns []field
	rows    []row
	codec   string
}

// field is a column of a file: its name, and how its values are written.
type field struct {
	name string
	kind kind
}

// kind is how a file writes values. The vendor is not consistent, so neither
// is this export.
type kind int

const (
	asText   kind = iota
	asLong        // ids, mostly
	asMillis      // moments as epoch milliseconds, a long
	asDigits      // the same as text
	asClock       // 2026-03-01 10:00:00.123
)

// columns lists fields that are texts.
func columns(names ...string) []field {
	out := make([]field, len(names))
	for i, n := range names {
		out[i].name = n
	}
	return out
}

// ids is what the columns of every event begin with.
func ids(timeKind kind) []field {
	return []field{{"user_id", asLong}, {"event_id", asLong}, {"session_id", asLong}, {"time", timeKind}, {"session_time", asDigits}}
}

var (
	device  = columns("library", "platform", "device_type", "browser", "country", "region", "city")
	traffic = columns("referrer", "utm_source", "utm_medium", "utm_campaign")
)

// layouts are the columns of each table's files.
var layouts = map[string][]field{
	"pageviews":       slices.Concat(ids(asMillis), device, traffic, columns("domain", "path", "title")),
	"sessions":        slices.Concat([]field{{"user_id", asLong}, {"session_id", asLong}, {"time", asClock}}, device, traffic, columns("landing_page")),
	"checkout":        slices.Concat(ids(asDigits), device, columns("revenue", "items", "currency", "payment")),
	"add_to_cart":     slices.Concat(ids(asDigits), device, columns("sku", "product", "price", "quantity")),
	"signup":          slices.Concat(ids(asDigits), device, columns("method", "newsletter")),
	"users":           slices.Concat([]field{{"user_id", asLong}, {"joindate", asDigits}, {"last_modified", asDigits}}, columns("identity", "email", "plan", "initial_browser", "initial_utm_source")),
	"user_migrations": {{"from_user_id", asLong}, {"to_user_id", asLong}, {"time", asMillis}},
	"_event_metadata": columns("event_name", "table_name", "status"),
}

// eventTables are those that every dump carries on.
var eventTables = []string{"pageviews", "sessions", "add_to_cart", "checkout", "signup"}

// clock returns a moment of March 2026.
func clock(day, hour, minute int) time.Time {
	return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC)
}

// deliveries are the export. Each dump begins a quarter of a day before the one
// before it ended: rows repeat. Dump 1001 is made before 1002 and arrives after it.
func (s *shop) deliveries() []*delivery {
	out := []*delivery{
		s.delivery(997, clock(1, 0, 0), clock(3, 6, 0)),
		s.delivery(998, clock(2, 18, 0), clock(4, 6, 0)),
		s.delivery(999, clock(3, 18, 0), clock(5, 6, 0)),
		s.delivery(1000, clock(4, 18, 0), clock(6, 6, 0)),
		s.delivery(1001, clock(5, 18, 0), clock(7, 6, 0)),
		s.delivery(1002, clock(6, 18, 0), clock(8, 0, 0)),
	}
	s.shoppers(out)
	s.oddities(out)
	return out
}

// delivery is what happened in a stretch of time, as a dump.
func (s *shop) delivery(id int64, from, to time.Time) *delivery {
	d := &delivery{id: id}
	first := id == 997
	for _, name := range eventTables {
		if name == "add_to_cart" && id == 1002 {
			// The vendor delivers this table again, whole.
			d.tables = append(d.tables, table{name: name, full: true, parts: split(name, s.between(name, begin, to), 2)})
			continue
		}
		n := 1
		if name == "pageviews" {
			n = 2
		}
		d.tables = append(d.tables, table{name: name, full: first, parts: split(name, s.between(name, from, to), n)})
	}
	d.tables = append(d.tables,
		table{name: "users", full: first, parts: split("users", s.users(first, from, to), 1)},
		table{name: "user_migrations", parts: split("user_migrations", s.migrations(id, to), 1)},
		table{name: "_event_metadata", parts: split("_event_metadata", []row{{"event_name": "Checkout", "table_name": "checkout", "status": "enabled"}}, 1)})
	return d
}

// split spreads rows over n part files.
func split(name string, rows []row, n int) []part {
	parts := make([]part, n)
	for i := range parts {
		lo, hi := len(rows)*i/n, len(rows)*(i+1)/n
		parts[i] = part{columns: layouts[name], rows: rows[lo:hi], codec: []string{"deflate", "snappy"}[i%2]}
	}
	return parts
}

// users are the rows of all ids that were seen in a stretch of time.
func (s *shop) users(all bool, from, to time.Time) []row {
	seen := map[any]time.Time{}
	for _, e := range s.events["sessions"] {
		if !e.at.Before(from) && e.at.Before(to) {
			seen[e.row["user_id"]] = e.at
		}
	}
	var out []row
	for _, v := range s.visitors {
		for i, id := range v.ids {
			at, ok := seen[id]
			if !ok && !(all && i == 0) {
				continue
			}
			if !ok {
				at = v.joined
			}
			r := row{"user_id": id, "joindate": v.joined.Add(time.Duration(i) * 50 * time.Hour), "last_modified": at,
				"initial_browser": v.browser[i], "initial_utm_source": text(v.campaign.source)}
			if v.email != "" && i == 0 {
				r["identity"], r["email"], r["plan"] = v.email, v.email, v.plan
			}
			out = append(out, r)
		}
	}
	return out
}

// migrations is the complete mapping as of a dump.
func (s *shop) migrations(id int64, to time.Time) []row {
	var out []row
	add := func(from, to int64, at time.Time) {
		out = append(out, row{"from_user_id": from, "to_user_id": to, "time": at})
	}
	for i, v := range s.visitors {
		// Ids merge one after the other: the last points to the one before it.
		for n := len(v.ids) - 1; n > 0; n-- {
			if at := begin.Add(time.Duration(i*3+n) * 2 * time.Hour); v.email != "" && at.Before(to) {
				add(v.ids[n], v.ids[n-1], at)
			}
		}
	}
	if id >= 998 {
		add(anaPhone, anaLaptop, clock(3, 20, 30))
	}
	if id >= 999 {
		add(anaLaptop, ana, clock(4, 21, 0)) // now a chain
	}
	if id == 999 {
		add(benTablet, ben, clock(4, 12, 0)) // a mistake, which 1000 takes back
	}
	return out
}

// list returns a table of a dump.
func (d *delivery) list(name string) *table {
	i := slices.IndexFunc(d.tables, func(t table) bool { return t.name == name })
	if i < 0 {
		panic(fmt.Sprintf("dump %d has no %s", d.id, name))
	}
	return &d.tables[i]
}

// put adds a row to the last part file of a table.
func (d *delivery) put(name string, r row) {
	t := d.list(name)
	p := &t.parts[len(t.parts)-1]
	p.rows = append(slices.Clip(p.rows), r)
}
