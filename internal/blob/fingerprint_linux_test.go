package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lake is a folder of a table with a file in each of its folders.
type lake struct {
	t    *testing.T
	dir  string
	l    *Local
	keys []string
	was  []Object // when the fingerprint was made
}

func newLake(t *testing.T) *lake {
	k := &lake{t: t, dir: t.TempDir()}
	for y := range 2 {
		for m := range 3 {
			k.keys = append(k.keys, fmt.Sprintf("t/y=%d/m=%d/part", y, m))
		}
	}
	k.keys = append(k.keys, "t/y=1/part")
	for _, key := range k.keys {
		k.write(key, "x")
	}
	k.write("other/file", "x")
	l, err := NewLocal(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Settle = 50 * time.Millisecond // more than a tick of any clock that dates folders
	k.l = l
	return k
}

func (k *lake) write(key, content string) {
	k.t.Helper()
	name := filepath.Join(k.dir, key)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		k.t.Fatal(err)
	}
}

// fingerprint makes a fingerprint once all folders have settled that will.
func (k *lake) fingerprint() string {
	k.t.Helper()
	d, err := os.Open(k.dir)
	if err != nil {
		k.t.Fatal(err)
	}
	defer d.Close()
	if ok, err := keepsTimes(int(d.Fd())); !ok {
		k.t.Skip("this file system is none that has fingerprints", err)
	}
	time.Sleep(2 * k.l.Settle)
	k.was, err = k.l.List(context.Background(), "t")
	k.do(err)
	m, err := k.l.Fingerprint(context.Background(), "t", k.keys)
	if err != nil {
		k.t.Fatal(err)
	}
	return m
}

// files are those of the keys, with the pins that they had when the fingerprint was made.
func (k *lake) files() []Pinned {
	var out []Pinned
	for _, key := range k.keys {
		i := slices.IndexFunc(k.was, func(o Object) bool { return o.Key == key })
		out = append(out, Pinned{key, k.was[i].Pin})
	}
	return out
}

// check lists with a fingerprint, and checks that everything is found that is there.
func (k *lake) check(fingerprint string, wantWhole bool) {
	k.t.Helper()
	got, whole, err := k.l.ListSince(context.Background(), "t", fingerprint, k.files())
	if err != nil {
		k.t.Fatal(err)
	}
	want, err := k.l.List(context.Background(), "t")
	if err != nil {
		k.t.Fatal(err)
	}
	if whole && slices.Equal(want, k.was) {
		want = nil
	}
	if !slices.Equal(got, want) {
		k.t.Errorf("got %v, want %v", got, want)
	}
	if whole != wantWhole {
		k.t.Errorf("whole is %v", whole)
	}
}

func TestFingerprint(t *testing.T) {
	for name, c := range map[string]struct {
		before func(k *lake)
		after  func(k *lake)
		whole  bool
		open   int // folders that are listed all the same
	}{
		"nothing":                 {whole: true},
		"a file rewritten":        {after: func(k *lake) { k.write("t/y=1/m=1/part", "other") }, whole: true},
		"a new file":              {after: func(k *lake) { k.write("t/y=1/m=1/foreign", "x") }},
		"a new folder":            {after: func(k *lake) { k.write("t/y=3/m=1/part", "x") }},
		"an empty folder":         {after: func(k *lake) { k.do(os.Mkdir(k.at("t/y=1/m=9"), 0o777)) }},
		"a file removed":          {after: func(k *lake) { k.do(os.Remove(k.at("t/y=1/m=1/part"))) }},
		"a folder removed":        {after: func(k *lake) { k.do(os.RemoveAll(k.at("t/y=1"))) }},
		"a file replaced":         {after: func(k *lake) { k.do(os.Rename(k.at("other/file"), k.at("t/y=1/part"))) }},
		"a file put for a folder": {after: func(k *lake) { k.do(os.RemoveAll(k.at("t/y=1"))); k.write("t/y=1", "x") }},
		"a link for a folder": {after: func(k *lake) {
			k.do(os.Rename(k.at("t/y=1"), k.at("other/y=1")))
			k.do(os.Symlink("../other/y=1", k.at("t/y=1")))
		}},
		"a link for a file": {after: func(k *lake) {
			k.do(os.Rename(k.at("t/y=1/part"), k.at("other/part")))
			k.do(os.Symlink("../../other/part", k.at("t/y=1/part")))
		}},
		"a folder that was replaced by its copy": {after: func(k *lake) {
			k.do(os.Rename(k.at("t/y=1"), k.at("other/y=1")))
			k.do(os.CopyFS(k.at("t/y=1"), os.DirFS(k.at("other/y=1"))))
			info, err := os.Stat(k.at("other/y=1"))
			k.do(err)
			k.do(os.Chtimes(k.at("t/y=1"), info.ModTime(), info.ModTime()))
		}},
		"times put back": {after: func(k *lake) {
			info, err := os.Stat(k.at("t/y=1"))
			k.do(err)
			k.write("t/y=1/foreign", "x")
			k.do(os.Chtimes(k.at("t/y=1"), info.ModTime(), info.ModTime()))
		}},
		"a stranger": {
			before: func(k *lake) { k.write("t/y=1/m=1/stranger", "x") },
			after:  func(k *lake) { k.write("t/y=1/m=1/stranger", "changed") }, open: 1},
		"a strange folder": {
			before: func(k *lake) { k.do(os.MkdirAll(k.at("t/y=1/strange/deep"), 0o777)) },
			after:  func(k *lake) { k.write("t/y=1/strange/deep/file", "x") }, open: 1},
		"a stranger beside the folders": {
			before: func(k *lake) { k.write("t/stranger", "x") },
			after:  func(k *lake) { k.write("t/new", "x") }, open: 1},
		"an unfinished write": {before: func(k *lake) { k.write("t/y=1/"+TempName(), "x") }, whole: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newLake(t)
			if c.before != nil {
				c.before(k)
			}
			fingerprint := k.fingerprint()
			if open := strings.Count(fingerprint, fingerprintSep); fingerprint == "" || open != c.open {
				t.Fatalf("the fingerprint is %q", fingerprint)
			}
			k.check(fingerprint, c.open == 0)
			if c.after != nil {
				c.after(k)
			}
			k.check(fingerprint, c.whole)
		})
	}
}

func (k *lake) at(key string) string { return filepath.Join(k.dir, key) }

func (k *lake) do(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// A folder that changed a moment ago may change again at the same time.
func TestYoungFoldersAreListed(t *testing.T) {
	k := newLake(t)
	k.fingerprint()
	k.l.Settle = time.Hour
	if m, err := k.l.Fingerprint(context.Background(), "t", k.keys); m != "" || err != nil {
		t.Fatalf("%q, %v", m, err)
	}
	k.l.Settle = time.Second
	time.Sleep(1100 * time.Millisecond)
	k.write("t/y=0/m=2/young", "x")
	k.do(os.Remove(k.at("t/y=0/m=2/young")))
	m, err := k.l.Fingerprint(context.Background(), "t", k.keys)
	if _, open, _ := strings.Cut(m, fingerprintSep); open != "t/y=0/m=2" || err != nil {
		t.Fatalf("%q, %v", m, err)
	}
	k.write("t/y=0/m=2/young", "x")
	k.check(m, false)
}

// How long a folder takes to settle follows from its times.
func TestSettled(t *testing.T) {
	now := time.Unix(1_700_000_000, 500_000_000)
	ago := func(d time.Duration) unix.Timespec { return unix.NsecToTimespec(now.Add(-d).UnixNano()) }
	const half = 500 * time.Millisecond
	for _, c := range []struct {
		settle, changed, modified time.Duration
		want                      bool
	}{
		{0, 51 * time.Millisecond, 51 * time.Millisecond, true},
		{0, 49 * time.Millisecond, time.Minute, false},
		{0, 51 * time.Millisecond, 49 * time.Millisecond, false},
		{0, half, half, false}, // in whole seconds
		{0, half + time.Second, half + time.Second, false},
		{0, half + 2*time.Second, half + 2*time.Second, true},
		{time.Second, 999 * time.Millisecond, time.Minute, false},
		{time.Second, 1001 * time.Millisecond, time.Minute, true},
		{time.Second, half + time.Second, time.Minute, true},
	} {
		st := &unix.Stat_t{Ctim: ago(c.changed), Mtim: ago(c.modified)}
		if got := (clock{now, c.settle}).settled(st); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// An apply takes the fingerprint of what it has just written, and so that changes from then on show.
func TestFingerprintSoon(t *testing.T) {
	k := newLake(t)
	k.fingerprint()
	k.l.Settle = 0
	for i := range 5 {
		k.write("t/y=1/part", "x")
		k.do(os.Rename(k.at("t/y=1/part"), k.at("t/y=1/other")))
		k.do(os.Rename(k.at("t/y=1/other"), k.at("t/y=1/part")))
		time.Sleep(2 * fineSettle)
		m, err := k.l.Fingerprint(context.Background(), "t", k.keys)
		if err != nil || m == "" || strings.Contains(m, fingerprintSep) {
			t.Fatalf("%d: %q, %v", i, m, err)
		}
		k.write("t/y=1/foreign", "x")
		k.check(m, false)
		k.do(os.Remove(k.at("t/y=1/foreign")))
	}
}

func TestFingerprintOfNothing(t *testing.T) {
	k := newLake(t)
	fingerprint := k.fingerprint()
	for _, c := range []struct {
		prefix string
		keys   []string
	}{{"no/such", nil}, {"t", []string{"t/no/such"}}, {"t", []string{"t/y=0/m=0/part", "t/y=0/m=7/part"}}} {
		if m, err := k.l.Fingerprint(context.Background(), c.prefix, c.keys); m != "" || err != nil {
			t.Errorf("%s: %q, %v", c.prefix, m, err)
		}
	}
	for _, m := range []string{"x", fingerprint + fingerprintSep + "t/no/such", fingerprint[1:], fingerprint + fingerprintSep + "t/y=0"} {
		k.check(m, false)
	}
	k.do(os.RemoveAll(k.at("t")))
	if _, _, err := k.l.ListSince(context.Background(), "t", fingerprint, k.files()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// What a listing costs: these numbers are to be changed on purpose only.
func TestListingCosts(t *testing.T) {
	k := newLake(t)
	fingerprint := k.fingerprint()
	root, err := os.OpenRoot(k.dir)
	k.do(err)
	defer root.Close()
	w := newWalker(context.Background(), root)
	k.do(w.in("t", func(fd int) error { return w.walk(fd, "t") }))
	if w.stats != 7 || w.reads != 9 {
		t.Errorf("to list 7 files in 9 folders: %d looks, %d reads", w.stats, w.reads)
	}
	w = newWalker(context.Background(), root)
	k.do(w.in("t", func(fd int) error {
		ok, err := w.since(fd, "t", fingerprint, nil, k.files())
		if !ok || w.list != nil {
			t.Error("the fingerprint does not hold, or files are listed")
		}
		return err
	}))
	if w.stats != 7+9 || w.reads != 0 {
		t.Errorf("with a fingerprint: %d looks, %d reads", w.stats, w.reads)
	}
}

// A brief look sees what any other does.
func TestStatBriefly(t *testing.T) {
	k := newLake(t)
	k.do(os.Symlink("part", k.at("t/y=1/link")))
	root, err := os.OpenRoot(k.dir)
	k.do(err)
	defer root.Close()
	w := newWalker(context.Background(), root)
	k.do(w.in("t", func(fd int) error {
		for _, name := range []string{".", "y=1", "y=1/part", "y=1/link", "y=1/no", "y=1/part/no", "y=1/link/no", strings.Repeat("y", 300)} {
			w.brief = false
			var want, got unix.Stat_t
			werr := w.statAt(fd, name, &want)
			w.brief = true
			if err := w.statAt(fd, name, &got); err != werr || got != want {
				t.Errorf("%s: got %+v, %v, want %+v, %v", name, got, err, want, werr)
			}
		}
		return nil
	}))
}

func TestNoFingerprintWithoutTimes(t *testing.T) {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	if ok, err := keepsTimes(fd); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}
