package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// recordName is the file in which an export remembers how it was made.
const recordName = "generated.json"

type record struct {
	Options Options
	Nights  []Night
}

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
		if err := w.writeDump(dir, total, w.share(d, o.Events), w.share(d, o.Sessions), d == 0); err != nil {
			return Stats{}, err
		}
	}
	return total.stats(int64(o.Dumps)), saveRecord(dir, record{Options: o})
}

// AddNight adds one dump to the export in dir.
func AddNight(dir string, n Night) (Stats, error) {
	var rec record
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return Stats{}, fmt.Errorf("%s: no export that a night could follow: %w", dir, err)
	}
	w := newWorld(rec.Options, rec.Nights)
	events, sessions := rec.Options.Events, rec.Options.Sessions
	for _, old := range rec.Nights {
		fresh := w.fresh(old)
		events += fresh
		sessions += fresh/eventsPerSession + 1
		w.mapped += old.Migrations
	}
	w.mapped += n.Migrations
	w.current = rec.Options.Dumps + len(rec.Nights)
	if w.mapped > rec.Options.Users/2 {
		return Stats{}, fmt.Errorf("%d of %d users are mapped: at most half can be", w.mapped, rec.Options.Users)
	}
	total := &counter{}
	fresh := w.fresh(n)
	err = w.writeDump(dir, total, span{events, events + fresh}, span{sessions, sessions + fresh/eventsPerSession + 1}, false)
	if err != nil {
		return Stats{}, err
	}
	rec.Nights = append(rec.Nights, n)
	return total.stats(int64(w.current + 1)), saveRecord(dir, rec)
}

// fresh returns how many events of a night are new.
func (w *world) fresh(n Night) int {
	return n.Events - int(float64(n.Events)*w.o.Overlap/(1+w.o.Overlap))
}

func saveRecord(dir string, r record) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordName), append(data, '\n'), 0o666)
}

type counter struct{ rows, bytes atomic.Int64 }

func (c *counter) stats(dump int64) Stats { return Stats{c.rows.Load(), c.bytes.Load(), dump} }

type span struct{ lo, hi int }

// share returns the part of n things that belongs to dump d.
func (w *world) share(d, n int) span { return span{n * d / w.o.Dumps, n * (d + 1) / w.o.Dumps} }

// writeDump writes one dump: its tables, then its manifest.
func (w *world) writeDump(dir string, total *counter, events, sessions span, full bool) error {
	users := span{0, w.o.Users}
	everyUser := 1
	if !full {
		everyUser = 50
	}
	var tables []manifestTable
	for _, t := range []struct {
		name   string
		fields []field
		rows   []int32
		fill   func(r *row, i int)
		full   bool
	}{
		{"pageviews", eventColumns(w.o.Columns), w.rows(events, true), w.event, full},
		{"sessions", sessionTableColumns(), w.rows(sessions, true), w.sessionRow, full},
		{"users", userTableColumns(), w.someUsers(users, everyUser), w.userRow, full},
		{"user_migrations", mappingColumns(), w.rows(span{0, w.mappedNow()}, false), w.mapping, true},
	} {
		m, err := w.writeTable(dir, total, t.name, t.fields, t.rows, t.fill)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		m.Incremental = !t.full
		tables = append(tables, m)
	}
	return w.writeManifest(dir, tables)
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
// as negative numbers from -1 on.
func (w *world) rows(s span, overlap bool) []int32 {
	var out []int32
	if overlap {
		for i := s.lo - int(float64(s.hi-s.lo)*w.o.Overlap); i < s.lo; i++ {
			if i >= 0 {
				out = append(out, int32(-i-1))
			}
		}
	}
	for i := s.lo; i < s.hi; i++ {
		out = append(out, int32(i))
	}
	if overlap && !w.o.Sorted {
		rng := rand.New(rand.NewPCG(w.o.Seed, uint64(w.current)))
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

func (w *world) someUsers(s span, every int) []int32 {
	var out []int32
	for u := s.lo; u < s.hi; u++ {
		if int(w.hash(ofUser, u)%uint64(every)) == w.current%every {
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
	if again && r.user < w.mappedNow() && h%3 == 0 {
		r.raw = w.userID(w.target(r.user))
	}
}

func undo(i int) (int, bool) {
	if i < 0 {
		return -i - 1, true
	}
	return i, false
}

func (w *world) event(r *row, i int) {
	i, again := undo(i)
	r.event, r.time, r.he = i, w.eventTime(i), w.hash(ofEvent, i)
	w.fill(r, w.session(i))
	w.known(r, again, r.he)
}

func (w *world) sessionRow(r *row, s int) {
	s, again := undo(s)
	w.fill(r, s)
	r.time = w.sessionTime(s)
	w.known(r, again, r.hs)
}

func (w *world) userRow(r *row, u int) {
	r.dump, r.user, r.hu, r.raw = w.current, u, w.hash(ofUser, u), w.userID(u)
	r.time = w.start + w.span()*int64(w.current)/int64(w.o.Dumps) + int64(r.hu%msPerDay)
}

func (w *world) mapping(r *row, u int) {
	w.userRow(r, u)
	r.time = w.start
}

type manifestTable struct {
	Name        string   `json:"name"`
	Files       []string `json:"files"`
	Columns     []string `json:"columns"`
	Incremental bool     `json:"incremental"`
}

// writeTable writes the part files of one table, several at a time.
func (w *world) writeTable(dir string, total *counter, name string, fields []field, rows []int32, fill func(*row, int)) (manifestTable, error) {
	m := manifestTable{Name: name, Files: []string{}}
	for _, f := range fields {
		m.Columns = append(m.Columns, f.name)
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	folder := fmt.Sprintf("sync_%d/_heap_table_name=%s", w.current+1, name)
	for part := range slices.Chunk(rows, w.o.FileRows) {
		key := path.Join(folder, fmt.Sprintf("part-%05d-%016x.avro", len(m.Files), w.hash(ofTime, w.current<<16+len(m.Files))))
		m.Files = append(m.Files, "s3://bench/"+key)
		g.Go(func() error {
			size, err := w.writeFile(filepath.Join(dir, filepath.FromSlash(key)), fields, len(part), func(i int, r *row) { fill(r, int(part[i])) })
			total.rows.Add(int64(len(part)))
			total.bytes.Add(size)
			return err
		})
	}
	return m, g.Wait()
}

func (w *world) writeManifest(dir string, tables []manifestTable) error {
	data, err := json.Marshal(map[string]any{"dump_id": w.current + 1, "tables": tables})
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "manifests", fmt.Sprintf("sync_%d.json", w.current+1))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}
