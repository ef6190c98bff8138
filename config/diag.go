package config

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/near"
	"reconcile/internal/plain"
)

// Sources are the files that diagnostics point into, by the name that they
// carry. What is known to be secret in them is blanked out with asterisks.
type Sources map[string]*hcl.File

// Write writes diagnostics for people: severity, file, line, snippet and what to
// do. width is that of the terminal in characters; 0 means no wrapping.
func (s Sources) Write(w io.Writer, diags hcl.Diagnostics, width int, color bool) error {
	if err := hcl.NewDiagnosticTextWriter(w, s, uint(max(width, 0)), color).WriteDiagnostics(diags); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

// JSONDiagnostic is a diagnostic for -json output.
type JSONDiagnostic struct {
	Severity string     `json:"severity"` // "error" or "warning"
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail,omitempty"`
	File     string     `json:"file,omitempty"`
	Range    *JSONRange `json:"range,omitempty"`
}

// JSONRange is the part of a file that a diagnostic is about; End is exclusive.
type JSONRange struct {
	Start JSONPos `json:"start"`
	End   JSONPos `json:"end"`
}

// JSONPos is a place in a file. Line and Column count from one, Column in
// characters, Byte from zero.
type JSONPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// JSON returns diagnostics in the form of -json output. No values of variables
// are in it.
func JSON(diags hcl.Diagnostics) []JSONDiagnostic {
	out := make([]JSONDiagnostic, 0, len(diags))
	for _, d := range diags {
		j := JSONDiagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			j.File = d.Subject.Filename
			j.Range = &JSONRange{Start: jsonPos(d.Subject.Start), End: jsonPos(d.Subject.End)}
		}
		out = append(out, j)
	}
	return out
}

func jsonPos(p hcl.Pos) JSONPos { return JSONPos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// blank replaces what stands in the ranges by asterisks. Line ends stay, so
// that line numbers do.
func (s Sources) blank(ranges []hcl.Range) {
	for _, r := range ranges {
		f := s[r.Filename]
		if f == nil {
			continue
		}
		c := *f
		c.Bytes = bytes.Clone(f.Bytes)
		for i := max(r.Start.Byte, 0); i < r.End.Byte && i < len(c.Bytes); i++ {
			if c.Bytes[i] != '\n' && c.Bytes[i] != '\r' {
				c.Bytes[i] = '*'
			}
		}
		s[r.Filename] = &c
	}
}

// errorAt returns a mistake that stands somewhere. The arguments can be names that
// were delivered: what may not be shown of them as it is, is escaped.
func errorAt(r hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: plain.Sprintf(format, args...), Subject: r.Ptr()}
}

// broughtIn marks a mistake that a delivery alone can bring about, whatever the
// configuration is for other tables.
type broughtIn struct{}

// deliveredAt is errorAt for what a delivery alone can bring about.
func deliveredAt(r hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := errorAt(r, summary, format, args...)
	d.Extra = broughtIn{}
	return d
}

// BroughtIn reports whether the errors among diagnostics are all of a kind that a
// delivery alone can bring about.
func BroughtIn(diags hcl.Diagnostics) bool {
	for _, d := range diags {
		if _, ok := d.Extra.(broughtIn); !ok && d.Severity == hcl.DiagError {
			return false
		}
	}
	return diags.HasErrors()
}

func warnAt(r hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := errorAt(r, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// errorPlain is a mistake that stands in no file, as one on the command line.
func errorPlain(summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

func warnPlain(summary, format string, args ...any) *hcl.Diagnostic {
	d := errorPlain(summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// place is a range as a sentence names it.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// Join puts diagnostics together, in the order of files and places and without
// repetitions: what Load says of a table Config.Table says again.
func Join(lists ...hcl.Diagnostics) hcl.Diagnostics {
	return sortDiagnostics(slices.Concat(lists...))
}

// sortDiagnostics orders by file and place, those without one first, and drops
// exact repetitions.
func sortDiagnostics(diags hcl.Diagnostics) hcl.Diagnostics {
	at := func(d *hcl.Diagnostic) hcl.Range {
		if d.Subject == nil {
			return hcl.Range{}
		}
		return *d.Subject
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		ra, rb := at(a), at(b)
		if c := strings.Compare(ra.Filename, rb.Filename); c != 0 {
			return c
		}
		if c := ra.Start.Byte - rb.Start.Byte; c != 0 {
			return c
		}
		if c := strings.Compare(a.Summary, b.Summary); c != 0 {
			return c
		}
		return strings.Compare(a.Detail, b.Detail)
	})
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail && at(a) == at(b)
	})
}

// didYouMean is a sentence with the nearest known name, preceded by a blank, or
// nothing.
func didYouMean(given string, known []string) string {
	if n := near.Name(given, known); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}

// quoted lists words for a sentence: "a", "b" or "c".
func quoted(words []string, last string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" " + last + " ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", w)
	}
	return b.String()
}

// hintQuotes says of a label and of a path without quotes that they need them, where the
// language only says that they are none. One line gives one of these.
func hintQuotes(diags hcl.Diagnostics, text []byte) hcl.Diagnostics {
	label := regexp.MustCompile(`^\s*(\w+)\s+([0-9*?][^\s{}"=]*|\w[\w-]*[*?][^\s{}"=]*)\s*\{`)
	path := regexp.MustCompile(`^[^=#\n]*?(\w+)\s*=\s*(?:(?:\.\.?|~)?/|\w+://)`)
	told := map[int]bool{}
	var out hcl.Diagnostics
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Start.Byte > len(text) {
			out = append(out, d)
			continue
		}
		begin := bytes.LastIndexByte(text[:d.Subject.Start.Byte], '\n') + 1
		if told[begin] {
			continue
		}
		if m := label.FindSubmatch(text[begin:]); m != nil {
			told[begin] = true
			d.Summary, d.Detail = "Label without quotes", fmt.Sprintf("Quote the label, as in %s %q {.", m[1], m[2])
		} else if m := path.FindSubmatch(text[begin:]); m != nil {
			told[begin] = true
			d.Summary, d.Detail = "Text without quotes", fmt.Sprintf("Quote the text, as in %s = \"...\".", m[1]) // it may be a secret
		}
		out = append(out, d)
	}
	return out
}
