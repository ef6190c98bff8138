// Package markdowntest reads Markdown as hosts of pull requests do, for tests: whether
// what others wrote stays text, and what the tables say.
package markdowntest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Page is what a reader sees.
type Page struct {
	Headings   []string
	Paragraphs []string
	Tables     []Table
}

// Table has the cells of its rows, the columns' names first.
type Table [][]Cell

// Cell is a cell: its text as it is seen, and the code spans in it.
type Cell struct {
	Text  string
	Codes []string
}

// active is what hosts find outside of code and act upon: mentions, references to issues,
// merge requests and commits, addresses, short names of emoji, entities, formulas.
var active = regexp.MustCompile(`@|#\d|[!$~%&]\w|(?i:gh-\d|https?:|www\.)|\b[0-9a-f]{7,40}\b|:\w+:|\$|<|>|\|`)

// Read parses a page, and fails the test where it has anything but headings, paragraphs and
// tables of plain and bold text and code, after a comment in its first line.
func Read(t testing.TB, page string) Page {
	t.Helper()
	marker, body, _ := strings.Cut(page, "\n")
	if !strings.HasPrefix(marker, "<!-- ") || strings.Index(marker, "-->") != len(marker)-len("-->") || strings.Contains(marker[4:len(marker)-3], "--") {
		t.Errorf("the first line is no comment: %q", marker)
	}
	src := []byte(page)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	var p Page
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.HTMLBlock:
			if n.PreviousSibling() != nil || n.HasClosure() || strings.TrimSpace(string(n.Lines().Value(src))) != marker {
				t.Errorf("HTML: %q", n.Lines().Value(src))
			}
		case *ast.Heading:
			p.Headings = append(p.Headings, read(t, n, src).Text)
		case *ast.Paragraph:
			p.Paragraphs = append(p.Paragraphs, read(t, n, src).Text)
		case *east.Table:
			p.Tables = append(p.Tables, tableOf(t, n, src))
		default:
			t.Errorf("a %s: %q", n.Kind(), body)
		}
	}
	return p
}

func tableOf(t testing.TB, n *east.Table, src []byte) (out Table) {
	t.Helper()
	for r := n.FirstChild(); r != nil; r = r.NextSibling() {
		var row []Cell
		for c := r.FirstChild(); c != nil; c = c.NextSibling() {
			row = append(row, read(t, c, src))
		}
		out = append(out, row)
	}
	return out
}

// read is what is seen of a block.
func read(t testing.TB, block ast.Node, src []byte) (out Cell) {
	t.Helper()
	var seen, outside strings.Builder
	err := ast.Walk(block, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.CodeSpan:
			if enter {
				code := ""
				for c := n.FirstChild(); c != nil; c = c.NextSibling() {
					code += string(c.(*ast.Text).Segment.Value(src))
				}
				out.Codes = append(out.Codes, code)
				seen.WriteString(code)
				outside.WriteString(" ")
				return ast.WalkSkipChildren, nil
			}
		case *ast.Text:
			if enter {
				s := strings.ReplaceAll(string(n.Segment.Value(src)), `\~`, "~")
				seen.WriteString(s)
				outside.WriteString(strings.ReplaceAll(s, "~", ""))
			}
		case *ast.Emphasis, *ast.Paragraph, *ast.Heading, *east.TableCell:
		default:
			t.Errorf("a %s in %q", n.Kind(), src)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Error(err)
	}
	if found := active.FindString(outside.String()); found != "" {
		t.Errorf("%q stands outside of code: %q", found, outside.String())
	}
	out.Text = seen.String()
	return out
}
