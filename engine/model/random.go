package model

import (
	"cmp"
	"fmt"
	"math/rand"
	"net/url"
	"slices"
	"strings"
)

// GenOptions steers Random. The zero value gives small worlds with everything
// in them but faults.
type GenOptions struct {
	Dumps  int // number of dumps; 0: 2 to 8
	Events int // event tables besides pageviews; 0: 1 to 3
	Rows   int // most new rows of a table in a dump; 0: 12
	Users  int // raw users; 0: 8
	// Faults is the probability that a file is missing, truncated or damaged
	// and, a quarter of that, that a manifest is unclear about incremental.
	Faults float64
	// Redeliveries is the probability that a dump delivers of a table what was delivered
	// of it last, as a whole and unchanged, or nearly so.
	Redeliveries float64
	// Growing is the probability that a file is not complete when its manifest
	// arrives; Grow goes on with it.
	Growing float64
	// KeepMappings withdraws no mapping entries, so that no guard trips
	// whatever dumps have arrived.
	KeepMappings bool
	// Shrinks is the probability that the mapping, which maps all users from the
	// first dump on, loses most of its entries or all of them. It is about the
	// probability that they come back, too.
	Shrinks float64
	// Resyncs is the probability that a delivery is a full resync, 0 for a few of them. Those
	// leave out anything from no row to all, and some are of none.
	Resyncs float64
	// Tame leaves out values that do not cast, rows without keys, odd times
	// and drifting schemas.
	Tame bool
}

// gen is one invention under way. Dumps are snapshots of the tables that it
// keeps changing.
type gen struct {
	dice
	encoder encoder
	opt     GenOptions
	users   []int64
	tables  []*genTable
	pairs   map[int64]int64 // the mapping
	lost    map[int64]int64 // as it was before it shrank
	dump    *Dump
	at      int // index of the dump
	part    int
	history []*File
	listed  map[string]string // by field what manifests list for it
}

// genTable is the truth behind one table.
type genTable struct {
	name, key string // key is empty for users
	columns   []*genColumn
	rows      []*genRow
	changed   map[*genRow]bool // since the last delivery
	last      []Entry          // the last delivery
}

// genColumn is delivered from dump since on, before dump until.
type genColumn struct {
	name         string
	since, until int
	schema       any // set: values are Avro values of it; else texts
	value        func(r *rand.Rand) any
}

type genRow struct {
	key, user, session int64
	times              map[string]int64 // by column, in milliseconds
	values             map[*genColumn]any
	wild               any // delivered in the place of times, if set
}

// Random invents an export; the same random numbers give the same world. Tables
// are pageviews, sessions, users, user_migrations, _event_metadata and event
// tables out of eventNames; their columns are those of columnPool, of which
// revenue suits a decimal, qty an int64, ratio a double, ok a boolean, payload
// json, seen a timestamp and born a date, each with some values that do not cast.
func Random(r *rand.Rand, opt GenOptions) *World {
	or := func(v *int, least, most int) {
		if *v == 0 {
			*v = least + r.Intn(most-least+1)
		}
	}
	or(&opt.Dumps, 2, 8)
	or(&opt.Events, 1, 3)
	or(&opt.Rows, 12, 12)
	or(&opt.Users, 8, 8)
	d := dice{r: r, tame: opt.Tame}
	g := &gen{dice: d, encoder: encoder{d}, opt: opt, pairs: map[int64]int64{}, listed: map[string]string{}}
	g.users = []int64{1, 2, 3, 40, -5, 1<<53 + 1, 9_223_372_036_854_775_807, 0}[:min(8, opt.Users)]
	for len(g.users) < opt.Users {
		g.users = append(g.users, int64(100+len(g.users)))
	}
	g.invent()
	w := &World{}
	id := []int64{1, 7, 996, 1_234, 9_007_199_254_740_993}[r.Intn(5)]
	for g.at = range opt.Dumps {
		g.dump = &Dump{ID: id, TextID: g.chance(0.1)}
		g.deliver()
		w.Dumps = append(w.Dumps, g.dump)
		id += 1 + int64(r.Intn(3))
	}
	return w
}

// dice decide at random. Copies share their random numbers.
type dice struct {
	r    *rand.Rand
	tame bool // that of GenOptions
}

// chance says yes with probability p.
func (d dice) chance(p float64) bool { return d.r.Float64() < p }

// wild is chance for what tame worlds do not have.
func (d dice) wild(p float64) bool { return d.chance(p) && !d.tame }

func oneOf[T any](r *rand.Rand, list ...T) T { return list[r.Intn(len(list))] }

// eventNames are what event tables are called, besides pageviews.
var eventNames = []string{"checkout", "Add To Cart", "click", "weird.name", "ünï_cödé", "per%cent", "-dash", "con",
	"UPPER", "a:b", `quo"te`, "_hidden"}

// invent makes up the tables.
func (g *gen) invent() {
	names := slices.Clone(eventNames)
	g.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if g.opt.Tame {
		names = []string{"checkout", "click", "search", "signup"}
	}
	names = append([]string{"pageviews"}, names[:min(g.opt.Events, len(names))]...)
	for _, name := range names {
		key := "event_id"
		if name != "pageviews" && g.chance(0.1) {
			key = "session_id"
		}
		g.tables = append(g.tables, g.table(name, key))
	}
	g.tables = append(g.tables, g.table("sessions", "session_id"), g.table(users, ""), g.table("_event_metadata", "event_id"))
}

func (g *gen) table(name, key string) *genTable {
	t := &genTable{name: name, key: key, changed: map[*genRow]bool{}}
	for _, i := range g.r.Perm(len(columnPool))[:3+g.r.Intn(6)] {
		c := columnPool[i]
		if g.opt.Tame && c.odd {
			continue
		}
		n := &genColumn{name: c.name, schema: c.schema, value: c.value, until: g.opt.Dumps}
		if g.wild(0.2) {
			n.since = g.r.Intn(g.opt.Dumps)
		}
		if g.wild(0.15) {
			n.until = n.since + 1 + g.r.Intn(g.opt.Dumps)
		}
		t.columns = append(t.columns, n)
	}
	return t
}

// deliver fills the dump under way.
func (g *gen) deliver() {
	for _, t := range g.tables {
		g.evolve(t)
		if g.opt.Redeliveries > 0 && len(t.last) > 0 && g.chance(g.opt.Redeliveries) {
			t.last = g.redeliver(t)
			g.dump.Entries = append(g.dump.Entries, t.last...)
		} else if !g.chance(0.12) { // else the manifest does not list it
			t.last = g.entries(t)
			g.dump.Entries = append(g.dump.Entries, t.last...)
		}
	}
	g.evolveMapping()
	if !g.chance(0.25) {
		g.dump.Entries = append(g.dump.Entries, g.mapping())
	}
	g.beginFiles()
	g.r.Shuffle(len(g.dump.Entries), func(i, j int) {
		g.dump.Entries[i], g.dump.Entries[j] = g.dump.Entries[j], g.dump.Entries[i]
	})
}

// beginFiles leaves some of the dump's own files incomplete.
func (g *gen) beginFiles() {
	if g.opt.Growing == 0 {
		return
	}
	own := fmt.Sprintf("sync_%d/", g.dump.ID)
	for _, e := range g.dump.Entries {
		for _, f := range e.Files {
			if strings.HasPrefix(f.Key, own) && g.chance(g.opt.Growing) {
				f.begin(g.r)
				f.Draft = g.chance(0.2)
			}
		}
	}
}

// entries lists what the dump says of a table: usually in one entry.
func (g *gen) entries(t *genTable) []Entry {
	e := Entry{Table: t.name, Incremental: Bool(true)}
	rows := g.pick(t)
	if full := g.chance(cmp.Or(g.opt.Resyncs, 0.12)) || g.at == 0 && g.chance(0.5); full {
		e.Incremental = Bool(false)
		lacks := 0.15
		if g.opt.Resyncs > 0 {
			lacks = oneOf(g.r, 0, 0.15, 0.3, 0.5, 0.7, 0.95)
		}
		rows = slices.DeleteFunc(slices.Clone(t.rows), func(*genRow) bool { return g.chance(lacks) })
		if g.chance(0.2) {
			rows = nil
		}
	}
	g.r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	e.Files = g.files(t, rows)
	e.Columns = g.columns(t, e.Files)
	g.history = append(g.history, e.Files...)
	if *e.Incremental && g.chance(0.1) {
		e.Files = append(e.Files, g.again(t, e.Files)...)
	}
	if g.chance(g.opt.Faults / 4) {
		e.Incremental = nil
	}
	if len(e.Files) > 1 && g.chance(0.15) {
		second := e
		e.Files, second.Files = e.Files[:1], e.Files[1:]
		if g.chance(g.opt.Faults / 4) {
			second.Incremental = Bool(e.Incremental == nil || !*e.Incremental)
		}
		return []Entry{e, second}
	}
	return []Entry{e}
}

// again returns files of the table that were delivered before: the content in
// a new file, the very file of an older dump, or one of this dump twice.
func (g *gen) again(t *genTable, own []*File) []*File {
	var old []*File
	for _, f := range g.history {
		if f.table == t.name && !slices.Contains(own, f) {
			old = append(old, f)
		}
	}
	switch {
	case len(own) > 0 && g.chance(0.3):
		return []*File{oneOf(g.r, own...)}
	case len(old) == 0:
		return nil
	case g.chance(0.3):
		return []*File{oneOf(g.r, old...)}
	}
	f := *oneOf(g.r, old...)
	f.Key, f.Fault = g.fileKey(t.name), g.fault()
	return []*File{&f}
}

// pick returns the rows that an incremental delivery brings: what changed,
// some that did not, some twice.
func (g *gen) pick(t *genTable) []*genRow {
	var out []*genRow
	for _, row := range t.rows {
		if t.changed[row] || g.chance(0.15) {
			out = append(out, row)
		}
		if g.chance(0.05) {
			out = append(out, row)
		}
	}
	clear(t.changed)
	return out
}

func (g *gen) fault() Fault {
	if g.chance(g.opt.Faults) {
		return oneOf(g.r, Missing, Truncated, Damaged, Keyless)
	}
	return None
}

// fileKey invents the name of the next part file, sometimes in the older layout.
func (g *gen) fileKey(table string) string {
	folder := "_heap_table_name=" + url.PathEscape(table)
	if g.chance(0.1) {
		folder = url.PathEscape(table)
	}
	g.part++
	return fmt.Sprintf("sync_%d/%s/part-%05d-%08x-%04x-4%03x-a%03x-%012x.avro", g.dump.ID, folder, g.part%4,
		g.r.Uint32(), g.r.Intn(1<<16), g.r.Intn(1<<12), g.r.Intn(1<<12), g.r.Int63n(1<<48))
}
