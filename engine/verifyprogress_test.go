package engine

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/verify"
	"reconcile/internal/feed"
)

// A verify says how much work there is before it reads anything, of all tables, and what it
// does comes to that.
func TestProgressOfVerify(t *testing.T) {
	a := newBed(t, withPond)
	a.tuning.GroupRows = 10
	mapping := full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(3, 4)))
	first := progressDump(1, full)
	a.run(dumpOf(1, append(first.Entries, mapping)...), progressDump(2, more))
	want := int64(0) // bytes of part files; those of the mapping are read for each table
	for _, d := range a.arrived {
		for _, e := range d.Entries {
			for _, f := range e.Files {
				info, err := os.Stat(filepath.Join(a.dir, "dumps", f.Key))
				if err != nil {
					t.Fatal(err)
				}
				if want += info.Size(); e.Table == feed.TableMapping {
					want += info.Size()
				}
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
		total := l.all[0].Total
		for _, p := range l.all {
			if p.Total != total {
				t.Fatalf("sample %q: there were %d of work, then %d with %+v", s, total, p.Total, p)
			}
		}
		if l.all[0].Done != 0 || l.last().Done != total || l.last().BytesRead != want {
			t.Errorf("sample %q: it goes from %+v to %+v; part files have %d bytes", s, l.all[0], l.last(), want)
		}
		if by, after := l.farthest(); by > 0.2 {
			t.Errorf("sample %q: the share went on by %.2f after %+v", s, by, after)
		}
	}
}
