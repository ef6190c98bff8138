package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/rogpeppe/go-internal/diff"
)

// Format returns the canonical layout of a file. It changes blanks only, and
// formatting its result changes nothing.
func Format(src []byte) []byte {
	out := hclwrite.Format(src)
	for range 3 { // some layouts need a second pass to settle
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	return out
}

// Formatted is a file whose layout is not canonical. Diff is the difference as
// unified text; lines of variable files are not in it, as they may be secret.
type Formatted struct {
	Path string
	Diff string
}

// FormatDir finds the *.hcl and *.hclvars files of a folder whose layout is not
// canonical, sorted by name, and with write replaces them. A file with a syntax
// error is diagnosed and left alone.
func FormatDir(dir string, write bool) ([]Formatted, Sources, hcl.Diagnostics) {
	src := Sources{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, src, hcl.Diagnostics{errorPlain("No configuration", "The folder of the configuration cannot be read: %s.", err)}
	}
	var out []Formatted
	var diags hcl.Diagnostics
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, configExt) && !strings.HasSuffix(name, varExt) {
			continue
		}
		f, more := formatFile(filepath.Join(dir, name), write, src)
		diags = append(diags, more...)
		if f != nil {
			out = append(out, *f)
		}
	}
	return out, src, sortDiagnostics(diags)
}

func formatFile(path string, write bool, src Sources) (*Formatted, hcl.Diagnostics) {
	text, err := readRegular(path)
	if err != nil {
		return nil, hcl.Diagnostics{errorPlain("Unreadable file", "The file %s cannot be read: %s.", path, err)}
	}
	vars := strings.HasSuffix(path, varExt)
	if _, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos); diags.HasErrors() {
		src[path] = &hcl.File{Bytes: text}
		if vars {
			src.blank(assignedLines(source{path, text}))
			hideSyntax(diags)
		} else {
			src.blank(secretLines(source{path, text}))
		}
		return nil, diags
	}
	want := Format(text)
	if bytes.Equal(want, text) {
		return nil, nil
	}
	f := &Formatted{Path: path, Diff: string(diff.Diff(path, text, path+" (formatted)", want))}
	if vars {
		f.Diff = fmt.Sprintf("%s: the layout differs; its lines are not shown, as they may be secret\n", path)
	}
	if write {
		if err := replaceFile(path, want); err != nil {
			return nil, hcl.Diagnostics{errorPlain("File not written", "The file %s cannot be replaced: %s.", path, err)}
		}
	}
	return f, nil
}

// replaceFile puts new content in the place of a file, at once or not at all.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".fmt-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err = tmp.Write(text); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), st.Mode().Perm())
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
