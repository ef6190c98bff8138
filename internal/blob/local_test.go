package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/blobtest"
)

var ctx = context.Background()

func newLocal(t testing.TB) (*blob.Local, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "root")
	l, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func write(t testing.TB, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestLocalConforms(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		l, _ := newLocal(t)
		return l
	})
}

func TestRetryingConforms(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		l, _ := newLocal(t)
		return blob.WithRetries(l, blob.Retry{})
	})
}

func TestReadingMakesNothing(t *testing.T) {
	l, dir := newLocal(t)
	_, errList := l.List(ctx, "")
	_, errStat := l.Stat(ctx, "k")
	for _, err := range []error{errList, errStat, l.Delete(ctx, "k", blob.Cond{})} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want an error that names %s", err, dir)
		}
	}
	if err := errors.Join(l.RemoveEmptyFolders(ctx, "a/b", ""), l.RemoveLeftovers(ctx, blob.Leftovers{})); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made a folder: %v", err)
	}
}

func TestLinks(t *testing.T) {
	l, dir := newLocal(t)
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	write(t, filepath.Join(dir, "in/file"), "inside")
	for link, target := range map[string]string{
		"out": outside, "outdir": filepath.Dir(outside), "up": "../../x", "same": "in/file", "dir": "in",
		"loop": "loop", "a/deep": "../in/file",
	} {
		name := filepath.Join(dir, link)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"out", "outdir/secret", "up", "loop"} {
		if data, _, err := blob.ReadAll(ctx, l, key, 100); err == nil {
			t.Errorf("%s led out to %q", key, data)
		}
	}
	for _, key := range []string{"outdir/new", "up/new"} {
		if _, err := blob.Put(ctx, l, key, nil, blob.Cond{}); err == nil {
			t.Errorf("wrote through %s", key)
		}
	}
	for _, key := range []string{"same", "dir/file", "a/deep"} {
		if data, _, err := blob.ReadAll(ctx, l, key, 100); err != nil || string(data) != "inside" {
			t.Errorf("%s: %q, %v", key, data, err)
		}
	}
	list, err := l.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list {
		got = append(got, o.Key)
	}
	if want := "a/deep dir in/file loop out outdir same up"; strings.Join(got, " ") != want {
		t.Errorf("listed %q, want %q", got, want)
	}
}

// TestUnfinished says where unfinished writes stand and that no reader's glob
// finds them.
func TestUnfinished(t *testing.T) {
	l, dir := newLocal(t)
	w, err := l.Create(ctx, "t/x.parquet", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "t"))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	name := entries[0].Name()
	if !strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".parquet") {
		t.Errorf("an unfinished write is called %s", name)
	}
	if _, err := l.Create(ctx, "t/"+name, blob.Cond{}); err == nil {
		t.Error("the name of an unfinished write was taken as a key")
	}
	w.Abort()
	if entries, _ := os.ReadDir(filepath.Join(dir, "t")); len(entries) != 0 {
		t.Errorf("Abort left %v", entries)
	}
	if err := l.RemoveLeftovers(ctx, blob.Leftovers{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "t")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("RemoveLeftovers left an empty folder")
	}
}

func TestPrune(t *testing.T) {
	l, dir := newLocal(t)
	write(t, filepath.Join(dir, "t/y=1/m=1/f"), "x")
	write(t, filepath.Join(dir, "t/y=1/m=2/d=1/f"), "x")
	exists := func(key string) bool {
		_, err := os.Stat(filepath.Join(dir, key))
		return err == nil
	}
	check := func(folder, stop string) {
		t.Helper()
		if err := l.RemoveEmptyFolders(ctx, folder, stop); err != nil {
			t.Error(err)
		}
	}
	check("t/y=1/m=1", "")
	check("t/y=1/m=1/f", "") // a file is not a folder
	if !exists("t/y=1/m=1/f") {
		t.Fatal("a file went")
	}
	os.Remove(filepath.Join(dir, "t/y=1/m=1/f"))
	check("t/y=1/m=1", "")
	if exists("t/y=1/m=1") || !exists("t/y=1/m=2") {
		t.Error("want the empty folder gone and its neighbour there")
	}
	os.Remove(filepath.Join(dir, "t/y=1/m=2/d=1/f"))
	check("t/y=1/m=2/d=1/gone/too", "t")
	if exists("t/y=1") || !exists("t") {
		t.Error("want all below t gone and t there")
	}
	check("t", "")
	if exists("t") || !exists("") {
		t.Error("want t gone and the root there")
	}
	if err := l.RemoveEmptyFolders(ctx, "a/b", "c"); err == nil {
		t.Error("a folder outside of stop was taken")
	}
}

func TestPinFollowsInPlaceChange(t *testing.T) {
	l, dir := newLocal(t)
	o, err := blob.Put(ctx, l, "k", []byte("12345"), blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "k"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // file times move with the kernel's tick
	if _, err := f.WriteString("5"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if st, err := l.Stat(ctx, "k"); err != nil || st.Pin == o.Pin {
		t.Errorf("pin %s stays (%v)", st.Pin, err)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	l, dir := newLocal(t)
	write(t, filepath.Join(dir, "f"), "x")
	_, err := l.Open(ctx, "f/g")
	want := fmt.Sprintf("open %s: ", filepath.Join(dir, "f/g"))
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "f/g") != 1 {
		t.Errorf("got %v, want it to begin with %q and name the file once", err, want)
	}
}

func BenchmarkList20k(b *testing.B) {
	l, dir := newLocal(b)
	for i := range 20_000 {
		write(b, fmt.Sprintf("%s/t/year=%d/month=%02d/day=%02d/%d.parquet", dir, i/1200, i/100%12, i/4%25, i), "")
	}
	for b.Loop() {
		if list, err := l.List(ctx, "t"); err != nil || len(list) != 20_000 {
			b.Fatal(len(list), err)
		}
	}
}
