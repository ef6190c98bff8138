package parquet_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
)

// breaking is a store of which one operation fails.
type breaking struct {
	blob.Store
	op  string
	err error
}

func (b *breaking) fail(op string) error {
	if op == b.op {
		return b.err
	}
	return nil
}

func (b *breaking) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	if err := b.fail("list"); err != nil {
		return nil, err
	}
	return b.Store.List(ctx, prefix)
}

func (b *breaking) Fingerprint(context.Context, string, []string) (string, error) {
	return "f", b.fail("fingerprint")
}

func (b *breaking) ListSince(context.Context, string, string, []blob.Pinned) ([]blob.Object, bool, error) {
	return nil, false, b.fail("list since")
}

func (b *breaking) CanMove(context.Context, string, []string) error { return b.fail("can move") }

func (b *breaking) Stat(ctx context.Context, key string) (blob.Object, error) {
	if err := b.fail("stat"); err != nil {
		return blob.Object{}, err
	}
	return b.Store.Stat(ctx, key)
}

func (b *breaking) Open(ctx context.Context, key string) (blob.Handle, error) {
	if err := b.fail("open"); err != nil {
		return nil, err
	}
	h, err := b.Store.Open(ctx, key)
	return breakingHandle{h, b}, err
}

func (b *breaking) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	if err := b.fail("create"); err != nil {
		return nil, err
	}
	w, err := b.Store.Create(ctx, key, cond)
	return breakingWriter{w, b}, err
}

func (b *breaking) Move(ctx context.Context, from, to string, cond blob.Cond) (blob.Object, error) {
	if err := b.fail("move"); err != nil {
		return blob.Object{}, err
	}
	return b.Store.Move(ctx, from, to, cond)
}

func (b *breaking) Delete(ctx context.Context, key string, cond blob.Cond) error {
	if err := b.fail("delete"); err != nil {
		return err
	}
	return b.Store.Delete(ctx, key, cond)
}

func (b *breaking) RemoveEmptyFolders(context.Context, string, string) error {
	return b.fail("remove folders")
}

func (b *breaking) RemoveLeftovers(context.Context, blob.Leftovers) error {
	return b.fail("remove leftovers")
}

type breakingHandle struct {
	blob.Handle
	b *breaking
}

func (h breakingHandle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.b.fail("read"); err != nil {
		return 0, err
	}
	return h.Handle.ReadAt(p, off)
}

type breakingWriter struct {
	blob.Writer
	b *breaking
}

func (w breakingWriter) Write(p []byte) (int, error) {
	if err := w.b.fail("write"); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

func (w breakingWriter) Commit() (blob.Object, error) {
	if err := w.b.fail("commit"); err != nil {
		return blob.Object{}, err
	}
	return w.Writer.Commit()
}

// inBreaking is a sink with a published file, a staged one and a current.json.
type inBreaking struct {
	s            sinks.Sink
	b            *breaking
	there, fresh sinks.File
	at           string // of the published one
}

func newBreaking(t *testing.T) *inBreaking {
	t.Helper()
	_, store, _ := open(t, parquet.Options{})
	b := &breaking{Store: store}
	x := &inBreaking{s: parquet.New(b, parquet.Options{RowGroup: 100, Advice: "be patient"}), b: b, at: "t/f.parquet"}
	x.there, x.fresh = stage(t, x.s, "there", 100, 100), stage(t, x.s, "fresh", 3)
	if _, err := x.s.Publish(ctx, sinks.Step{Staged: x.there.Path, Path: x.at, After: x.there.Digest, Size: x.there.Size}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.s.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, ""); err != nil {
		t.Fatal(err)
	}
	return x
}

// opened opens the published file as if the store were not broken yet.
func (x *inBreaking) opened(t *testing.T) sinks.GroupReader {
	t.Helper()
	defer x.whole()()
	r, err := x.s.Open(ctx, x.at, "", cols())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.(sinks.GroupReader)
}

// staged begins a file as if the store were not broken yet.
func (x *inBreaking) staged(t *testing.T) sinks.Writer {
	t.Helper()
	defer x.whole()()
	w, err := x.s.Stage(ctx, "a", "w", sinks.FileSpec{Columns: cols(), Form: sinks.Form{Compression: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w
}

// whole has all operations succeed until what it returns is called.
func (x *inBreaking) whole() (broken func()) {
	op := x.b.op
	x.b.op = ""
	return func() { x.b.op = op }
}

// fill writes more than a writer keeps back.
func fill(w sinks.Writer) error {
	for i := range 200 {
		if err := w.Write(ctx, batch(i*1000, 1000)); err != nil {
			return err
		}
	}
	return errors.New("nothing failed")
}

func closed(w sinks.Writer) error {
	_, err := w.Close()
	return err
}

// methods are the calls by which a sink, a reader or a writer can meet a failure of an
// operation of the store, and what their errors begin with; ROOT is that of the sink.
var methods = []struct {
	op, begins string
	call       func(t *testing.T, x *inBreaking) error
}{
	{"list", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.List(ctx, "t"); return err }},
	{"list", "remove staged leftovers: ", func(_ *testing.T, x *inBreaking) error { return x.s.RemoveStaged(ctx, sinks.StagedRemoval{}) }},
	{"list since", "", func(_ *testing.T, x *inBreaking) error {
		_, _, err := x.s.(sinks.Fingerprinter).ListSince(ctx, "t", "f", nil)
		return err
	}},
	{"fingerprint", "", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.(sinks.Fingerprinter).Fingerprint(ctx, "t", nil)
		return err
	}},
	{"can move", "", func(_ *testing.T, x *inBreaking) error { return x.s.(sinks.Mover).CanPublish(ctx, []string{"t"}) }},
	{"stat", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Exists(ctx, x.at); return err }},
	{"stat", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.move()); return err }},
	{"stat", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Published(ctx, x.move()); return err }},
	{"stat", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.removal()); return err }},
	{"open", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Open(ctx, x.at, "", cols()); return err }},
	{"open", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Digest(ctx, x.at, ""); return err }},
	{"open", "", func(_ *testing.T, x *inBreaking) error { _, _, err := x.s.Current(ctx); return err }},
	{"open", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.move()); return err }},
	{"read", "read ROOT/t/f.parquet: reading the Parquet footer: reading SIZE bytes at 0: ", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.Open(ctx, x.at, "", cols())
		return err
	}},
	{"read", "read ROOT/t/f.parquet: ", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Digest(ctx, x.at, ""); return err }},
	{"read", "read ROOT/t/f.parquet: ", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.Publish(ctx, x.removal())
		return err
	}},
	{"read", "read _reconcile/current.json: ", func(_ *testing.T, x *inBreaking) error { _, _, err := x.s.Current(ctx); return err }},
	{"read", "read ROOT/t/f.parquet: reading Parquet row group 0, column \"id\": ", func(t *testing.T, x *inBreaking) error {
		_, err := x.opened(t).Next(ctx)
		return err
	}},
	{"read", "read ROOT/t/f.parquet: reading Parquet row group 1, column \"id\": ", func(t *testing.T, x *inBreaking) error {
		b := batch(0, 0)
		return x.opened(t).Group(ctx, 1, cols(), b)
	}},
	{"read", "write _reconcile/staging/a/w: from ROOT/t/f.parquet: copying row group 0, column \"id\": ", func(t *testing.T, x *inBreaking) error {
		r := x.opened(t)
		return x.staged(t).(sinks.Copier).Copy(ctx, r, 0, nil)
	}},
	{"create", "", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.Stage(ctx, "a", "w", sinks.FileSpec{Columns: cols()})
		return err
	}},
	{"create", "", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, sinks.AnyVersion)
		return err
	}},
	{"write", "write _reconcile/staging/a/w: writing Parquet: ", func(t *testing.T, x *inBreaking) error { return fill(x.staged(t)) }},
	{"write", "write _reconcile/staging/a/w: ", func(t *testing.T, x *inBreaking) error { return closed(x.staged(t)) }},
	{"write", "write _reconcile/staging/a/w: writing Parquet: ", func(t *testing.T, x *inBreaking) error {
		w := x.staged(t).(sinks.Copier)
		for range 20 {
			b := batch(0, 20_000)
			if err := w.WriteColumns(ctx, b.N, func(i int) (*column.Column, error) { return &b.Cols[i], nil }); err != nil {
				return err
			}
		}
		return errors.New("nothing failed")
	}},
	{"write", "", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, sinks.AnyVersion)
		return err
	}},
	{"commit", "", func(t *testing.T, x *inBreaking) error { return closed(x.staged(t)) }},
	{"commit", "", func(_ *testing.T, x *inBreaking) error {
		_, err := x.s.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, sinks.AnyVersion)
		return err
	}},
	{"move", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.move()); return err }},
	{"delete", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.removal()); return err }},
	{"delete", "remove staged leftovers: ", func(_ *testing.T, x *inBreaking) error { return x.s.RemoveStaged(ctx, sinks.StagedRemoval{}) }},
	{"remove folders", "", func(_ *testing.T, x *inBreaking) error { _, err := x.s.Publish(ctx, x.removal()); return err }},
	{"remove leftovers", "remove staged leftovers: ", func(_ *testing.T, x *inBreaking) error { return x.s.RemoveStaged(ctx, sinks.StagedRemoval{}) }},
}

// move is the step that replaces the published file, removal the one that removes it.
func (x *inBreaking) move() sinks.Step {
	return sinks.Step{Staged: x.fresh.Path, Path: x.at, Before: x.there.Digest, After: x.fresh.Digest, Size: x.fresh.Size}
}

func (x *inBreaking) removal() sinks.Step { return sinks.Step{Path: x.at, Before: x.there.Digest} }

// TestUnavailable says that a store that fails is the class of an unavailable sink,
// whatever method meets it, and names the sink once, next to the cause.
func TestUnavailable(t *testing.T) {
	for i, m := range methods {
		t.Run(fmt.Sprintf("%d %s", i, m.op), func(t *testing.T) {
			x := newBreaking(t)
			x.b.op, x.b.err = m.op, errors.New("no route")
			err := m.call(t, x)
			begins := strings.NewReplacer("ROOT", x.s.Root(), "SIZE", fmt.Sprint(x.there.Size)).Replace(m.begins)
			ends := "sink " + x.s.Root() + ": no route (be patient)"
			if err == nil || !strings.HasPrefix(err.Error(), begins) || !strings.HasSuffix(err.Error(), ends) || begins == "" && err.Error() != ends {
				t.Fatalf("got  %v\nwant %s ... %s", err, begins, ends)
			}
			class, about := errclass.Find(err).ErrorClass()
			if class != errclass.SinkUnavailable || about != x.s.Root() || !errors.Is(err, x.b.err) {
				t.Errorf("it is of the class %q, about %q: %v", class, about, err)
			}
		})
	}
}

// TestAvailable says that what a store says of one object, or of who asks, is not about
// the sink.
func TestAvailable(t *testing.T) {
	for _, says := range []error{fs.ErrNotExist, blob.ErrConflict, blob.ErrOutside, blob.ErrDevice, context.Canceled, context.DeadlineExceeded} {
		for i, m := range methods {
			x := newBreaking(t)
			x.b.op, x.b.err = m.op, fmt.Errorf("the store: %w", says)
			if err := m.call(t, x); errclass.Of(err) == errclass.SinkUnavailable {
				t.Errorf("%d %s: %v", i, m.op, err)
			}
		}
	}
}
