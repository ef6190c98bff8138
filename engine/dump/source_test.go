package dump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/engine/dump"
	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

var ctx = context.Background()

// source makes a folder with the given manifests, by name.
func source(t testing.TB, manifests map[string]string) (blob.Store, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range manifests {
		file := filepath.Join(dir, "manifests", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store, dir
}

func list(t *testing.T, store blob.Store, glob string) *dump.Listing {
	t.Helper()
	l, err := dump.Open(store, dump.Options{Manifests: glob}).List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ids(l *dump.Listing) []int64 {
	var ids []int64
	for _, d := range l.Dumps {
		ids = append(ids, d.ID)
	}
	return ids
}

func manifest(id any, files ...string) string {
	return fmt.Sprintf(`{"dump_id":%v,"tables":[{"name":"t","files":["%s"],"incremental":true}]}`, id, strings.Join(files, `","`))
}

func TestOrderIsByID(t *testing.T) {
	store, _ := source(t, map[string]string{
		"sync_1000.json": manifest(1000, "a"), "sync_999.json": manifest(999, "a"), "sync_1.json": manifest(5000, "a"),
		"z.json": manifest(`"-3"`, "a"), "m.json": manifest(0, "a"), "n.json": `{"tables":[]}`,
	})
	l := list(t, store, "")
	if want := []int64{-3, 0, 999, 1000, 5000}; !slices.Equal(ids(l), want) {
		t.Errorf("dumps %d, want %d", ids(l), want)
	}
	if len(l.Problems) != 1 || len(l.Notices) != 0 {
		t.Errorf("problems %v, notices %v", l.Problems, l.Notices)
	}
	if d := l.Dump(999); d == nil || d.Manifest != "manifests/sync_999.json" || d.Object.Size == 0 || d.Object.ModTime.IsZero() {
		t.Errorf("%+v", d)
	}
	if l.Dump(4) != nil {
		t.Error("found a dump that is not there")
	}
}

func TestOnlyManifests(t *testing.T) {
	store, _ := source(t, map[string]string{
		"sync_1.json": manifest(1, "a"), "sync_2.json.part": manifest(2, "a"), "sub/sync_3.json": manifest(3, "a"),
		"._sync_4.json": "junk", "README": "junk", "other.json": manifest(5, "a"),
	})
	if l := list(t, store, ""); !slices.Equal(ids(l), []int64{1, 5}) || len(l.Problems) != 0 {
		t.Errorf("%d, %v", ids(l), l.Problems)
	}
	if l := list(t, store, "sync_*.json"); !slices.Equal(ids(l), []int64{1}) {
		t.Errorf("narrowed: %d", ids(l))
	}
	if l := list(t, store, ".*.json"); len(l.Problems) != 1 {
		t.Errorf("hidden names: %v", l.Problems)
	}
	for _, glob := range []string{"[", "a/*.json", "../*.json"} {
		if _, err := dump.Open(store, dump.Options{Manifests: glob}).List(ctx); err == nil || !strings.Contains(err.Error(), glob) {
			t.Errorf("glob %q: %v", glob, err)
		}
	}
}

func TestNoManifests(t *testing.T) {
	store, dir := source(t, map[string]string{"x.txt": ""})
	l := list(t, store, "")
	if len(l.Notices) != 1 || !strings.Contains(l.Notices[0], "of 1 file in "+filepath.Join(dir, "manifests")+" none matches *.json") {
		t.Errorf("notices %q", l.Notices)
	}
	os.RemoveAll(filepath.Join(dir, "manifests"))
	_, err := dump.Open(store, dump.Options{}).List(ctx)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, "manifests", "*.json")) {
		t.Errorf("no folder: %v", err)
	}
	os.RemoveAll(dir)
	if _, err := dump.Open(store, dump.Options{}).List(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}

func TestHeldManifestsAreNamed(t *testing.T) {
	store, dir := source(t, map[string]string{
		"1.json": manifest(1, "a"), "2.json": manifest(2, "../a"), "3.json": `{"dump_id":3,"tab`, "4.json": `{"dump_id":"x","tables":[]}`,
	})
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "manifests", "5.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "manifests", "6.json"), 0o777); err != nil {
		t.Fatal(err)
	}
	l := list(t, store, "")
	if !slices.Equal(ids(l), []int64{1}) {
		t.Errorf("dumps %d", ids(l))
	}
	want := []string{
		"dump 2 is held: manifests/2.json: a file of table \"t\", entry 1 of its tables, has the address \"../a\", which is never read",
		"dump 3 is held: manifests/3.json: it ends in the middle; if it is still being copied",
		"manifests/4.json: its dump_id \"x\" is not a whole number",
		"manifests/5.json: it cannot be read",
	}
	if len(l.Problems) != len(want) {
		t.Fatalf("problems %v", l.Problems)
	}
	for i, p := range l.Problems {
		if !strings.HasPrefix(p.String(), want[i]) {
			t.Errorf("got %s\nwant %s", p, want[i])
		}
		if p.Changed.IsZero() {
			t.Errorf("%s changed at no time", p)
		}
	}
}

func TestOneIDTwice(t *testing.T) {
	store, _ := source(t, map[string]string{
		"a1.json": manifest(1, "s3://x/a"), "b1.json": manifest(`"1"`, "s3://y/a"),
		"a2.json": manifest(2, "a"), "b2.json": manifest(2, "b"),
		"a3.json": manifest(3, "a"), "b3.json": `{"dump_id":3}`,
		"a4.json": manifest(4, "a"), "b4.json": manifest(4, "a"), "c4.json": manifest(4, "a", "a"),
		"a5.json": `{"dump_id":5`, "b5.json": `{"dump_id":5`,
	})
	l := list(t, store, "")
	if !slices.Equal(ids(l), []int64{1}) || l.Dumps[0].Manifest != "manifests/a1.json" {
		t.Errorf("dumps %d", ids(l))
	}
	want := [][]string{
		{"manifests/a2.json and manifests/b2.json", `differ in table "t"`, "dump 2 is held"},
		{"manifests/a3.json and manifests/b3.json", "manifests/b3.json is bad (it has no tables)"},
		{"manifests/a4.json and manifests/b4.json and manifests/c4.json"},
		{"manifests/a5.json and manifests/b5.json", "manifests/a5.json is bad", "manifests/b5.json is bad"},
	}
	if len(l.Problems) != len(want) {
		t.Fatalf("problems %v", l.Problems)
	}
	for i, parts := range want {
		for _, part := range parts {
			if !strings.Contains(l.Problems[i].String(), part) {
				t.Errorf("got %s\nwant %s", l.Problems[i], part)
			}
		}
	}
}

// faulty fails every first read of an object.
type faulty struct {
	blob.Store
	seen map[string]bool
}

func (f *faulty) Open(ctx context.Context, key string) (blob.Handle, error) {
	if !f.seen[key] {
		f.seen[key] = true
		return nil, syscall.EIO
	}
	return f.Store.Open(ctx, key)
}

func TestReadsAreRetried(t *testing.T) {
	store, _ := source(t, map[string]string{"1.json": manifest(1, "a"), "2.json": manifest(2, "a")})
	s := dump.Open(&faulty{store, map[string]bool{}}, dump.Options{Retry: blob.Retry{Wait: time.Microsecond}})
	l, err := s.List(ctx)
	if err != nil || len(l.Dumps) != 2 {
		t.Errorf("%v, %v", l, err)
	}
}

func TestCancelled(t *testing.T) {
	store, _ := source(t, map[string]string{"1.json": manifest(1, "a")})
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := dump.Open(store, dump.Options{}).List(done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFiles(t *testing.T) {
	store, dir := source(t, nil)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := dump.Open(store, dump.Options{})
	o, err := s.Stat(ctx, "f")
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(ctx, "f")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p := make([]byte, 7)
	o.Now = h.Object().Now // which has gone on
	if n, _ := h.ReadAt(p, 0); string(p[:n]) != "content" || h.Object() != o || s.Root() != dir {
		t.Errorf("%q, %+v, %+v", p[:n], h.Object(), o)
	}
	if _, err := s.Open(ctx, "../x"); err == nil {
		t.Error("opened a key that climbs out")
	}
}

// BenchmarkList lists 400 manifests of 50 tables with 30 columns and 4 files.
func BenchmarkList(b *testing.B) {
	columns := `"` + strings.Join(strings.Fields(strings.Repeat("some_column ", 30)), `","`) + `"`
	ms := map[string]string{}
	size := 0
	for id := range 400 {
		var tables []string
		for t := range 50 {
			var files []string
			for f := range 4 {
				files = append(files, fmt.Sprintf(`"s3://csq-rs3-acme/sync_%d/_heap_table_name=table_%d/part-%05d-0b9c8a0e-7f61-4b65-9e0b-9e6f5e8f1f10.avro"`, id, t, f))
			}
			tables = append(tables, fmt.Sprintf(`{"name":"table_%d","files":[%s],"columns":[%s],"incremental":true}`, t, strings.Join(files, ","), columns))
		}
		text := fmt.Sprintf(`{"dump_id":%d,"tables":[%s]}`, id, strings.Join(tables, ","))
		ms[fmt.Sprintf("sync_%d.json", id)] = text
		size += len(text)
	}
	store, _ := source(b, ms)
	s := dump.Open(store, dump.Options{})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if l, err := s.List(ctx); err != nil || len(l.Dumps) != 400 {
			b.Fatal(err)
		}
	}
}

// broken fails to open one object.
type broken struct {
	blob.Store
	key string
	err error
}

func (b *broken) Open(ctx context.Context, key string) (blob.Handle, error) {
	if key == b.key {
		return nil, fmt.Errorf("open %s: %w", key, b.err)
	}
	return b.Store.Open(ctx, key)
}

// remote is an error of a store that tries again by itself.
type remote struct{ kind error }

func (remote) Error() string          { return "no answer" }
func (remote) Retried() bool          { return true }
func (r remote) Is(target error) bool { return r.kind == target }

// TestUnavailable: what says nothing of a manifest's content holds no dump.
func TestUnavailable(t *testing.T) {
	store, _ := source(t, map[string]string{"1.json": manifest(1, "a"), "2.json": manifest(2, "a")})
	for _, c := range []struct {
		err   error
		stops bool
	}{
		{syscall.EIO, true}, {syscall.ECONNREFUSED, true}, {fs.ErrPermission, false}, {syscall.EACCES, false},
		{blob.ErrRefused, false}, {remote{blob.ErrRefused}, false}, {context.DeadlineExceeded, true}, {context.Canceled, true}, {remote{}, true}, {remote{fs.ErrPermission}, true},
		{remote{fs.ErrNotExist}, false}, {remote{blob.ErrConflict}, false}, {fs.ErrNotExist, false}, {blob.ErrConflict, false},
		{blob.ErrTooLarge, false}, {syscall.ELOOP, false}, {errors.New("not a regular file"), false},
	} {
		s := dump.Open(&broken{store, "manifests/1.json", c.err}, dump.Options{Retry: blob.Retry{Wait: time.Microsecond}})
		l, err := s.List(ctx)
		switch {
		case c.stops:
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), filepath.Join(store.Root(), "manifests", "1.json")) {
				t.Errorf("%v: listed %+v, %v", c.err, l, err)
			}
		case err != nil:
			t.Errorf("%v stops the listing: %v", c.err, err)
		case !slices.Equal(ids(l), []int64{2}) || len(l.Problems) != 1:
			t.Errorf("%v: dumps %d, problems %v", c.err, ids(l), l.Problems)
		}
	}
}

// TestDeniedManifests: where no manifest may be read, it is not the manifests that
// are to blame. One that was read, now or before, is proof that they can be.
func TestDeniedManifests(t *testing.T) {
	store, _ := source(t, map[string]string{"1.json": manifest(1, "a")})
	open := func(err error) *dump.Source {
		return dump.Open(&broken{store, "manifests/1.json", err}, dump.Options{Retry: blob.Retry{Wait: time.Microsecond}})
	}
	if l, err := open(syscall.EACCES).List(ctx); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), store.Root()) {
		t.Errorf("listed %+v, %v", l, err)
	}
	if l, err := open(blob.ErrRefused).List(ctx); err != nil || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].String(), "manifests/1.json") {
		t.Errorf("archived: listed %+v, %v", l, err)
	}
	both, _ := source(t, map[string]string{"1.json": manifest(1, "a"), "2.json": manifest(2, "a")})
	second := &broken{both, "manifests/2.json", syscall.EACCES}
	var known io.Reader
	for _, store := range []blob.Store{second, &broken{second, "manifests/1.json", syscall.EACCES}} {
		l, err := dump.Open(store, dump.Options{}).ListKnown(ctx, known)
		if err != nil || !slices.Equal(ids(l), []int64{1}) || len(l.Problems) != 1 {
			t.Fatalf("one may be read, or was: %+v, %v", l, err)
		}
		known = knownOf(t, l)
	}
}

// knownOf is what is kept of a listing.
func knownOf(t *testing.T, l *dump.Listing) io.Reader {
	t.Helper()
	var b bytes.Buffer
	if err := l.WriteKnown(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// sameTexts reports whether two lists can be read and are the same.
func sameTexts(a, b textlist.List) bool {
	x, errX := a.Texts()
	y, errY := b.Texts()
	return errX == nil && errY == nil && slices.Equal(x, y)
}

// counting counts the objects that are opened.
type counting struct {
	blob.Store
	opened atomic.Int64
}

func (c *counting) Open(ctx context.Context, key string) (blob.Handle, error) {
	c.opened.Add(1)
	return c.Store.Open(ctx, key)
}

// TestKnownManifests are not read again while they are what they were.
func TestKnownManifests(t *testing.T) {
	dir := t.TempDir()
	write := func(id int, text string) {
		t.Helper()
		name := filepath.Join(dir, "manifests", fmt.Sprintf("sync_%d.json", id))
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = os.WriteFile(name, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for id := range 30 {
		write(id, fmt.Sprintf(`{"dump_id":%d,"tables":[]}`, id))
	}
	write(30, `{"dump_id":`)
	local, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := &counting{Store: local}
	src := dump.Open(store, dump.Options{})
	first, err := src.List(t.Context())
	if err != nil || first.Fresh != 30 || store.opened.Load() != 31 {
		t.Fatalf("%v, %d fresh, %d read", err, first.Fresh, store.opened.Load())
	}
	store.opened.Store(0)
	write(7, `{"dump_id":7,"tables":[{"name":"x","files":[],"incremental":false}]}`)
	write(31, `{"dump_id":31,"tables":[]}`)
	second, err := src.ListKnown(t.Context(), knownOf(t, first))
	if err != nil || second.Fresh != 2 || store.opened.Load() != 3 {
		t.Fatalf("%v, %d fresh, %d read", err, second.Fresh, store.opened.Load())
	}
	plain, err := src.List(t.Context())
	if diff := cmp.Diff(plain, second, cmpopts.IgnoreFields(dump.Listing{}, "Fresh", "Texts"), cmpopts.IgnoreUnexported(dump.Listing{}, dump.Entry{}), cmpopts.EquateEmpty(), cmp.Comparer(sameTexts)); err != nil || diff != "" {
		t.Errorf("%v; read anew is not what was known (-anew +known):\n%s", err, diff)
	}
}
