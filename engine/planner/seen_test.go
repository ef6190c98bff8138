package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/internal/blob"
)

// asked counts what is asked of part files. Files named denied cannot be read.
type asked struct {
	blob.Store
	opens, stats atomic.Int64
}

func (a *asked) Open(ctx context.Context, key string) (blob.Handle, error) {
	if strings.HasPrefix(key, "sync_") {
		a.opens.Add(1)
	}
	return a.Store.Open(ctx, key)
}

func (a *asked) Stat(ctx context.Context, key string) (blob.Object, error) {
	if strings.HasPrefix(key, "sync_") {
		a.stats.Add(1)
	}
	if strings.Contains(key, "denied") {
		return blob.Object{}, &fs.PathError{Op: "stat", Path: key, Err: fs.ErrPermission}
	}
	return a.Store.Stat(ctx, key)
}

// listed is a session whose source has a manifest for each of some lists of files, of a
// table t without columns. The files that begin with "there" exist.
func listed(t *testing.T, manifests ...[]string) (*Session, *asked) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for i, files := range manifests {
		var urls []string
		for _, name := range files {
			urls = append(urls, fmt.Sprintf(`"s3://b/sync_1/%s"`, name))
			if strings.HasPrefix(name, "there") {
				write("source/sync_1/"+name, name)
			}
		}
		write(fmt.Sprintf("source/manifests/%d.json", i+1), fmt.Sprintf(`{"dump_id":%d,"tables":[{"name":"t","incremental":true,"files":[%s]}]}`, i+1, strings.Join(urls, ",")))
	}
	store, err := blob.NewLocal(filepath.Join(dir, "source"))
	if err != nil {
		t.Fatal(err)
	}
	a := &asked{Store: store}
	src := dump.Open(a, dump.Options{})
	l, err := src.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.opens.Store(0)
	a.stats.Store(0)
	return &Session{Planner: &Planner{Ask: &Request{Config: &config.Config{}}, Source: src}, Listing: l}, a
}

// Of a dump of which many files cannot be read the others are not opened, either.
func TestManyUnreadableHeaders(t *testing.T) {
	var files []string
	for i := range 3 * mostUnread {
		files = append(files, fmt.Sprintf("missing-%d", i))
	}
	p, a := listed(t, files)
	names, bad, err := fieldsOf(t.Context(), p, p.Listing.Dumps[0].Entries[0])
	if err != nil || len(names) > 0 || bad == nil || bad.File != fmt.Sprintf("sync_1/missing-%d", mostUnread-1) {
		t.Errorf("names %v, bad %+v, %v", names, bad, err)
	}
	if n := a.opens.Load(); n != mostUnread {
		t.Errorf("%d files were opened, want %d", n, mostUnread)
	}
}

// What is found out about files is that of each, also where they are looked at in parts;
// one that several manifests list is asked for once.
func TestSeenFiles(t *testing.T) {
	name := func(i int) string {
		return fmt.Sprintf("%s-%d", []string{"missing", "there", "missing", "denied"}[i%4], i)
	}
	var first, second []string
	for i := range filesAtOnce + 100 {
		first = append(first, name(i))
		if i%2 == 0 {
			second = append(second, name(i))
		}
	}
	p, a := listed(t, first, second, nil)
	var list []Delivery
	for _, d := range p.Listing.Dumps {
		list = append(list, Delivery{Dump: d.ID, Entry: d.Entries[0]})
	}
	for f, err := range FilesOf(p, list[0].Entry) {
		if err != nil || f.seen || f.err != nil {
			t.Fatalf("before the look: %+v, %v", f, err)
		}
	}
	for range 2 {
		if err := probeFiles(t.Context(), p, list); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.stats.Load(); n != int64(len(first)) {
		t.Errorf("%d files were asked for, want %d", n, len(first))
	}
	for at, names := range [][]string{first, second, nil} {
		i := 0
		for f, err := range FilesOf(p, list[at].Entry) {
			if err != nil {
				t.Fatal(err)
			}
			key := "sync_1/" + names[i]
			kind, _, _ := strings.Cut(names[i], "-")
			there := f.err == nil && f.Size == int64(len(names[i])) && f.Pin != ""
			missing, denied := errors.Is(f.err, fs.ErrNotExist), errors.Is(f.err, fs.ErrPermission)
			if f.Key != key || !f.seen || there != (kind == "there") || missing != (kind == "missing") || denied != (kind == "denied") {
				t.Fatalf("file %d of manifest %d: %+v", i, at+1, f)
			}
			i++
		}
		if i != len(names) {
			t.Errorf("%d files of manifest %d, want %d", i, at+1, len(names))
		}
	}
}
