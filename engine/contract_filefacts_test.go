package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// behindItsFiles is a bed whose state is older than the data files: dump 2 was applied
// after the backup and is gone from the source. The lake's current.json is as the
// newer state left it; older is what it was at the backup.
func behindItsFiles(t *testing.T, by string) (a *bed, older []byte) {
	a = newBed(t, `table "*" {
  sinks = [sink.parquet.lake]
  partition_by = `+by+`
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id time", row(1, 10, "2026-01-05"))), full("users", avroPart("user_id v:string", row(10, "a"))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
	older, err := os.ReadFile(a.currentFile())
	if err != nil {
		t.Fatal(err)
	}
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id time", row(2, 20, "2026-01-05"))), more("users", avroPart("user_id v:string", row(20, "b"))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10), row(12, 10)))))
	restore()
	a.forgetDump("2")
	return a, older
}

// TestContractFilesTellTheirCommit: where state and current.json come from one backup,
// the data files tell that they are newer, and nothing is lost without a flag.
func TestContractFilesTellTheirCommit(t *testing.T) {
	for _, by := range []string{"[]", "[date(time)]"} {
		for name, current := range map[string]func(a *bed, older []byte) error{
			"of the backup": func(a *bed, older []byte) error { return os.WriteFile(a.currentFile(), older, 0o644) },
			"removed":       func(a *bed, _ []byte) error { return os.Remove(a.currentFile()) },
			"cut":           func(a *bed, older []byte) error { return os.WriteFile(a.currentFile(), older[:40], 0o644) },
		} {
			t.Run(by+" "+name, func(t *testing.T) {
				a, older := behindItsFiles(t, by)
				if err := current(a, older); err != nil {
					t.Fatal(err)
				}
				rows := func() {
					t.Helper()
					a.want("e", "event_id", "1", "2")
					a.want("users", "v", "a", "b")
					a.want("user_migrations", "from_user_id", "11", "12")
				}
				a.held(a.run(), "e -repair", "users -repair", "user_migrations -repair")
				rows()
				a.opts.Repair = true
				a.held(a.run(), "e dump 2 -accept-loss=e", "users dump 2 -accept-loss=users", "user_migrations mapping dump 2 -accept-loss=user_migrations")
				rows()
				a.opts.AcceptLoss = []string{"e", "users", "user_migrations"}
				a.held(a.run())
				a.opts.Repair, a.opts.AcceptLoss = false, nil
				a.want("e", "event_id", "1")
				a.want("users", "v", "a")
				a.want("user_migrations", "from_user_id", "11")
				a.checkIdle()
			})
		}
	}
}

// TestContractLinkRetargeted: a lake that was a folder, then a link to one disk and then
// to another, is known by two paths of which one is gone; -moved-sink brings them
// together.
func TestContractLinkRetargeted(t *testing.T) {
	a := twoTables(t)
	lake, one, two := filepath.Join(a.dir, "lake"), filepath.Join(a.dir, "disk1"), filepath.Join(a.dir, "disk2")
	if err := errors.Join(os.Rename(lake, one), os.Symlink(one, lake)); err != nil {
		t.Fatal(err)
	}
	a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))) // e is recorded at disk1 now
	if err := errors.Join(os.Rename(one, two), os.Remove(lake), os.Symlink(two, lake)); err != nil {
		t.Fatal(err)
	}
	before := a.tree()
	_, err := a.apply()
	if err == nil || !strings.Contains(err.Error(), "-moved-sink="+one+"="+two) {
		t.Fatalf("the apply ended with %v", err)
	}
	if diff := diffLines(before, a.tree()); diff != "" {
		t.Fatalf("it changed something:\n%s", diff)
	}
	a.opts.MovedSinks = []string{one + "=" + two}
	a.held(a.run())
	a.opts.MovedSinks = nil
	a.check()
	a.checkIdle()
}

// TestContractExactWhilePublishing: a plan -exact looks for no file that a commit is
// still moving.
func TestContractExactWhilePublishing(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)))))
	a.interruptAt("publish.current.incomplete=error@1")
	a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 10)))))
	a.opts.Exact = true
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if len(p.Holds) > 0 || len(p.Tables) != 1 || p.Tables[0].Action != plan.Update {
		t.Errorf("planned %+v, held %+v", p.Tables, p.Holds)
	}
}

// failingReader gives one row group and then fails.
type failingReader struct {
	err  error
	done bool
}

func (r *failingReader) Next(context.Context) (*column.Batch, error) {
	if r.done {
		return nil, r.err
	}
	r.done = true
	return &column.Batch{N: 1, Cols: []column.Column{{Name: feed.DumpID, Type: column.Int64Type, Ints: []int64{7}}}}, nil
}

func (r *failingReader) Close() error { return nil }

// TestDumpsInFailingFile: a damaged page hides what is behind it, a sink that fails is
// an error, so that no repair takes it for a file without rows.
func TestDumpsInFailingFile(t *testing.T) {
	got, err := planner.DumpsIn(t.Context(), &failingReader{err: errors.New("a damaged page")})
	if err != nil || len(got) != 1 || got[0] != 7 {
		t.Errorf("damaged: %v, %v", got, err)
	}
	if got, err := planner.DumpsIn(t.Context(), &failingReader{err: &sinks.UnavailableError{Root: "s3://lake", Err: errors.New("silent")}}); err == nil {
		t.Errorf("a sink that fails: %v", got)
	}
}
