package engine

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var flagSwaps = flag.Int("swaps", 25, "applies during which folders are swapped for links")

// TestSwappedLinks swaps folders of the sink and of the source for links to a folder
// elsewhere, and back, while applies run. Nothing elsewhere is changed, read or
// removed, and without the links all is well.
func TestSwappedLinks(t *testing.T) {
	r := rand.New(rand.NewSource(*flagKillSeed))
	a := newBed(t, "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = [date(time)]\n}\n")
	elsewhere := a.elsewhere()
	before := fileTexts(t, elsewhere)
	for i := 1; i <= *flagSwaps; i++ {
		rows := [][]any{row(i, 10, "2026-01-05"), row(1, 10, fmt.Sprintf("2026-01-%02d", 5+i%3))}
		a.arrive(dumpOf(int64(i), more("e", avroPart("event_id user_id time", rows...))))
		spots := []string{"lake/e", "lake/_reconcile", "lake/e/date=2026-01-05", fmt.Sprintf("dumps/sync_%d", i), fmt.Sprintf("dumps/sync_%d/x", i)}
		stop := a.swap(rand.New(rand.NewSource(*flagKillSeed+int64(i))), filepath.Join(a.dir, spots[r.Intn(len(spots))]), elsewhere)
		res, err := a.apply()
		stop()
		if err == nil && res != nil {
			t.Logf("dump %d: %d tables, held %v", i, len(res.Tables), res.Holds)
		} else {
			t.Logf("dump %d: %v", i, err)
		}
		if after := fileTexts(t, elsewhere); !slices.Equal(before, after) {
			t.Fatalf("files elsewhere were changed:\n%q\n%q", before, after)
		}
	}
	if _, err := a.apply(); err != nil {
		t.Fatal(err)
	}
	a.must()
	if got := a.got("e", "event_id"); slices.Contains(got, "666") {
		t.Error("rows from elsewhere were applied")
	}
}

// elsewhere is a folder with files of the names that are asked for in the sink and in
// the source.
func (a *bed) elsewhere() string {
	a.t.Helper()
	dir := filepath.Join(a.dir, "elsewhere")
	foreign := dumpOf(666, more("e", avroPart("event_id user_id time", row(666, 10, "2026-01-05"))))
	foreign.Entries[0].Files[0].Key = "part-00000.avro"
	err := foreign.Write(dir)
	for _, name := range []string{"part-00000.parquet", "date=2026-01-05/part-00000.parquet", "current.json", "staging/x/part-00000", "x/part-00000.avro"} {
		text := []byte("not ours: " + name)
		if name == "x/part-00000.avro" {
			var e error
			text, e = os.ReadFile(filepath.Join(dir, "part-00000.avro"))
			err = errors.Join(err, e)
		}
		err = errors.Join(err, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return dir
}

func fileTexts(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, f := range killFiles(dir) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f+" "+string(data))
	}
	return out
}

// swap swaps what is at a path for a link and back until it is told to stop.
func (a *bed) swap(r *rand.Rand, at, to string) (stop func()) {
	a.t.Helper()
	link := filepath.Join(a.dir, "link")
	_ = os.Remove(link)
	if err := os.Symlink(to, link); err != nil {
		a.t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	exchange := func() error {
		err := unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.ENOENT) {
			return nil // it is not there yet
		}
		return err
	}
	wg.Go(func() {
		for {
			if err := exchange(); err != nil {
				a.t.Error(err)
				return
			}
			select {
			case <-done:
				return
			case <-time.After(time.Duration(r.Intn(3)) * time.Millisecond):
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		if info, err := os.Lstat(at); err == nil && info.Mode()&os.ModeSymlink != 0 {
			if err := exchange(); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}
