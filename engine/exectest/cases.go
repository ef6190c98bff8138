package exectest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/model"
	"reconcile/internal/errclass"
)

const tables = `
table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

const masked = tables + `
mask "pii" {
  columns = ["email"]
  method = "hmac-sha256"
  key = `

// cases are what one subject demands, each from a bed that nothing has arrived at.
var cases = map[string]func(b *bed){
	"mask with a key":      caseMask,
	"redelivery":           caseRedelivery,
	"users":                caseUsers,
	"resync":               caseResync,
	"quarantine":           caseQuarantine,
	"held files":           caseHeldFiles,
	"changed since":        caseChangedSince,
	"late columns":         caseLateColumns,
	"metadata":             caseMetadata,
	"file that grew":       caseGrown,
	"stand-ins":            caseStandIns,
	"tried again":          caseTriedAgain,
	"staged file is lost":  caseStagedLost,
	"plan with exact rows": caseExact,
	"another version":      caseVersion,
}

func playCases(t *testing.T, e exec.Executor, seen *coverage) {
	for name, play := range cases {
		t.Run(name, func(t *testing.T) { play(newBed(t, e, seen, tables)) })
	}
}

// A new key masks what is stored as well as what comes; a mask that comes later hides
// what was plain.
func caseMask(b *bed) {
	b.hcl = masked + strconv.Quote(maskKey) + "\n}\n"
	b.arrive(dumpOf(1, full("e", events(0, 100)), full("users", part("user_id email last_modified", row(1, "a@example.org", "1000"), row(2, "b@example.org", "1000")))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(50, 100)), more("users", part("user_id email last_modified", row(2, "c@example.org", "2000")))))
	b.must()
	b.hcl = tables
	b.must()
	b.hcl = masked + strconv.Quote(maskKey+" and another one") + "\n}\n"
	b.must()
}

// What repeats the greatest dump byte for byte changes the stored rows alone.
func caseRedelivery(b *bed) {
	first, again := dumpOf(1, more("e", events(0, 100)), more("users", part("user_id plan last_modified", row(1, "a", "1"), row(2, "b", "2")))), &model.Dump{ID: 2}
	for _, e := range first.Entries {
		f := *e.Files[0]
		f.Same, f.Key = f.Key, "sync_2/"+f.Key
		e.Files = []*model.File{&f}
		again.Entries = append(again.Entries, e)
	}
	b.arrive(first)
	b.must()
	b.arrive(again)
	b.must()
}

// Raw users are merged, and parted again; of each the latest row counts.
func caseUsers(b *bed) {
	b.tuning.HashBits, b.tuning.IndexRuns = 8, 2
	users := func(rows ...[]any) *model.File { return part("user_id plan last_modified", rows...) }
	many := users(row(1, "a", "1000"), row(2, "b", "2000"), row(3, "c", "3000"))
	for id := range 200 {
		many.Rows = append(many.Rows, row(100+id, "many", "1000"))
	}
	b.arrive(dumpOf(1, full("e", events(0, 200)), full("users", many),
		more("user_migrations", part("from_user_id to_user_id", row(2, 1)))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(190, 20)), more("users", users(row(2, "b2", "4000")))))
	b.must()
	b.arrive(dumpOf(3, more("users", users(row(4, "d", "1000"))), more("user_migrations", part("from_user_id to_user_id", row(3, 1), row(4, 3)))))
	b.must()
	b.arrive(dumpOf(4, more("user_migrations", part("from_user_id to_user_id", row(49, 48), row(48, 47)))))
	b.must()
}

// A resync makes all rows before it void.
func caseResync(b *bed) {
	b.arrive(dumpOf(1, full("e", events(0, 100))))
	b.must()
	b.arrive(dumpOf(3, full("e", events(20, 10))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(0, 5))), dumpOf(4, more("e", events(25, 10))))
	b.must()
}

// Rows without their keys go to the quarantine, and leave it with a resync.
func caseQuarantine(b *bed) {
	b.arrive(dumpOf(1, full("e", part("event_id user_id time", row(1, 1, "2026-01-01"), row(nil, 2, "2026-01-01"), row(3, nil, nil))),
		more("user_migrations", part("from_user_id to_user_id", row(1, 2), row(nil, 2)))))
	b.must()
	b.arrive(dumpOf(2, more("e", part("event_id user_id time", row(nil, nil, nil), row(4, 4, "2026-01-02")))))
	b.must()
	b.arrive(dumpOf(3, full("e", events(0, 3))))
	b.must()
}

// A file that is missing, cut or damaged holds the table from its dump on, until it is
// good.
func caseHeldFiles(b *bed) {
	for i, fault := range []model.Fault{model.Missing, model.Truncated, model.Damaged} {
		id := int64(10 * (i + 1))
		bad := events(100*i, 70)
		bad.Fault = fault
		b.arrive(dumpOf(id, more("e", events(100*i, 50))), dumpOf(id+1, more("e", bad)), dumpOf(id+2, more("e", events(100*i+80, 5))))
		b.must()
		b.must()
		b.heal()
	}
}

// A file that is another one than the plan saw holds the table until the next plan.
func caseChangedSince(b *bed) {
	b.arrive(dumpOf(1, more("e", events(0, 50))))
	b.must()
	changed := dumpOf(2, more("e", events(10, 50)))
	b.arrive(changed)
	held := 0
	b.watch.between = func(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
		changed.Entries[0].Files[0].Rows = events(10, 60).Rows
		if err := changed.Write(b.path("dumps")); err != nil {
			b.t.Error(err)
		}
		r, err := b.watch.inner.Execute(ctx, t, env)
		if err != nil || r.Held == nil || r.Held.Lasting || r.Held.Dump != 2 || r.Held.Pin == "" {
			b.t.Errorf("the file is another one, and the executor returned %+v, %v", r, err)
		}
		held++
		return r, err
	}
	if _, err := b.apply(b.t.Context()); err != nil || held == 0 {
		b.t.Fatal(held, err)
	}
	b.watch.between = nil
	b.must()
}

// A column of a file that the manifest does not list is found when the file is read, and
// the task is made again with it.
func caseLateColumns(b *bed) {
	b.arrive(dumpOf(1, withColumns(more("e", part("event_id user_id path", row(1, 1, "a"))), "event_id user_id path")))
	b.must()
	b.arrive(dumpOf(2, withColumns(more("e", part("event_id user_id path time", row(2, 1, "b", "2026-01-02"))), "event_id user_id path")))
	b.must()
}

// A change that concerns the record alone writes no data.
func caseMetadata(b *bed) {
	b.arrive(dumpOf(1, full("e", events(0, 100)), full("users", part("user_id plan last_modified", row(1, "a", "1000")))))
	b.must()
	b.hcl = "table \"*\" {\n  on_cast_error = \"fail\"\n" + tables[len("\ntable \"*\" {\n"):]
	before := b.published()
	b.must()
	if after := b.published(); !slices.Equal(parquetFiles(before), parquetFiles(after)) {
		b.t.Errorf("data files were %q, and are %q", parquetFiles(before), parquetFiles(after))
	}
}

// A file that was not whole yet is read again.
func caseGrown(b *bed) {
	b.tuning.Settle = 1
	f := events(0, 256)
	f.Rest = 128
	b.arrive(dumpOf(1, more("e", f)))
	b.must()
	f.Rest = 0
	d := b.arrived[0]
	if err := d.Write(b.path("dumps")); err != nil {
		b.t.Fatal(err)
	}
	b.must()
}

// Where dumps are gone and the state is lost, published rows stand in for theirs.
func caseStandIns(b *bed) {
	b.arrive(dumpOf(1, full("e", events(0, 30)), full("users", part("user_id plan last_modified", row(10, "a", "1000"), row(11, "b", "3000"))),
		more("user_migrations", part("from_user_id to_user_id", row(11, 10)))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(25, 10)), more("users", part("user_id plan last_modified", row(12, "c", "2500")))))
	b.must()
	before := b.published()
	manifests, err := filepath.Glob(b.path("dumps", "manifests", "*"))
	if err != nil || len(manifests) != 2 {
		b.t.Fatal(manifests, err)
	}
	aside := b.path("aside")
	if err := errors.Join(os.Rename(manifests[0], aside), os.RemoveAll(b.path("state"))); err != nil {
		b.t.Fatal(err)
	}
	b.opts.AcceptLoss = []string{"e", "users", "user_migrations"}
	e := b.engine()
	b.opts.AcceptLoss = nil
	l, err := e.States().LockOver(b.t.Context(), "test")
	if err != nil {
		b.t.Fatal(err)
	}
	r := e.Rebuilder()
	sr, err := r.Plan(b.t.Context(), l)
	if err == nil {
		_, err = r.Rebuild(b.t.Context(), l, sr)
	}
	if err := errors.Join(err, l.Unlock()); err != nil {
		b.t.Fatal(err)
	}
	if after := b.published(); !slices.Equal(parquetFiles(before), parquetFiles(after)) {
		b.t.Errorf("the lake was %q, and is %q", parquetFiles(before), parquetFiles(after))
	}
	if err := os.Rename(aside, manifests[0]); err != nil {
		b.t.Fatal(err)
	}
	b.must()
}

// parquetFiles are the lines of a tree that are about data files.
func parquetFiles(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(line string) bool { return !strings.Contains(line, ".parquet ") })
}

// A task that was carried out and not committed is carried out again.
func caseTriedAgain(b *bed) {
	b.arrive(dumpOf(1, more("e", events(0, 100))))
	gaveUp := errors.New("given up")
	b.watch.between = func(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
		_, err := b.watch.inner.Execute(ctx, t, env)
		return nil, errors.Join(gaveUp, err)
	}
	if _, err := b.apply(b.t.Context()); !errors.Is(err, gaveUp) {
		b.t.Fatal(err)
	}
	b.watch.between = nil
	b.must()
}

// Staged files that are gone when the commit needs them are an error of that class; the
// next apply writes the table again.
func caseStagedLost(b *bed) {
	b.arrive(dumpOf(1, more("e", events(0, 100))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(50, 100))))
	b.watch.after = func() {
		if err := os.RemoveAll(b.path("lake", "_reconcile", "staging")); err != nil {
			b.t.Error(err)
		}
	}
	_, err := b.apply(b.t.Context())
	if class := errclass.Of(err); class != errclass.StagedLost {
		b.t.Fatalf("staged files are gone, and the error is of the class %q: %v", class, err)
	}
	b.watch.after = nil
	b.must()
}

// A plan with exact figures stages into scratch_dir, and leaves everything as it was.
func caseExact(b *bed) {
	b.arrive(dumpOf(1, full("e", events(0, 100)), full("users", part("user_id plan last_modified", row(1, "a", "1000"))), more("user_migrations", part("from_user_id to_user_id", row(1, 2)))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(50, 100)), more("user_migrations", part("from_user_id to_user_id", row(1, 3)))))
	before := b.tree()
	b.opts.Exact = true
	p, err := b.engine().Plan(b.t.Context())
	b.opts.Exact = false
	if err != nil {
		b.t.Fatal(err)
	}
	defer p.Close()
	if after := b.tree(); !slices.Equal(before, after) {
		b.t.Errorf("the plan wrote: before %q, after %q", before, after)
	}
	res := b.must()
	for _, planned := range p.Tables {
		for _, done := range res.Tables {
			if done.Name != planned.Name || !planned.Exact {
				continue
			}
			want, got := *planned.Counts, done.Counts
			want.Written, got.Written = 0, 0 // the commit's number is in the files
			if want != got {
				b.t.Errorf("table %s: the plan said %+v, the apply did %+v", done.Name, want, got)
			}
		}
	}
}

// A task of a version that the executor does not know is refused, and one that asks for
// forms that it does not write.
func caseVersion(b *bed) {
	b.arrive(dumpOf(1, more("e", events(0, 10))))
	later := errors.New("of a later version")
	b.watch.between = func(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
		next := *t
		next.Version++
		if r, err := b.watch.inner.Execute(ctx, &next, env); err == nil {
			b.t.Errorf("a task of version %d gave %+v", next.Version, r)
		}
		next = *t
		next.Formats.Index++
		if r, err := b.watch.inner.Execute(ctx, &next, env); err == nil {
			b.t.Errorf("a task for runs of the index of form %d gave %+v", next.Formats.Index, r)
		}
		return nil, later
	}
	if _, err := b.apply(b.t.Context()); !errors.Is(err, later) {
		b.t.Fatal(err)
	}
}
