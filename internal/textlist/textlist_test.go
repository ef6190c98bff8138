package textlist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// temp returns what makes files for a store, and how many it made.
func temp(t *testing.T) (make func() (*os.File, error), made *int) {
	made = new(int)
	return func() (*os.File, error) {
		*made++
		f, err := os.CreateTemp(t.TempDir(), "")
		if err == nil {
			t.Cleanup(func() { _ = f.Close() })
		}
		return f, err
	}, made
}

func write(t *testing.T, s *Store, texts ...string) List {
	t.Helper()
	w := s.NewWriter()
	for _, text := range texts {
		w.Add(text)
	}
	l, err := w.List()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// check fails if a list is not one of texts, however it is read.
func check(t *testing.T, l List, want []string) {
	t.Helper()
	got, err := l.Texts()
	if err != nil || !slices.Equal(got, want) || l.Len() != len(want) {
		t.Fatalf("%d texts of %d, or others: %v", len(got), len(want), err)
	}
	c := l.Cursor()
	for range want {
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("behind the last: %v", err)
	}
	encoded, err := l.Encoded([]byte("before"))
	if err != nil || int64(len(encoded)) != int64(len("before"))+l.Size() {
		t.Fatalf("%d bytes, of %d: %v", len(encoded), l.Size(), err)
	}
	again, err := New(0, nil).Restore(l.Len(), encoded[len("before"):])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Texts(); err != nil || !slices.Equal(got, want) {
		t.Errorf("restored it is another one: %v", err)
	}
}

// long are texts of several blocks.
func long() []string {
	var out []string
	for i := range 3000 {
		out = append(out, fmt.Sprintf("sync_1/part-%05d-%s.avro", i, strings.Repeat("x", i%50)))
	}
	return append(out, strings.Repeat("y", 5*blockBytes), "", "end")
}

func TestLists(t *testing.T) {
	s := New(0, nil)
	check(t, List{}, nil)
	check(t, write(t, s), nil)
	check(t, write(t, s, ""), []string{""})
	check(t, write(t, s, "a", "", "b"), []string{"a", "", "b"})
	check(t, write(t, s, long()...), long())
	if l := write(t, s, long()...); l.Size() > 40_000 {
		t.Errorf("texts that are alike take %d bytes", l.Size())
	}
}

// A writer makes one list after another.
func TestWriterAgain(t *testing.T) {
	w := New(0, nil).NewWriter()
	for range 2 {
		for _, text := range long() {
			w.Add(text)
		}
		l, err := w.List()
		if err != nil {
			t.Fatal(err)
		}
		check(t, l, long())
	}
}

// What is beyond the memory of a store is in one file.
func TestBeyondMemory(t *testing.T) {
	open, made := temp(t)
	first := write(t, New(1<<20, nil), long()...)
	s := New(int(first.Size())+100, open)
	var lists []List
	for i := range 5 {
		lists = append(lists, write(t, s, append(long(), fmt.Sprint(i))[1:]...))
		if want := min(i, 1); *made != want || (lists[i].file != nil) != (i > 0) {
			t.Fatalf("list %d: %d files", i, *made)
		}
	}
	var wg sync.WaitGroup
	for i, l := range lists {
		wg.Go(func() { check(t, l, append(long(), fmt.Sprint(i))[1:]) })
	}
	wg.Wait()
}

// Lists are written side by side.
func TestManyWriters(t *testing.T) {
	open, _ := temp(t)
	s := New(0, open)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			texts := []string{fmt.Sprint(i), strings.Repeat("z", 100*i)}
			check(t, write(t, s, texts...), texts)
		})
	}
	wg.Wait()
}

// Where no file can be made lists are in memory. One that cannot be written is an error.
func TestNoFile(t *testing.T) {
	tries := 0
	s := New(0, func() (*os.File, error) {
		tries++
		return nil, os.ErrPermission
	})
	for range 2 {
		check(t, write(t, s, long()...), long()) // in memory
	}
	if tries != 1 {
		t.Errorf("a file is made %d times", tries)
	}
	closed := New(0, func() (*os.File, error) {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		return f, errors.Join(err, f.Close())
	}).NewWriter()
	closed.Add("a")
	if _, err := closed.List(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("in a file that cannot be written: %v", err)
	}
}

// What cannot be read any more is an error: never another list.
func TestLostFile(t *testing.T) {
	open, _ := temp(t)
	var f *os.File
	s := New(0, func() (file *os.File, err error) {
		f, err = open()
		return f, err
	})
	l := write(t, s, long()...)
	if err := f.Truncate(l.Size() - 3); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Texts(); !errors.Is(err, errDamaged) {
		t.Errorf("of a file that was cut: %v", err)
	}
	if _, err := l.Encoded(nil); err == nil {
		t.Error("a file that was cut is encoded")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Texts(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("of a file that is closed: %v", err)
	}
}

// FuzzTexts has any texts read as they were written, in memory and in a file.
func FuzzTexts(f *testing.F) {
	f.Add("a\nb\n", uint8(1), 0)
	f.Add("sync_1/part-0.avro\nsync_1/part-1.avro", uint8(200), 100)
	f.Add("\n\n", uint8(70), 1)
	f.Fuzz(func(t *testing.T, text string, times uint8, memory int) {
		texts := strings.Split(strings.Repeat(text, int(times)*10), "\n")
		open, _ := temp(t)
		s := New(memory, open)
		for range 2 {
			check(t, write(t, s, texts...), texts)
		}
	})
}

// FuzzRestore has bytes that are no list fail or read as some list, and no more.
func FuzzRestore(f *testing.F) {
	for _, texts := range [][]string{nil, {"a"}, {"a", strings.Repeat("b", 1000)}, strings.Split(strings.Repeat("part,", blockBytes/4), ",")} {
		w := New(0, nil).NewWriter()
		for _, text := range texts {
			w.Add(text)
		}
		l, err := w.List()
		if err != nil {
			f.Fatal(err)
		}
		encoded, err := l.Encoded(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(len(texts), encoded)
		f.Add(len(texts)+1, encoded)
		f.Add(len(texts), encoded[:max(len(encoded)-1, 0)])
	}
	f.Fuzz(func(t *testing.T, n int, encoded []byte) {
		open, _ := temp(t)
		var texts [2][]string
		var errs [2]error
		for i, s := range []*Store{New(0, nil), New(0, open)} {
			l, err := s.Restore(max(n, 0), encoded)
			if err != nil {
				t.Fatal(err)
			}
			texts[i], errs[i] = l.Texts()
		}
		if (errs[0] == nil) != (errs[1] == nil) || !slices.Equal(texts[0], texts[1]) {
			t.Errorf("in memory %v, in a file %v", errs[0], errs[1])
		}
	})
}
