package engine

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var flagDamages = flag.Int("damages", 4, "damages of the state in each case")

// TestDamagedState damages the file of the state or one of its objects, before the
// case is applied. The damage is reported or does not matter: no table ever shows
// anything but what it was or what it should be, and what is not damaged heals all.
func TestDamagedState(t *testing.T) {
	for i, c := range killCases() {
		if c.before == 0 || c.gone != "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := newKillBed(t, c, nil)
			for range *flagDamages {
				b.restore()
				files := killFiles(filepath.Join(b.dir, "state"))
				files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".lock") || strings.HasSuffix(f, ".readers") })
				b.damageOnce(r, files[r.Intn(len(files))])
			}
		})
	}
}

func (b *killBed) damageOnce(r *rand.Rand, file string) {
	b.t.Helper()
	what := damage(b.t, r, file)
	if r.Intn(2) == 0 { // the source has expired
		b.expire()
		defer b.unexpire()
		what += " and expiry"
	}
	for range 2 {
		res, err := b.apply()
		b.t.Logf("%s of %s: %v", what, filepath.Base(file), err)
		if res != nil {
			b.t.Logf("held: %v", res.Holds)
		}
		b.onlyOldOrNew()
	}
}

// expire takes the part files out of the source and leaves the manifests.
func (b *killBed) expire() { b.movePartFiles("dumps", "away") }

func (b *killBed) unexpire() { b.movePartFiles("away", "dumps") }

func (b *killBed) movePartFiles(from, to string) {
	b.t.Helper()
	folders, err := filepath.Glob(filepath.Join(b.dir, from, "sync_*"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(b.dir, to), 0o755)
	}
	for _, f := range folders {
		err = errors.Join(err, os.Rename(f, filepath.Join(b.dir, to, filepath.Base(f))))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// onlyOldOrNew checks that every table shows what it was or what it should be.
func (b *killBed) onlyOldOrNew() {
	b.t.Helper()
	for name := range b.tables() {
		if old := b.diff(name, b.old); len(old) > 0 {
			if now := b.diff(name, b.new); len(now) > 0 {
				b.t.Fatalf("table %s is neither what it was:\n%s\nnor what it should be:\n%s", name, strings.Join(old, "\n"), strings.Join(now, "\n"))
			}
		}
	}
}

// damage changes a file, which other links to it do not show, and says how.
func damage(t *testing.T, r *rand.Rand, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	at, what := r.Intn(len(data)+1), ""
	switch n := r.Intn(5); {
	case n == 0:
		return "removal"
	case n == 1:
		data, what = data[:at], fmt.Sprintf("end at %d", at)
	case n == 2:
		from := at / 4096 * 4096
		clear(data[from:min(from+4096, len(data))])
		what = fmt.Sprintf("zeros at %d", from)
	case at < len(data):
		data[at] ^= 1 << r.Intn(8)
		what = fmt.Sprintf("bit at %d", at)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}
