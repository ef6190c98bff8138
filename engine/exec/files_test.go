package exec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/internal/textlist"
)

func filesOf(t *testing.T, list ...exec.SourceFile) exec.Files {
	t.Helper()
	w := exec.NewFiles(textlist.New(0, nil))
	for _, f := range list {
		w.Add(f)
	}
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func listOf(t *testing.T, files exec.Files) (list []exec.SourceFile) {
	t.Helper()
	for f, err := range files.All() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func TestFiles(t *testing.T) {
	list := []exec.SourceFile{{}, {Key: "a", Size: 7, Pin: "pin"}, {Key: "a", Size: 7}, {Key: "\xff" + strings.Repeat("k", 1000), Pin: strings.Repeat("p", 300)}}
	bytes := int64(14)
	for i := range 2000 {
		list = append(list, exec.SourceFile{Key: fmt.Sprintf("sync_1/%d", i), Size: int64(i) << 30, Pin: fmt.Sprint("pin ", i)})
		bytes += int64(i) << 30
	}
	files := filesOf(t, list...)
	if got := listOf(t, files); !slices.Equal(got, list) || files.Len() != len(list) || files.Bytes() != bytes {
		t.Errorf("%d files of %d bytes, want %d of %d, or they are others", files.Len(), files.Bytes(), len(list), bytes)
	}
	task := &exec.Task{Version: exec.FormatVersion, Deliveries: []exec.Delivery{{Dump: 1, Files: files}, {Dump: 2}}}
	b, err := exec.EncodeTask(task)
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.DecodeTask(b)
	if err != nil {
		t.Fatal(err)
	}
	again := got.Deliveries[0].Files
	if !slices.Equal(listOf(t, again), list) || again.Bytes() != bytes || got.Deliveries[1].Files.Len() != 0 {
		t.Error("read back the files are others")
	}
	before, errBefore := task.Digest()
	after, errAfter := got.Digest()
	if before != after || errBefore != nil || errAfter != nil {
		t.Errorf("read back the task has another digest: %v, %v", errBefore, errAfter)
	}
}

// Whatever differs of the files makes another task.
func TestDigestOfFiles(t *testing.T) {
	seen := map[string]int{}
	for i, list := range [][][]exec.SourceFile{
		{nil, nil},
		{{{}}, nil},
		{nil, {{}}},
		{{{Key: "a", Size: 1, Pin: "b"}}, nil},
		{{{Key: "a", Size: 2, Pin: "b"}}, nil},
		{{{Key: "ab", Size: 1}}, nil},
		{{{Key: "a", Size: 1, Pin: "c"}}, nil},
		{{{Key: "a"}, {Key: "b"}}, nil},
		{{{Key: "b"}, {Key: "a"}}, nil},
		{{{Key: "a"}}, {{Key: "b"}}},
	} {
		task := &exec.Task{Version: exec.FormatVersion, Deliveries: []exec.Delivery{{Dump: 1, Files: filesOf(t, list[0]...)}, {Dump: 2, Files: filesOf(t, list[1]...)}}}
		digest, err := task.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := seen[digest]; ok {
			t.Errorf("%v and case %d are one task", list, at)
		}
		seen[digest] = i
		if task.Deliveries[0].Files.Len() != len(list[0]) {
			t.Error("the digest takes files away")
		}
	}
}
