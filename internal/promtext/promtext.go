// Package promtext writes figures to a file in the text format of Prometheus, for a
// collector that reads such files, as that of node_exporter does.
//
// A file is replaced as a whole: a reader finds the one before or the new one. Only a
// file that this package wrote is replaced. What that one said can be read again, so that
// counters go on and figures that nobody knows at the moment stay.
package promtext

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"reconcile/internal/plain"
)

// Kind is the type of a family.
type Kind string

// The kinds.
const (
	Gauge   Kind = "gauge"
	Counter Kind = "counter"
)

// Label tells a sample from the others of its family.
type Label struct{ Name, Value string }

// Family is what is measured under one name.
type Family struct {
	Name, Help string
	Kind       Kind
	Samples    []Sample
	kept       []string // lines of an earlier file
}

// Sample is one figure.
type Sample struct {
	Labels []Label
	Value  float64
}

// Add adds a sample.
func (f *Family) Add(value float64, labels ...Label) {
	f.Samples = append(f.Samples, Sample{labels, value})
}

// head begins every file, and names who wrote it.
const head = "# Written by reconcile, format 1.\n"

// File is the content of a file: its families, and labels that all samples have.
type File struct {
	Labels   []Label
	Families []*Family
}

// Encode returns the text. Families without samples are left out.
func (f *File) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, fam := range f.Families {
		if len(fam.Samples)+len(fam.kept) == 0 {
			continue
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", fam.Name, escapeHelp(fam.Help), fam.Name, fam.Kind)
		for _, line := range fam.kept {
			b.WriteString(line + "\n")
		}
		for _, s := range fam.Samples {
			b.WriteString(f.series(fam.Name, s.Labels) + " " + strconv.FormatFloat(s.Value, 'f', -1, 64) + "\n")
		}
	}
	return b.Bytes()
}

// series is what a sample's line says before the value.
func (f *File) series(name string, labels []Label) string {
	all := slices.Concat(f.Labels, labels)
	if len(all) == 0 {
		return name
	}
	var parts []string
	for _, l := range all {
		parts = append(parts, l.Name+`="`+escapeValue(l.Value)+`"`)
	}
	return name + "{" + strings.Join(parts, ",") + "}"
}

// escapeValue writes a label's value as the format wants it. Control characters would be
// the end of the file for some readers: they are written out, and a backslash that was
// there is doubled then, so that different values stay different.
func escapeValue(s string) string {
	if strings.Contains(s, `\`) || plain.Text(s) != s {
		s = plain.Text(strings.ReplaceAll(s, `\`, `\\`))
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

func escapeHelp(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

// Earlier is what a file said.
type Earlier struct {
	lines  map[string][]string // of samples, by family
	values map[string]float64  // by series
}

// sampleLine is a sample as Encode writes it.
var sampleLine = regexp.MustCompile(`^(([a-z_]+)(?:\{(?:[a-zA-Z0-9_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (-?[0-9.]+)$`)

// ErrForeign says that a file is not one of this package.
var ErrForeign = errors.New("there is a file that reconcile has not written: name another one, or remove it")

// Read reads a file that was written before. One that is not there says nothing.
func Read(name string) (*Earlier, error) {
	out := &Earlier{lines: map[string][]string{}, values: map[string]float64{}}
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return out, nil
	case err != nil:
		return nil, err
	case len(data) > 0 && !bytes.HasPrefix(data, []byte(head)):
		return nil, ErrForeign
	}
	for line := range strings.Lines(string(data)) {
		m := sampleLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		if v, err := strconv.ParseFloat(m[3], 64); err == nil {
			out.lines[m[2]] = append(out.lines[m[2]], m[0])
			out.values[m[1]] = v
		}
	}
	return out, nil
}

// Keep gives a family the samples that it had.
func (e *Earlier) Keep(f *Family) { f.kept = e.lines[f.Name] }

// Count adds to a counter what it stood at in the earlier file.
func (e *Earlier) Count(file *File, f *Family, n float64, labels ...Label) {
	f.Add(e.values[file.series(f.Name, labels)]+n, labels...)
}

// readable lets everybody read the file, as collectors run as users of their own.
const readable = 0o644

// Write replaces a file.
func Write(name string, f *File) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(f.Encode())
	if err = errors.Join(err, tmp.Chmod(readable), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
