package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupBeforeChange keeps the newest ten.
func TestBackupBeforeChange(t *testing.T) {
	eachBackend(t, inTest, func(t *testing.T, open machine) {
		s := open(t)
		if res, err := s.BackupBeforeChange(t.Context()); err != nil || res != nil {
			t.Fatalf("of no state: %v, %v", res, err)
		}
		l := lock(t, s)
		var dirs []string
		foreign := ""
		for i := range 13 {
			putTable(t, s, l, fmt.Sprint("t", i), 10, 5000, 5001+i)
			if i > 0 {
				update(t, l, func(tx *Tx) error { return tx.DeleteTable(fmt.Sprint("t", i-1)) })
			}
			res, err := s.BackupBeforeChange(t.Context())
			if err != nil || len(res.Warnings) > 0 {
				t.Fatalf("%v: %v", err, res)
			}
			if i > 0 && res.Copied != 1 {
				t.Errorf("backup %d copied %d objects", i, res.Copied)
			}
			dirs = append(dirs, res.Place)
			if foreign == "" { // before all others in the order of names
				foreign = filepath.Join(filepath.Dir(res.Place), "0lake", "part-0.parquet")
				if err := os.MkdirAll(filepath.Dir(foreign), 0o700); err != nil {
					t.Fatal(err)
				}
				writeFile(t, foreign, []byte("PAR1"))
			}
		}
		if string(readFile(t, foreign)) != "PAR1" {
			t.Error("what is no backup was touched")
		}
		for i, dir := range dirs {
			_, err := os.Stat(dir)
			if want := i >= 3; (err == nil) != want {
				t.Errorf("backup %d is there: %v, want %v", i, err == nil, want)
			}
		}
		if got := len(filesIn(t, filepath.Join(filepath.Dir(dirs[0]), "objects"))); got != 11 {
			t.Errorf("%d objects are kept", got)
		}
		place := backupAt(t, filepath.Dir(dirs[5]))
		place.Folder, place.Shared = filepath.Base(dirs[5]), true
		other := newStore(t)
		mustRestore(t, other, place, 0)
		checkTables(t, other, "t5")
	})
}

// TestRefsInPlace: what is rewritten is what a snapshot names.
func TestRefsInPlace(t *testing.T) {
	ref := func(name string) Ref { return Ref{Digest: digestOf(name), Size: 1} }
	snap := &Snapshot{Manifests: ref("manifests"), Mapping: &Mapping{Ref: ref("mapping"), Quarantine: ref("quarantine")},
		Tables: map[string]*Table{"t": {Mapping: ref("of table"), Users: ref("users"), UserRuns: []Ref{ref("run")}, Index: []Ref{ref("index")},
			Quarantine: []DumpRef{{Dump: 1, Ref: ref("dump")}}}},
		Partitions: map[string][]*Partition{"t": {{Shadow: ref("shadow")}}}}
	n := 0
	snap.eachRef(func(r *Ref) { n++; r.Name = "new" })
	seen := 0
	for r := range snap.Refs() {
		if seen++; r.Name != "new" {
			t.Errorf("%v was not rewritten", r)
		}
	}
	if n != seen || n != 9 {
		t.Errorf("%d were rewritten, %d are named", n, seen)
	}
}

// TestCompactNamesBackups: after a mask was added, backups that a state keeps of itself
// are named.
func TestCompactNamesBackups(t *testing.T) {
	eachBackend(t, inTest, func(t *testing.T, open machine) {
		s := open(t)
		l := lock(t, s)
		putTable(t, s, l, "one", 10, 5000)
		if err := l.Compact(t.Context()); err != nil || strings.Contains(strings.Join(l.Warnings(), "\n"), "backups in") {
			t.Fatalf("without backups: %v, %q", err, l.Warnings())
		}
		res, err := s.BackupBeforeChange(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		putTable(t, s, l, "two", 10)
		if err := l.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(l.Warnings(), "\n"); !strings.Contains(w, filepath.Base(res.Place)) || !strings.Contains(w, "plain values") {
			t.Errorf("the warnings are %q", w)
		}
	})
}
