package bed

import (
	"os"
	"path/filepath"
	"testing"
)

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestSaveAndRestore(t *testing.T) {
	l := &Lake{p: &Place{b: &Bed{}, dir: t.TempDir()}, name: "zstd"}
	a, b, db := l.in("work", "lake", "t", "a.parquet"), l.in("work", "lake", "t", "b.parquet"), l.in("work", "state.db")
	put(t, a, "one")
	put(t, b, "three")
	put(t, db, "state")
	if err := l.Save(); err != nil {
		t.Fatal(err)
	}
	put(t, a, "two")
	if err := os.WriteFile(db, []byte("other"), 0o644); err != nil { // in place
		t.Fatal(err)
	}
	put(t, l.in("work", "lake", "t", "c.parquet"), "four")
	if got, err := l.Touched(); err != nil || got.Files != 1 || got.Of != 2 {
		t.Errorf("touched %v, %v", got, err)
	}
	if err := l.Restore(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{a: "one", b: "three", db: "state"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, want %q (%v)", filepath.Base(name), got, want, err)
		}
	}
	if got, err := l.Touched(); err != nil || got.Files != 0 {
		t.Errorf("restored, but touched %v, %v", got, err)
	}
	if _, err := os.Stat(l.in("work", "lake", "t", "c.parquet")); err == nil {
		t.Error("a new file is still there")
	}
}
