package scaffold

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
	"reconcile/internal/plain"
)

// Attribute is one attribute of a block.
type Attribute struct {
	Name  string
	Value cty.Value
}

// SourceBlock returns the text of a source block.
func SourceBlock(kind string, attributes []Attribute) []byte {
	w := newWriter()
	w.source(kind, attributes)
	return w.bytes()
}

// Place is what the written file has to say beside the tables.
type Place struct {
	Root     string // of the source, for people
	Settings bool   // a reconcile block is to be written
	// Source is the kind of a source block that is to be written, empty for none.
	Source     string
	Attributes []Attribute
}

// HCL returns the configuration.
func (s *Survey) HCL(p Place) []byte {
	w := newWriter()
	w.comment("Written by `reconcile init -from-source`, from what "+p.Root+" delivers: "+
		fmt.Sprintf("%s in %s, the newest of which is %d.", amount.Of(len(s.Tables), "table"), amount.Of(s.Dumps, "dump"), s.LastDump),
		"It is a beginning, to be read and changed: `reconcile plan` shows what an apply would do.")
	w.line()
	if p.Settings {
		w.comment("The lake can only be updated with the state that wrote it: keep both on disks that stay, or in buckets.")
		state := w.block("reconcile").AppendNewBlock("state", []string{"local"}).Body()
		state.SetAttributeValue("path", cty.StringVal(".reconcile/state.db"))
		w.line()
	}
	if p.Source != "" {
		w.source(p.Source, p.Attributes)
		w.line()
	}
	w.comment(`Where the tables go: a folder, or "s3://bucket/prefix".`)
	w.block("sink", "parquet", "lake").SetAttributeValue("path", cty.StringVal("./lake"))
	w.line()
	s.every(w)
	for _, t := range s.Tables {
		s.table(w, t)
	}
	return w.bytes()
}

// every writes the block that takes all tables of events.
func (s *Survey) every(w *writer) {
	var taken []string
	for _, t := range s.Tables {
		if t.Role == Taken {
			taken = append(taken, shown(t.Name))
		}
	}
	w.comment("Every table of events, also those that come later. A full resync without any row is held until somebody accepts it.")
	if len(taken) > 0 {
		w.comment("At present it takes " + few(taken) + ".")
	}
	b := w.block("table", "*")
	common(b)
	b.SetAttributeRaw("partition_by", tokens("[year(time), month(time), day(time)]"))
	guarded(b)
	w.line()
}

// mostShown is how many names a comment lists.
const mostShown = 50

func few(names []string) string {
	if len(names) > mostShown {
		return strings.Join(names[:mostShown], ", ") + ", and " + amount.Number(len(names)-mostShown) + " more"
	}
	return strings.Join(names, ", ")
}

func common(b *hclwrite.Body) {
	b.SetAttributeRaw("sinks", tokens("[sink.parquet.lake]"))
}

func guarded(b *hclwrite.Body) {
	b.AppendNewline()
	b.AppendNewBlock("guard", nil).Body().SetAttributeValue("empty_resync", cty.StringVal("hold"))
}

// table writes what one table needs beside the block that takes all.
func (s *Survey) table(w *writer, t *Table) {
	w.faults(t)
	switch t.Role {
	case Keyless:
		w.comment(keyless(t) + " Without this block every plan names the table.")
		w.block("ignore", pattern(t.Name))
	case Unseen:
		w.comment("The table " + shown(t.Name) + " has delivered no rows so far. If they have a user_id, and an event_id or a session_id, the block above takes it.")
		if t.As != "" || t.Beside != "" {
			s.renamed(w, t)
		}
	case Taken:
		s.event(w, t)
	case Special:
		w.comment(special(t.Name))
		b := w.block("table", t.Name)
		common(b)
		if t.As != "" {
			b.SetAttributeValue("as", cty.StringVal(t.As))
		}
		if t.Name == feed.TableUsers {
			guarded(b)
			columns(b, t, true)
		}
	}
	w.line()
}

func keyless(t *Table) string {
	if t.Name == feed.TableEventMetadata {
		return "It describes events, and has no rows of users."
	}
	return "Nothing identifies the rows of this table: they lack user_id, or the id of the event or session."
}

func special(name string) string {
	if name == feed.TableUsers {
		return "A row for each user, merged by the newest user mapping."
	}
	return "The user mapping as a table. It is followed whether or not it is published."
}

// event writes the block of a table of events, where it needs one of its own.
func (s *Survey) event(w *writer, t *Table) {
	if t.As == "" && t.Beside == "" && !t.NoTime && len(t.Types) == 0 {
		return
	}
	if glob.Pattern(pattern(t.Name)).Literals() == 0 {
		w.comment("The table " + shown(t.Name) + " cannot have a block of its own: its name is a pattern that is as general as \"*\".")
		return
	}
	if t.As != "" || t.Beside != "" {
		s.renamed(w, t)
		return
	}
	s.body(w.block("table", pattern(t.Name)), t)
}

// renamed writes the block of a table that needs another folder than that of its name.
func (s *Survey) renamed(w *writer, t *Table) {
	if t.Beside != "" {
		w.comment("The name differs from " + shown(t.Beside) + " by case only. One of the two needs another folder, by `as`; or leave one out, by `ignore " + shown(pattern(t.Name)) + " {}`.")
	} else {
		w.comment("The folder of this name belongs to reconcile, so the table needs another one.")
	}
	if t.As == "" {
		w.comment("Its name is a pattern, so it cannot have one: the table is held until the other one is left out.")
		return
	}
	b := w.block("table", pattern(t.Name))
	b.SetAttributeValue("as", cty.StringVal(t.As))
	s.body(b, t)
}

func (s *Survey) body(b *hclwrite.Body, t *Table) {
	apart := t.As != ""
	if t.NoTime && t.Role == Taken {
		comment(b, "It has no column time, by which the other tables are partitioned.")
		b.SetAttributeRaw("partition_by", tokens("[]"))
		apart = true
	}
	columns(b, t, apart)
}

// columns writes the guessed types.
func columns(b *hclwrite.Body, t *Table, apart bool) {
	if len(t.Types) == 0 {
		return
	}
	if apart {
		b.AppendNewline()
	}
	comment(b, fmt.Sprintf("Types are guessed: all values in %s of %s have them. A value that does not is null in its column, and kept in _rescued_data.", amount.Of(t.Rows, "row"), amount.Of(t.Files, "file")))
	for _, c := range t.Types {
		col := b.AppendNewBlock("column", []string{c.Column}).Body()
		col.SetAttributeRaw("type", append(hclwrite.TokensForValue(cty.StringVal(c.Type)),
			&hclwrite.Token{Type: hclsyntax.TokenComment, SpacesBefore: 1, Bytes: []byte("# guessed from " + amount.Of(c.Values, "value"))}))
	}
}

// pattern is the label that takes a table of exactly this name. The language composes
// accents in labels, so those of a name that has them apart stand in sets, where they have
// nothing to be composed with; for what even changes there, any character stands.
func pattern(name string) string {
	composed := cty.NormalizeString(name) == name
	var b strings.Builder
	for _, r := range name {
		switch set := "[" + string(r) + "]"; {
		case strings.ContainsRune("*?[", r):
			b.WriteString(set)
		case composed || r < utf8.RuneSelf:
			b.WriteRune(r)
		case cty.NormalizeString(set) == set:
			b.WriteString(set)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// shown is a name in a comment, quoted as in a label.
func shown(name string) string {
	return plain.Text(string(hclwrite.TokensForValue(cty.StringVal(name)).Bytes()))
}

// writer writes a file of a configuration.
type writer struct {
	f    *hclwrite.File
	open bool // something stands in front that needs a blank line
}

func newWriter() *writer { return &writer{f: hclwrite.NewEmptyFile()} }

func (w *writer) bytes() []byte { return hclwrite.Format(w.f.Bytes()) }

func (w *writer) block(kind string, labels ...string) *hclwrite.Body {
	w.open = true
	return w.f.Body().AppendNewBlock(kind, labels).Body()
}

// line ends a group of blocks and comments.
func (w *writer) line() {
	if w.open {
		w.f.Body().AppendNewline()
	}
	w.open = false
}

func (w *writer) comment(sentences ...string) {
	w.open = true
	for _, s := range sentences {
		comment(w.f.Body(), s)
	}
}

func (w *writer) faults(t *Table) {
	for _, f := range t.Faults {
		w.comment("Not read: " + plain.Text(f))
	}
}

func (w *writer) source(kind string, attributes []Attribute) {
	b := w.block("source", kind)
	for _, a := range attributes {
		b.SetAttributeValue(a.Name, a.Value)
	}
}

// width is how long lines of comments get, if words permit.
const width = 110

// comment writes text that stands on one line, over several.
func comment(b *hclwrite.Body, text string) {
	line := "#"
	flush := func() {
		b.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(line + "\n")}})
	}
	for _, word := range strings.Fields(plain.Text(text)) {
		if len(line)+len(word) > width && line != "#" {
			flush()
			line = "#"
		}
		line += " " + word
	}
	flush()
}

// tokens returns those of an expression that is part of this program.
func tokens(expression string) hclwrite.Tokens {
	lexed, _ := hclsyntax.LexExpression([]byte(expression), "", hcl.InitialPos)
	var out hclwrite.Tokens
	for _, t := range lexed {
		if t.Type != hclsyntax.TokenEOF {
			out = append(out, &hclwrite.Token{Type: t.Type, Bytes: t.Bytes})
		}
	}
	return out
}
