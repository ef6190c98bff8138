package export

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
)

// Write makes an export in dir, which must not hold one.
func Write(dir string, o Options) (Stats, error) {
	if err := o.Check(); err != nil {
		return Stats{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, recordName)); !errors.Is(err, fs.ErrNotExist) {
		return Stats{}, fmt.Errorf("%s holds an export already (%v)", dir, err)
	}
	w := newWorld(o, nil)
	total := &counter{}
	for d := range o.Dumps {
		w.current = d
		if err := w.writeDump(dir, total, w.dumpTables()); err != nil {
			return Stats{}, err
		}
	}
	return total.stats(int64(o.Dumps)), saveRecord(dir, record{Options: o, Nights: []Night{}})
}

type counter struct{ rows, bytes atomic.Int64 }

func (c *counter) stats(dump int64) Stats { return Stats{c.rows.Load(), c.bytes.Load(), dump} }

type span struct{ lo, hi int }

// share returns the part of n things that belongs to the current dump.
func (w *world) share(n int) span {
	d := int64(w.current)
	return span{int(int64(n) * d / int64(w.o.Dumps)), int(int64(n) * (d + 1) / int64(w.o.Dumps))}
}

// tableRows is what a dump holds of a table: the things that rows are made of,
// and how.
type tableRows struct {
	name   string
	fields []field
	rows   []int32
	fill   func(r *row, thing int)
	full   bool // before it everything is void
}

const mappingTable = "user_migrations"

func (w *world) pageviews(rows []int32) tableRows {
	return tableRows{name: "pageviews", fields: eventColumns(w.o.Columns), rows: w.byTime(rows), fill: w.event}
}

func (w *world) sessions(rows []int32) tableRows {
	return tableRows{name: "sessions", fields: sessionTableColumns(), rows: rows, fill: w.sessionRow}
}

func (w *world) users(rows []int32) tableRows {
	return tableRows{name: "users", fields: userTableColumns(), rows: rows, fill: w.userRow}
}

func (w *world) migrations() tableRows {
	return tableRows{name: mappingTable, fields: mappingColumns(), rows: w.mappedUsers(), fill: w.mapping, full: true}
}

// moreEvents is an event table beside pageviews, the k-th from 1 on, of n rows in
// all dumps together, evenly spread over the days and the sessions.
func (w *world) moreEvents(k int, name string, fields []field, n int) tableRows {
	fill := func(r *row, thing int) {
		i := undo(thing)
		r.event = i + k<<32
		r.he = w.hash(ofEvent, r.event)
		r.time = w.start + w.span()*int64(i)/int64(n) + int64(r.he%uint64(w.span()/int64(n)+1))
		w.fill(r, max(int(int64(i)*int64(w.o.Sessions)/int64(n))-int(r.he%8), 0))
		w.known(r, thing < 0, r.he)
	}
	return tableRows{name: name, fields: fields, rows: w.rows(w.share(n), n), fill: fill}
}

// eventTables lists those beside pageviews.
func (w *world) eventTables() []tableRows {
	var out []tableRows
	for k := range w.o.Tables {
		out = append(out, w.moreEvents(k+1, fmt.Sprintf("event_%02d", k+1), fewColumns(), w.o.TableEvents))
	}
	if w.o.Clicks > 0 {
		out = append(out, w.moreEvents(w.o.Tables+1, "clicks", clickColumns(), w.o.Clicks))
	}
	if w.o.Comments > 0 {
		out = append(out, w.moreEvents(w.o.Tables+2, "comments", commentColumns(), w.o.Comments))
	}
	return out
}

// dumpTables lists what the current dump delivers; the first one is full.
func (w *world) dumpTables() []tableRows {
	users := w.someUsers()
	if w.current == 0 {
		users = w.allUsers()
	}
	if w.current == w.o.Dumps-1 {
		users = append(users, w.newcomers()...)
	}
	out := []tableRows{
		w.pageviews(w.rows(w.share(w.o.Events), w.o.Events)),
		w.sessions(w.rows(w.share(w.o.Sessions), w.o.Sessions)),
		w.users(users),
	}
	out = append(out, w.eventTables()...)
	for i := range out {
		out[i].full = w.current == 0
	}
	return append(out, w.migrations())
}

// writeDump writes one dump: its tables, then its manifest.
func (w *world) writeDump(dir string, total *counter, tables []tableRows) error {
	m := manifest{DumpID: w.current + 1}
	for _, t := range tables {
		listed, err := w.writeTable(dir, total, t)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		m.Tables = append(m.Tables, listed)
	}
	return writeManifest(dir, m)
}

// mappedNow is how many users are mapped in the current dump: of the first
// dumps, each brings its part.
func (w *world) mappedNow() int {
	if w.current < w.o.Dumps {
		return w.mapped * (w.current + 1) / w.o.Dumps
	}
	return w.mapped
}

// rows lists the things of a dump, with those of earlier ones that come again,
// as negative numbers from -1 on. All dumps but nights together have n.
func (w *world) rows(s span, n int) []int32 {
	place := func(i int) int { return i }
	if w.o.Order == Random && w.current < w.o.Dumps {
		place = scatter(n)
	}
	var out []int32
	for i := max(s.lo-int(float64(s.hi-s.lo)*w.o.Overlap), 0); i < s.lo; i++ {
		out = append(out, int32(-place(i)-1))
	}
	for i := s.lo; i < s.hi; i++ {
		out = append(out, int32(place(i)))
	}
	if w.o.Order != Sorted {
		rng := rand.New(rand.NewPCG(w.o.Seed, uint64(w.current)))
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// scatter returns a permutation of the numbers below n in which neighbours end
// up far apart.
func scatter(n int) func(int) int {
	step := int64(float64(n)*0.618) | 1
	for gcd(step, int64(n)) != 1 {
		step += 2
	}
	return func(i int) int { return int(int64(i) * step % int64(n)) }
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// byTime puts events in the order of their time, if that is asked for.
func (w *world) byTime(events []int32) []int32 {
	if w.o.Order == Sorted {
		time := func(i int32) int64 { return w.eventTime(w.place(undo(int(i)))) }
		slices.SortStableFunc(events, func(a, b int32) int { return cmp.Compare(time(a), time(b)) })
	}
	return events
}

func (w *world) allUsers() []int32 { return numbers(0, w.o.Users) }

func (w *world) newcomers() []int32 { return numbers(w.o.Users, w.o.Users+w.o.Newcomers) }

func (w *world) mappedUsers() []int32 {
	return append(numbers(0, w.mappedNow()), numbers(w.o.Users, w.o.Users+w.mappedNewcomers)...)
}

func numbers(lo, hi int) []int32 {
	out := make([]int32, 0, hi-lo)
	for i := lo; i < hi; i++ {
		out = append(out, int32(i))
	}
	return out
}

// someUsers lists the users that a dump delivers again: each is in one of fifty.
func (w *world) someUsers() []int32 {
	const every = 50
	known := w.o.Users
	if w.current >= w.o.Dumps {
		known += w.o.Newcomers
	}
	var out []int32
	for u := range known {
		if int(w.hash(ofUser, u)%every) == w.current%every {
			out = append(out, int32(u))
		}
	}
	return out
}

func (w *world) fill(r *row, session int) {
	r.dump, r.session, r.user = w.current, session, w.user(session)
	r.hs, r.hu = w.hash(ofSession, session), w.hash(ofUser, r.user)
	r.raw = w.userID(r.user)
}

// known moves a row that is delivered again under the user that its user was
// found to be, in a third of the cases.
func (w *world) known(r *row, again bool, h uint64) {
	if again && h%3 == 0 && w.isMapped(r.user) {
		r.raw = w.userID(w.target(r.user))
	}
}

// undo returns the number of a thing, also of one that comes again.
func undo(i int) int {
	if i < 0 {
		return -i - 1
	}
	return i
}

func (w *world) event(r *row, thing int) {
	i := undo(thing)
	place := w.place(i)
	r.event, r.time, r.he = i, w.eventTime(place), w.hash(ofEvent, i)
	w.fill(r, w.session(place))
	w.known(r, thing < 0, r.he)
}

func (w *world) sessionRow(r *row, thing int) {
	s := undo(thing)
	w.fill(r, s)
	r.time = w.sessionTime(s)
	w.known(r, thing < 0, r.hs)
}

func (w *world) userRow(r *row, u int) {
	r.dump, r.user, r.hu, r.raw = w.current, u, w.hash(ofUser, u), w.userID(u)
	r.time = w.start + w.span()*int64(w.current)/int64(w.o.Dumps) + int64(r.hu%msPerDay)
}

func (w *world) mapping(r *row, u int) {
	w.userRow(r, u)
	r.time = w.start
}
