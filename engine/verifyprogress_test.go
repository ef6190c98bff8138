package engine

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/verify"
	"reconcile/internal/feed"
)

// A verify says how much work there is before it reads anything, of all tables, corrects that
// once it knows how many rows a table has, and what it does comes to it.
func TestProgressOfVerify(t *testing.T) {
	a := newBed(t, withPond)
	a.tuning.GroupRows = 10
	mapping := full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(3, 4)))
	first := progressDump(1, full)
	a.run(dumpOf(1, append(first.Entries, mapping)...), progressDump(2, more))
	want := int64(0) // bytes of part files
	for _, d := range a.arrived {
		for _, e := range d.Entries {
			for _, f := range e.Files {
				info, err := os.Stat(filepath.Join(a.dir, "dumps", f.Key))
				if err != nil {
					t.Fatal(err)
				}
				want += info.Size()
			}
		}
	}
	for _, s := range []verify.Sample{{}, {Part: 2, Of: 3}} {
		if _, err := NewVerifier(a.engine()).Verify(t.Context(), verify.Options{Sample: s}); err != nil {
			t.Fatal(err)
		}
		l := a.told
		l.ended()
		if len(l.all) == 0 {
			t.Fatal("nothing is told")
		}
		first, last := l.all[0], l.last()
		if by := float64(last.Total)/float64(first.Total) - 1; first.Done != 0 || last.BytesRead != want || math.Abs(by) > 0.1 {
			t.Errorf("sample %q: it goes from %+v to %+v; part files have %d bytes", s, first, last, want)
		}
		for i, p := range l.all[1:] {
			const rounding = 20 // a part of each file
			if was := l.all[i]; was.Phase != exec.Reading && p.Table == was.Table && max(p.Total-was.Total, was.Total-p.Total) > rounding {
				t.Errorf("sample %q: there were %d of work, then %d with %+v", s, was.Total, p.Total, p)
			}
		}
		if by, after := l.farthest(); by > 0.2 {
			t.Errorf("sample %q: the share went on by %.2f after %+v", s, by, after)
		}
	}
}
