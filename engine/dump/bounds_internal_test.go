package dump

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"reconcile/internal/feed"
)

// repeated joins n texts as the elements of a list.
func repeated(n int, text func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text(i))
	}
	return b.String()
}

func quotedNumber(i int) string { return strconv.Quote(strconv.Itoa(i)) }

func entryText(name, columns string) string {
	return `{"name":"` + name + `","files":[],"incremental":true,"columns":[` + columns + `]}`
}

// A table with too many columns is held, in one entry or in several, and nothing is known
// of which it has. The others are read.
func TestTooManyColumns(t *testing.T) {
	most, more := repeated(feed.MostColumns, quotedNumber), repeated(feed.MostColumns+1, quotedNumber)
	half := repeated(feed.MostColumns/2+1, func(i int) string { return fmt.Sprintf(`"h%d"`, i) })
	m := parse(t, `{"dump_id":1,"tables":[`+strings.Join([]string{
		entryText("halves", half), entryText("halves", repeated(feed.MostColumns/2, quotedNumber)), entryText("more", more),
		entryText("more and few", more), entryText("more and few", `"a"`), entryText("most", most), entryText("twice", most), entryText("twice", most)}, ",")+`]}`)
	for _, e := range unite(m.entries) {
		why := map[string]string{"halves": "10,001", "more": "10,001", "more and few": "10,001"}[e.Name]
		switch {
		case why == "":
			if e.Problem != "" || len(e.Columns) != feed.MostColumns {
				t.Errorf("%s: %d columns, %s", e.Name, len(e.Columns), e.Problem)
			}
		case e.HasColumns || len(e.Columns) > 0 || e.Problem != fmt.Sprintf("the manifest lists %s columns for it, and a table may have 10,000", why):
			t.Errorf("%s: %d columns (%v), %s", e.Name, len(e.Columns), e.HasColumns, e.Problem)
		}
	}
}

func TestTooManyFiles(t *testing.T) {
	entry := func(name string, n int) string {
		return `{"name":"` + name + `","incremental":true,"columns":["a"],"files":[` + repeated(n, quotedNumber) + `]}`
	}
	m := parse(t, `{"dump_id":1,"tables":[`+strings.Join([]string{entry("halves", MostFiles/2), entry("halves", MostFiles/2+1), entry("more", MostFiles+1), entry("most", MostFiles)}, ",")+`]}`)
	for _, e := range unite(m.entries) {
		want := "the manifest lists 65,537 files for it, and at most 65,536 are read"
		if e.Name == "most" {
			want = ""
		}
		if e.Problem != want || want == "" && len(e.listed) != MostFiles {
			t.Errorf("%s: %d files, %s", e.Name, len(e.listed), e.Problem)
		}
	}
}

func TestTooManyTables(t *testing.T) {
	text := func(n int) string {
		return `{"dump_id":1,"tables":[` + repeated(n, func(i int) string { return entryText(strconv.Itoa(i), "") }) + `]}`
	}
	if m := parse(t, text(MostTables)); m.faulty > 0 || len(m.entries) != MostTables {
		t.Errorf("%d tables, %s", len(m.entries), m.reason())
	}
	if m := parse(t, text(MostTables+1)); !m.hasID || m.reason() != "it lists 20,001 tables, and at most 20,000 are read" {
		t.Errorf("%d tables, %s", len(m.entries), m.reason())
	}
}

// What reading a manifest allocates is a small multiple of its size, whatever it is made of.
func TestReadingAllocatesLittle(t *testing.T) {
	const size = 4 << 20
	fill := func(begin, element, end string) string {
		return begin + strings.TrimSuffix(strings.Repeat(element+",", size/(len(element)+1)), ",") + end
	}
	address := `"s3://bucket/sync_1/_heap_table_name=checkout/part-00000-0123456789abcdef.avro"`
	for what, text := range map[string]string{
		"columns":         fill(`{"dump_id":1,"tables":[{"name":"e","files":[],"incremental":true,"columns":[`, `"a"`, `]}]}`),
		"escaped columns": fill(`{"dump_id":1,"tables":[{"name":"e","files":[],"incremental":true,"columns":[`, `"\u0061"`, `]}]}`),
		"numbers":         fill(`{"dump_id":1,"tables":[{"name":"e","files":[],"incremental":true,"columns":[`, `1`, `]}]}`),
		"tables":          fill(`{"dump_id":1,"tables":[`, `{}`, `]}`),
		"lists":           fill(`{"dump_id":1,"tables":[`, `[]`, `]}`),
		"members":         fill(`{"dump_id":1,"tables":[],"x":[`, `{"a":[1,"x"]}`, `]}`),
		"files":           fill(`{"dump_id":1,"tables":[{"name":"e","incremental":true,"files":[`, address, `]}]}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := parseManifest([]byte(text), addresses{}, &columnLists{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		unite(m.entries)
		runtime.ReadMemStats(&after)
		if got := float64(after.TotalAlloc-before.TotalAlloc)/float64(len(text)) - 1; got > 2 { // less the copy above
			t.Errorf("%s: it allocates %.2f times its size", what, got)
		}
	}
}
