package markdown

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"reconcile/internal/amount"
)

// Document is Markdown that is cut to a number of bytes.
type Document struct {
	Marker   string // the first line, of Hidden
	Title    Text
	Head     []Text // paragraphs, which are never cut
	Sections []Section
	// Cut is the last paragraph where something was left out.
	Cut Text
}

// Section is a table with a title. Rows that do not fit are left out, from the end of the
// last section on.
type Section struct {
	Title   Text
	Columns []Text
	Rows    [][]Text
	// Rest says what of the rows from one on, of which there is at least one, is left out.
	Rest func(from int) Text
}

// Render writes the document in at most a number of bytes. It fails if what is never cut
// does not fit.
//
// Sections are written in their order, rows while there is room for what has to follow: the
// counts of the rows that are left out of this section and of all of the next ones. So a
// section takes from those behind it, and no row is cut.
func (d *Document) Render(most int) (string, error) {
	whole := d.head()
	for i := range d.Sections {
		whole += d.Sections[i].upTo(len(d.Sections[i].Rows))
	}
	if len(whole) <= most {
		return whole, nil
	}
	out := d.head()
	left := most - len(out) - len(paragraph(d.Cut))
	for i := range d.Sections {
		left -= len(d.Sections[i].upTo(0))
	}
	if left < 0 {
		return "", fmt.Errorf("%s bytes are not enough: the shortest form takes %s", amount.Number(most), amount.Number(most-left))
	}
	for i := range d.Sections {
		s := &d.Sections[i]
		left += len(s.upTo(0))
		text := s.upTo(s.fitting(left))
		out += text
		left -= len(text)
	}
	return out + paragraph(d.Cut), nil
}

func (d *Document) head() string {
	out := d.Marker + "\n" + string(d.Title) + "\n---\n"
	for _, t := range d.Head {
		out += paragraph(t)
	}
	return out
}

func paragraph(t Text) string {
	if t == "" {
		return ""
	}
	return "\n" + string(t) + "\n"
}

// fitting is how many rows fit into a number of bytes, with the line that counts the
// others. Where nothing is said to fit, the section without rows does.
func (s *Section) fitting(most int) int {
	if len(s.upTo(len(s.Rows))) <= most {
		return len(s.Rows)
	}
	fits, size := 0, len(s.top())
	for i, r := range s.Rows {
		size += len(row(r))
		if size > most {
			break
		}
		if i+1 < len(s.Rows) && size+len(paragraph(s.Rest(i+1))) <= most {
			fits = i + 1
		}
	}
	return fits
}

// upTo is the section with its first rows.
func (s *Section) upTo(rows int) string {
	if len(s.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	if rows == 0 {
		b.WriteString(paragraph(s.Title))
	} else {
		b.WriteString(s.top())
	}
	for _, r := range s.Rows[:rows] {
		b.WriteString(row(r))
	}
	if rows < len(s.Rows) {
		b.WriteString(paragraph(s.Rest(rows)))
	}
	return b.String()
}

// top is what stands above the rows.
func (s *Section) top() string {
	return paragraph(s.Title) + "\n" + row(s.Columns) + strings.Repeat("|---", len(s.Columns)) + "|\n"
}

func row(cells []Text) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString("| ")
		b.WriteString(string(c))
		b.WriteString(" ")
	}
	return b.String() + "|\n"
}

// longestHidden is how long a value in a hidden comment may be.
const longestHidden = 200

// hidden writes a value with everything as a percent escape that could end a comment; a
// long one as its digest.
func hidden(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '.', c == '_', c == '=':
			b.WriteByte(c)
		case c == '-' && i > 0 && s[i-1] != '-' && i+1 < len(s):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= longestHidden {
		return b.String()
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
