package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ragged = "sink \"parquet\" \"lake\" {\npath=\"x\"\n    compression   = \"zstd\"\n}\n"
const neat = "sink \"parquet\" \"lake\" {\n  path        = \"x\"\n  compression = \"zstd\"\n}\n"

func TestFormat(t *testing.T) {
	if got := string(Format([]byte(ragged))); got != neat {
		t.Errorf("got\n%s", got)
	}
	for _, name := range []string{"small", "full"} {
		b, err := os.ReadFile("testdata/samples/" + name + ".hcl")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(Format(b), b) {
			t.Errorf("the sample %s is not in canonical layout", name)
		}
	}
}

func TestFormatDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, broken, vars := write("a.hcl", ragged), write("broken.hcl", "key=\"hunter2\n"), write("v.auto.hclvars", "key=\"hunter2\"\n")
	write("neat.hcl", neat)
	write("other.txt", ragged)
	badVars := write("w.hclvars", "key = \"hunter2\n")

	got, src, diags := FormatDir(dir, false)
	if len(got) != 2 || got[0].Path != a || got[1].Path != vars || len(diags) == 0 {
		t.Fatalf("got %v, %v", got, diags)
	}
	if !strings.Contains(got[0].Diff, "-path=\"x\"\n") || !strings.Contains(got[0].Diff, "+  path        = \"x\"\n") {
		t.Errorf("difference:\n%s", got[0].Diff)
	}
	var out bytes.Buffer
	if err := src.Write(&out, diags, 0, false); err != nil {
		t.Fatal(err)
	}
	if s := out.String() + got[1].Diff; strings.Contains(s, "hunter2") || !strings.Contains(s, broken) || !strings.Contains(s, badVars) {
		t.Errorf("diagnostics:\n%s", s)
	}
	if b, _ := os.ReadFile(a); string(b) != ragged {
		t.Error("a check wrote")
	}

	if got, _, _ := FormatDir(dir, true); len(got) != 2 {
		t.Errorf("written: %v", got)
	}
	if b, _ := os.ReadFile(a); string(b) != neat {
		t.Errorf("written:\n%s", b)
	}
	if st, err := os.Stat(a); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if got, _, _ := FormatDir(dir, true); len(got) != 0 {
		t.Errorf("a second run changes %v", got)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, ".fmt-*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}
