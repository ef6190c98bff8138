package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/internal/definition"
	"reconcile/internal/failpoint"
	"reconcile/sinks"
	"reconcile/state"
)

// killBed is where a killCase is played again and again: the state before it is
// kept aside and put back for every play.
type killBed struct {
	*harness
	c        killCase
	old, new killWants
}

// killWants is the correct content of every configured table, by name.
type killWants map[string]killWant

type killWant struct {
	folder string
	table  *model.Table
}

// newKillBed plays a case on folders, or with remote from bucket to bucket, where
// places change that.
func newKillBed(t *testing.T, c killCase, remote *bucketPair, places ...func(*harness)) *killBed {
	t.Helper()
	b := &killBed{harness: newHarness(t, c.hcl), c: c, old: killWants{}}
	if remote != nil {
		remote.place(b.harness)
	}
	for _, place := range places {
		place(b.harness)
	}
	b.tuning = c.tuning
	b.tuning.Settle, b.tuning.FingerprintFrom = 1, 1 // so that every apply ends with fingerprints
	dumps := killDumps()
	if c.third != nil {
		dumps[2] = c.third
	}
	if c.before > 0 {
		b.arrive(dumps[:c.before]...)
		b.must()
		b.old = b.wants()
	}
	for _, top := range killTops {
		killClone(t, b.top(top), filepath.Join(b.dir, "saved", top))
	}
	if c.gone != "" {
		b.lose(filepath.Join(b.dir, c.gone))
	}
	b.arrive(dumps[c.before:c.after]...)
	for _, d := range b.arrived {
		if err := d.Complete(filepath.Join(b.dir, "dumps")); err != nil {
			t.Fatal(err)
		}
	}
	b.hcl, b.until = c.then, c.until
	b.new = b.wants()
	return b
}

// lose puts a file where a sink's folder was, and asks for the sink to be
// forgotten.
func (b *killBed) lose(root string) {
	b.t.Helper()
	if err := errors.Join(os.RemoveAll(root), os.WriteFile(root, nil, 0o600)); err != nil {
		b.t.Fatal(err)
	}
	b.opts.ForgetSinks = []string{root}
}

// killTops are the folders that an apply writes to: "other" is a second sink.
var killTops = []string{"lake", "other", "state", "scratch"}

// top returns where one of them is. The server of a bucket keeps objects as
// files, which it replaces as a whole, too.
func (b *killBed) top(name string) string {
	switch name {
	case "lake":
		return b.lake()
	case "state":
		return b.stateDir()
	}
	return filepath.Join(b.dir, name)
}

// restore puts back what was there before the case.
func (b *killBed) restore() {
	b.t.Helper()
	for _, top := range killTops {
		killClone(b.t, filepath.Join(b.dir, "saved", top), b.top(top))
	}
	b.remote.abortAll(b.t)
}

// killClone makes a folder what another one is. Files that are only ever
// replaced as a whole are linked, so that they keep what a pin consists of.
func killClone(t *testing.T, from, to string) {
	t.Helper()
	err := os.RemoveAll(to)
	if err == nil {
		err = filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && p == from {
				return nil
			}
			rel, e := filepath.Rel(from, p)
			if err = errors.Join(err, e); err != nil {
				return err
			}
			dst := filepath.Join(to, rel)
			switch {
			case d.IsDir():
				return os.MkdirAll(dst, 0o755)
			case !strings.HasPrefix(d.Name(), "state.db"):
				return os.Link(p, dst)
			}
			data, err := os.ReadFile(p)
			if err == nil {
				err = os.WriteFile(dst, data, 0o600)
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wants asks the model what is in the lake.
func (b *killBed) wants() killWants {
	b.t.Helper()
	out := killWants{}
	c := b.comparison(b.config())
	for _, name := range c.Tables() {
		t, want, err := c.Want(b.t, name)
		if err != nil {
			b.t.Fatal(err)
		}
		if t != nil && slices.ContainsFunc(t.Sinks, func(s definition.Sink) bool { return s.Label == "lake" }) {
			out[name] = killWant{t.Folder, want}
		}
	}
	return out
}

// tables names all tables before and after, with their folders.
func (b *killBed) tables() map[string]string {
	out := map[string]string{}
	for name, w := range b.old {
		out[name] = w.folder
	}
	for name, w := range b.new {
		out[name] = w.folder
	}
	return out
}

// diff compares a table with what it should be; a table that is not wanted has
// no files.
func (b *killBed) diff(name string, wants killWants) []string {
	b.t.Helper()
	dir := filepath.Join(b.top("lake"), b.tables()[name])
	w, ok := wants[name]
	if !ok {
		var out []string
		for _, f := range killFiles(dir) {
			out = append(out, f+" is there and should not be")
		}
		return out
	}
	got, err := reader.Read(dir, name, w.table)
	if err != nil {
		b.t.Fatal(err)
	}
	return append(w.table.Diff(got.Rows), w.table.DiffColumns(got.Columns)...)
}

// killFiles lists the files below a folder, sorted.
func killFiles(dir string) []string {
	var out []string
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return nil
	})
	return out
}

// disturbed applies with a failpoint set, and says how often it was reached.
func (b *killBed) disturbed(point failpoint.Name, action string, n int64) (int64, error) {
	b.t.Helper()
	_, set, err := b.applyFailing(fmt.Sprintf("%s=%s@%d", point, action, n))
	return set.Hits(point), err
}

func (b *killBed) load() *state.Snapshot {
	b.t.Helper()
	snap, err := b.engine().store.Load(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := snap.Close(); err != nil {
		b.t.Fatal(err)
	}
	return snap
}

// current reads current.json as a consumer does.
func (b *killBed) current() sinks.Current {
	b.t.Helper()
	var cur sinks.Current
	data, err := os.ReadFile(filepath.Join(b.top("lake"), "_reconcile", "current.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return cur
	}
	if err == nil {
		err = json.Unmarshal(data, &cur)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return cur
}

// checkBroken sees what readers see after an interrupted apply: every file is
// whole, and a table that is called complete is exactly the old or the new one.
// It returns the tables whose publish list is not finished.
func (b *killBed) checkBroken() []string {
	b.t.Helper()
	snap, cur := b.load(), b.current()
	lists := map[string]*state.Publish{}
	for _, p := range snap.Publishes {
		lists[p.Table] = p
	}
	for name, folder := range b.tables() {
		entry, listed := cur.Tables[name]
		list := lists[name]
		if list != nil && b.halfDone(list) && entry.Complete {
			b.t.Fatalf("table %s is called complete while its files move", name)
		}
		if list == nil && listed && !entry.Complete {
			b.t.Fatalf("table %s is called incomplete, and nothing is left to do", name)
		}
		if listed && !entry.Complete {
			for _, f := range killFiles(filepath.Join(b.top("lake"), folder)) {
				whole := reader.Table{Rows: map[string]model.Row{}}
				if err := whole.Add(f, name, ""); err != nil {
					b.t.Fatal(err)
				}
			}
			continue
		}
		if old := b.diff(name, b.old); len(old) > 0 {
			if now := b.diff(name, b.new); len(now) > 0 {
				b.t.Fatalf("table %s is neither what it was:\n%s\nnor what it will be:\n%s", name, strings.Join(old, "\n"), strings.Join(now, "\n"))
			}
		}
	}
	for _, f := range killFiles(filepath.Join(b.top("lake"), "_reconcile")) {
		if strings.HasSuffix(f, ".parquet") {
			b.t.Fatalf("a reader's glob finds %s", f)
		}
	}
	return slices.Sorted(maps.Keys(lists))
}

// halfDone reports whether some steps of a publish list were carried out and
// others were not.
func (b *killBed) halfDone(p *state.Publish) bool {
	b.t.Helper()
	done := 0
	for _, s := range p.Steps {
		digest := b.digest(filepath.Join(b.folder(s.Sink), s.Path))
		switch digest {
		case s.After:
			done++
		case s.Before:
		default:
			b.t.Fatalf("%s holds neither what was there nor what should be", s.Path)
		}
	}
	return done > 0 && done < len(p.Steps)
}

// checkDone checks that everything is as it should be and that nothing is left
// over or to do.
func (b *killBed) checkDone() {
	b.t.Helper()
	cur := b.current()
	for name := range b.tables() {
		if diff := b.diff(name, b.new); len(diff) > 0 {
			b.t.Fatalf("table %s is not what it should be:\n%s", name, strings.Join(diff, "\n"))
		}
		_, wanted := b.new[name]
		if entry, ok := cur.Tables[name]; ok != wanted || ok && !entry.Complete {
			b.t.Fatalf("current.json says %+v of table %s", entry, name)
		}
	}
	b.check() // of all sinks
	b.checkIdle()
	b.checkNoLeftovers()
	p, err := b.engine().Plan(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer p.Close()
	if p.Changes() || len(p.Holds) > 0 {
		add, change, destroy := p.Counts()
		b.t.Fatalf("the plan after all was applied: %d to add, %d to change, %d to destroy, holds %v", add, change, destroy, p.Holds)
	}
}

// checkNoLeftovers looks for what nobody refers to.
func (b *killBed) checkNoLeftovers() {
	b.t.Helper()
	snap := b.load()
	if len(snap.Publishes) > 0 {
		b.t.Fatalf("the state still lists %d commits", len(snap.Publishes))
	}
	if len(snap.Settings)+len(snap.Lost) > 0 || snap.PlainLeft {
		b.t.Errorf("the state still has settings %v, lost commits %v, plain values: %v", snap.Settings, snap.Lost, snap.PlainLeft)
	}
	refs := map[string]bool{}
	for r := range snap.Refs() {
		refs[r.Digest] = true
	}
	b.checkAway(snap)
	for _, f := range killFiles(filepath.Join(b.dir, "state", "state.db.objects")) {
		if name := filepath.Base(f); !refs[name] && name != "lineage" {
			b.t.Errorf("nothing refers to %s", f)
		}
	}
	for _, f := range killFiles(filepath.Join(b.top("lake"), "_reconcile")) {
		if filepath.Base(f) != "current.json" {
			b.t.Errorf("%s is left over", f)
		}
	}
	for _, up := range b.remote.uploads(b.t) {
		b.t.Errorf("the multipart upload of %s is left over", up)
	}
	for _, dir := range []string{filepath.Join(b.top("lake"), "_reconcile", "staging"), b.top("scratch")} {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			b.t.Errorf("%s is left over in %s", left[0].Name(), dir)
		}
	}
	if b.c.name == "mask" {
		for _, f := range killFiles(b.stateDir()) {
			if data, err := os.ReadFile(f); err != nil || strings.Contains(string(data), killSecret) {
				b.t.Errorf("%s still holds the masked value (%v)", f, err)
			}
		}
	}
	if b.t.Failed() {
		b.t.FailNow()
	}
}

// recover finishes what was committed, as the beginning of every apply does.
func (b *killBed) recover(ctx context.Context) error {
	b.away.expire(b.t)
	e := b.engine()
	l, err := e.Lock(ctx, "test")
	if err != nil {
		return err
	}
	_, err = e.Recover(ctx, l)
	return errors.Join(err, l.Unlock())
}

// checkRecovery checks that recovery finishes the listed tables without the
// source.
func (b *killBed) checkRecovery(tables []string) {
	b.t.Helper()
	source, away := filepath.Join(b.dir, "dumps"), filepath.Join(b.dir, "away")
	if b.remote != nil {
		source = filepath.Join(b.remote.server.Dir, b.remote.in, "export")
	}
	if err := os.Rename(source, away); err != nil {
		b.t.Fatal(err)
	}
	if err := b.recover(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if left := b.load().Publishes; len(left) > 0 {
		b.t.Fatalf("recovery left %d commits", len(left))
	}
	for _, name := range tables {
		if diff := b.diff(name, b.new); len(diff) > 0 {
			b.t.Fatalf("table %s after a recovery without the source:\n%s", name, strings.Join(diff, "\n"))
		}
	}
	if err := os.Rename(away, source); err != nil {
		b.t.Fatal(err)
	}
}

// heal applies undisturbed and checks everything.
func (b *killBed) heal() {
	b.t.Helper()
	res, err := b.apply()
	if err != nil {
		b.t.Fatal(err)
	}
	if len(res.Holds) > 0 {
		b.t.Fatalf("held: %v", res.Holds)
	}
	b.checkDone()
}
