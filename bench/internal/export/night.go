package export

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Night is one more dump on top of an export, the harvest of a night.
type Night struct {
	Events     int     // of which Overlap of the options are delivered again; times in the last two days
	Old        float64 // share of new events that happened at any time before
	Users      int     // rows of users that are delivered again; 0: a fiftieth; negative: none
	Migrations int     // mapped now and not before
	Recent     bool    // they are newcomers, else users of all days
	Again      bool    // nothing of the above: the dump before it, unchanged
}

// Flags declares the flags that fill n.
func (n *Night) Flags(fs *flag.FlagSet) {
	fs.IntVar(&n.Events, "night", 0, "events of the night")
	fs.Float64Var(&n.Old, "night-old", 0, "share of its new events that happened at any time before the last two days")
	fs.IntVar(&n.Users, "night-users", 0, "users that the night delivers again; 0: a fiftieth; negative: none")
	fs.IntVar(&n.Migrations, "night-migrations", 100, "users that the night maps for the first time")
	fs.BoolVar(&n.Recent, "night-recent", false, "the users that it maps are newcomers, whom only the last two days know")
	fs.BoolVar(&n.Again, "night-again", false, "the night delivers the dump before it again, unchanged")
}

// Args returns flags that mean n.
func (n Night) Args() []string {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	m := n
	m.Flags(fs)
	m = n // declaring a flag sets it to its default
	var out []string
	fs.VisitAll(func(f *flag.Flag) { out = append(out, "-"+f.Name+"="+f.Value.String()) })
	return out
}

// recordName is the file in which an export remembers how it was made.
const recordName = "generated.json"

type record struct {
	Options Options
	Nights  []Night
}

func loadRecord(dir string) (record, error) {
	var rec record
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return rec, fmt.Errorf("%s: no export that a night could follow: %w", dir, err)
	}
	return rec, nil
}

func saveRecord(dir string, r record) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordName), append(data, '\n'), 0o666)
}

// AddNight adds one dump to the export in dir.
func AddNight(dir string, n Night) (Stats, error) {
	rec, err := loadRecord(dir)
	if err != nil {
		return Stats{}, err
	}
	rec.Nights = append(rec.Nights, n)
	w := newWorld(rec.Options, rec.Nights)
	w.current = rec.Options.Dumps + len(rec.Nights) - 1
	total := &counter{}
	if n.Again {
		err = w.repeat(dir, total)
	} else {
		err = w.addNight(dir, total, n)
	}
	if err != nil {
		return Stats{}, err
	}
	return total.stats(int64(w.current + 1)), saveRecord(dir, rec)
}

func (w *world) addNight(dir string, total *counter, n Night) error {
	switch {
	case w.mapped > w.o.Users/2:
		return fmt.Errorf("%d of %d users are mapped: at most half can be", w.mapped, w.o.Users)
	case w.mappedNewcomers > w.o.Newcomers:
		return fmt.Errorf("%d newcomers are mapped, there are %d", w.mappedNewcomers, w.o.Newcomers)
	case !(n.Old >= 0 && n.Old <= 1):
		return fmt.Errorf("share of old rows: %v is not from 0 to 1", n.Old)
	}
	last := w.nights[len(w.nights)-1]
	return w.writeDump(dir, total, w.nightTables(n, last))
}

// nightTables lists what a night delivers: no table without rows, but always the
// mapping.
func (w *world) nightTables(n Night, p nightPart) []tableRows {
	var out []tableRows
	if n.Events > 0 {
		out = append(out, w.pageviews(w.rows(p.events, w.o.Events)), w.sessions(w.rows(p.sessions, w.o.Sessions)))
	}
	if n.Users >= 0 {
		out = append(out, w.users(w.usersAgain(n.Users)))
	}
	return append(out, w.migrations())
}

// usersAgain lists n users that are delivered again, spread over all; 0 stands
// for a fiftieth of them.
func (w *world) usersAgain(n int) []int32 {
	if n == 0 {
		return w.someUsers()
	}
	var out []int32
	all := w.o.Users + w.o.Newcomers
	n = min(n, all)
	for i := range n {
		out = append(out, int32(int64(i)*int64(all)/int64(n)))
	}
	return out
}

// repeat delivers the last dump once more, in part files that are links to its.
func (w *world) repeat(dir string, total *counter) error {
	data, err := os.ReadFile(manifestName(dir, w.current))
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("manifest of dump %d: %w", w.current, err)
	}
	m.DumpID = w.current + 1
	for i := range m.Tables {
		t := &m.Tables[i]
		if !t.Incremental && t.Name != mappingTable {
			return errors.New("the last dump is a full one: delivered again it would be a resync")
		}
		for k, from := range t.Files {
			key := strings.TrimPrefix(from, bucket)
			_, rest, _ := strings.Cut(key, "/")
			to := path.Join(fmt.Sprintf("sync_%d", m.DumpID), rest)
			size, err := link(filepath.Join(dir, filepath.FromSlash(key)), filepath.Join(dir, filepath.FromSlash(to)))
			if err != nil {
				return err
			}
			total.bytes.Add(size)
			t.Files[k] = bucket + to
		}
	}
	return writeManifest(dir, m)
}

func link(from, to string) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return 0, err
	}
	if err := os.Link(from, to); err != nil {
		return 0, err
	}
	fi, err := os.Stat(to)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// RemoveNight takes the last night away again.
func RemoveNight(dir string) error {
	rec, err := loadRecord(dir)
	if err != nil {
		return err
	}
	if len(rec.Nights) == 0 {
		return fmt.Errorf("%s: no night to remove", dir)
	}
	id := rec.Options.Dumps + len(rec.Nights)
	rec.Nights = rec.Nights[:len(rec.Nights)-1]
	if err := os.Remove(manifestName(dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("sync_%d", id))); err != nil {
		return err
	}
	return saveRecord(dir, rec)
}
