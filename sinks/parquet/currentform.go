package parquet

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"reconcile/sinks"
)

// currentForm makes the text of current.json. It names all tables and is written for the
// commit of each: what is said of those that stay is kept as text. It is for one goroutine.
type currentForm struct {
	tables map[string]formedTable
	names  []string // of tables, sorted
}

// formedTable is what is said of a table, and its text.
type formedTable struct {
	entry sinks.CurrentTable
	text  []byte
}

// The text without tables ends with end; with tables, what stands in the place of that
// begins with opened and ends with closed.
const (
	end    = "{}\n}"
	opened = "{\n"
	closed = "\n  }"
)

// text returns the text of what a file says.
func (f *currentForm) text(c sinks.Current) ([]byte, error) {
	size, err := f.form(c.Tables)
	if err != nil {
		return nil, err
	}
	c.Tables = map[string]sinks.CurrentTable{}
	head, err := json.MarshalIndent(c, "", "  ")
	if err != nil || len(f.names) == 0 {
		return append(head, '\n'), err
	}
	out := make([]byte, 0, len(head)+size)
	out = append(append(out, bytes.TrimSuffix(head, []byte(end))...), opened...)
	for i, name := range f.names {
		if i > 0 {
			out = append(out, ",\n"...)
		}
		out = append(out, f.tables[name].text...)
	}
	return append(out, closed+"\n}\n"...), nil
}

// form makes the texts of tables, which may take up to size bytes.
func (f *currentForm) form(tables map[string]sinks.CurrentTable) (size int, err error) {
	if f.tables == nil {
		f.tables = map[string]formedTable{}
	}
	for name, t := range tables {
		was, had := f.tables[name]
		if !had || !sameEntry(was.entry, t) {
			if was.text, err = textOfTable(name, t); err != nil {
				return 0, err
			}
			t.Dumps = slices.Clone(t.Dumps)
			f.tables[name] = formedTable{entry: t, text: was.text}
		}
		size += len(was.text) + len(",\n")
	}
	if len(f.tables) > len(tables) {
		maps.DeleteFunc(f.tables, func(name string, _ formedTable) bool { _, ok := tables[name]; return !ok })
	}
	if !f.named(tables) {
		f.names = slices.Sorted(maps.Keys(tables))
	}
	return size + len(opened+closed), nil
}

// named reports whether the names are those of tables.
func (f *currentForm) named(tables map[string]sinks.CurrentTable) bool {
	return len(f.names) == len(tables) && !slices.ContainsFunc(f.names, func(name string) bool { _, ok := tables[name]; return !ok })
}

// textOfTable is what a file says of one table.
func textOfTable(name string, t sinks.CurrentTable) ([]byte, error) {
	if t.Dumps == nil {
		t.Dumps = []int64{}
	}
	text, err := json.MarshalIndent(map[string]sinks.CurrentTable{name: t}, "  ", "  ")
	text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte(opened)), []byte(closed))
	return listsInLine(text), err
}

func sameEntry(a, b sinks.CurrentTable) bool {
	return a.Commit == b.Commit && a.Complete == b.Complete && a.Committed == b.Committed && a.Folder == b.Folder &&
		sameDump(a.Mapping, b.Mapping) && sameDump(a.Resync, b.Resync) && slices.Equal(a.Dumps, b.Dumps)
}

func sameDump(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// listsInLine puts each list of numbers onto one line: those of dumps become long,
// and every plan reads them. What begins a list stands in no text.
func listsInLine(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for {
		before, rest, ok := bytes.Cut(text, []byte("[\n"))
		out = append(out, before...)
		if !ok {
			return out
		}
		list, after, _ := bytes.Cut(rest, []byte("]"))
		out = append(out, '[')
		out = append(append(out, bytes.Join(bytes.Fields(list), []byte(" "))...), ']')
		text = after
	}
}
