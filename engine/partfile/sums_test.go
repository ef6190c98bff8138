package partfile

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

// States have digests of what was read of dumps: they stay what they were. A dump of which a
// file was not read has none.
func TestSums(t *testing.T) {
	s := NewSums(true)
	read := func(dump int64, index int, text string) {
		if _, err := io.Copy(io.Discard, s.Begin(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		s.End(dump, index, blob.Object{Size: int64(len(text)), Pin: "pin of " + text})
	}
	const files = 700
	for i := range files {
		read(1, files-1-i, fmt.Sprint("file ", files-1-i))
		if i != 5 {
			read(2, i, "")
		}
	}
	w := exec.NewFiles(textlist.New(0, nil))
	for range files {
		w.Add(exec.SourceFile{})
	}
	list, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	c, r := s.Content(&exec.Delivery{Dump: 1, Files: list, Columns: []string{"a"}, HasColumns: true}), s.ReadOf(1, files)
	if c == nil || r == nil {
		t.Fatal("a dump of which all was read has no digest")
	}
	if got, want := fmt.Sprintf("%d %x %x", c.Dump, c.Fingerprint, c.Digest), "1 9f075fbda7e0b1b8 3c8aae30602137b08d14602b372faec4"; got != want {
		t.Errorf("the content is %s, want %s", got, want)
	}
	last := r.Files[files-1]
	if got, want := fmt.Sprintf("%d %s %x", last.Size, last.Tag, last.Sum), "8 pin of file 699 5f9916f0561c89be42739a9018030c63"; got != want || len(r.Files) != files {
		t.Errorf("of the last file %s was read, want %s", got, want)
	}
	if s.Content(&exec.Delivery{Dump: 2, Files: list}) != nil || s.ReadOf(2, files) != nil || s.ReadOf(1, files+1) != nil || s.ReadOf(3, 1) != nil || s.ReadOf(1, 0) != nil {
		t.Error("a dump that was not read has a digest")
	}
}
