package markdown

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/cmd/reconcile/internal/markdown/markdowntest"
	"reconcile/internal/plain"
)

// shown is what Code shows of a text.
func shown(s string) string {
	s = strings.ReplaceAll(plain.Text(s), "|", `\u007c`)
	if len(s) > mostOfText {
		return strings.ToValidUTF8(s[:mostOfText], "") + "…"
	}
	return s
}

// hostile are texts that break what is written carelessly.
var hostile = []string{
	"plain", "a|b", `a\|b`, `\`, "`", "``", "`x", "x`", " ", "  ", " x ", "` `", "a`b``c", "\n", "a\r\nb", "\x00", "\xff\xfe",
	"@user", "@org/team", "#123", "GH-12", "org/repo#1", "!5", "$x$", "$`x`$", "~label", "%1", "&epic;", ":smile:", "0123456789abcdef0123456789abcdef01234567",
	"https://example.com", "www.example.com", "me@example.com", "[a](https://x.y)", "![a](b)", "<https://x.y>", "<b>", "</table>", "<!--", "-->", "<details>", "&lt;b&gt;",
	"*a*", "_a_", "**a**", "~~a~~", "[ ] x", "- x", "# x", "> x", "---", "```", "| a | b |", "|---|---|", "\u202e", "\u2028", "🛒", "注文", strings.Repeat("`", 3000), strings.Repeat("ab|", 1000),
	"::error::x", "##[error]x", "a\tb", "é" + strings.Repeat("é", 600),
}

// render is a document with a text of others wherever one can stand.
func render(t testing.TB, s string, most int) string {
	t.Helper()
	rows := [][]Text{{Code(s), Sprintf("all of %s, %s and ~%s", s, []string{s, s}, plain.Trusted("1 B"))}, {Code("next"), ""}}
	d := Document{
		Marker: Hidden("test", "a="+s), Title: "Title", Head: []Text{Sprintf("about %s", s)},
		Sections: []Section{{Title: "**Rows**", Columns: []Text{"", "All"}, Rows: rows, Rest: func(from int) Text { return Sprintf("%d more", len(rows)-from) }}},
		Cut:      Sprintf("see %s", s),
	}
	text, err := d.Render(most)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func checkText(t testing.TB, s string) {
	t.Helper()
	page := markdowntest.Read(t, render(t, s, 100_000))
	code := shown(s)
	cell := func(text string, codes ...string) markdowntest.Cell {
		if code == "" {
			codes = nil
		}
		return markdowntest.Cell{Text: text, Codes: codes}
	}
	want := []markdowntest.Table{{
		{cell(""), {Text: "All"}},
		{cell(code, code), cell(fmt.Sprintf("all of %s, %s, %s and ~1 B", code, code, code), code, code, code)},
		{{Text: "next", Codes: []string{"next"}}, {}},
	}}
	want[0][0][0].Codes = nil
	if d := cmp.Diff(want, page.Tables); d != "" {
		t.Errorf("%q (-want +got):\n%s", s, d)
	}
	if d := cmp.Diff([]string{"Title"}, page.Headings); d != "" {
		t.Errorf("%q: headings (-want +got):\n%s", s, d)
	}
}

// A text of others is what it is, in a cell of its own, and does nothing.
func TestHostileTexts(t *testing.T) {
	for _, s := range hostile {
		checkText(t, s)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkText(t, s) })
}

// Numbers that a host takes for the beginning of a commit are code.
func TestNumbers(t *testing.T) {
	got := Sprintf("~%s of dump %d, %d", plain.Trusted("2 rows of dumps 123456, 9007199254740999"), int64(1234567), 7)
	if want := Text("\\~2 rows of dumps 123456, `9007199254740999` of dump `1234567`, 7"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Comments of the same values are the same, and those of others are others.
func TestHidden(t *testing.T) {
	seen := map[string]string{}
	for _, s := range append(hostile, "a-b", "a--b", "-", "a-", "envs/prod-eu", "%2D", "a%2Db", "A", "a") {
		h := Hidden("plan", s)
		if was, ok := seen[h]; ok && was != s {
			t.Errorf("%q and %q are both %s", was, s, h)
		}
		if seen[h] = s; h != Hidden("plan", s) || len(h) > 250 {
			t.Errorf("%q: %s", s, h)
		}
	}
	if got, want := Hidden("plan", "folder=envs/prod-eu", "lineage=0f"), "<!-- plan folder=envs/prod-eu lineage=0f -->"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// However short it is to be, it is whole rows in their order, the counts of the others, and
// says that something is left out; a document that fits is whole.
func TestRender(t *testing.T) {
	section := func(title Text, n int) Section {
		s := Section{Title: title, Columns: []Text{"A", "B"}}
		for i := range n {
			s.Rows = append(s.Rows, []Text{Sprintf("%d", i), Code(strings.Repeat("x", i*7%90))})
		}
		s.Rest = func(from int) Text { return Sprintf("%d of %s more", n-from, string(title)) }
		return s
	}
	d := Document{Marker: Hidden("x"), Title: "T", Head: []Text{"head", ""}, Cut: "cut",
		Sections: []Section{section("a", 40), section("none", 0), section("b", 40), section("c", 1)}}
	whole, err := d.Render(1 << 20)
	if err != nil || strings.Contains(whole, "cut") || strings.Contains(whole, "more") || strings.Contains(whole, "none") {
		t.Fatalf("%v: %s", err, whole)
	}
	if page := markdowntest.Read(t, whole); len(page.Tables) != 3 || len(page.Tables[0]) != 41 || len(page.Tables[2]) != 2 {
		t.Errorf("tables: %v", page.Tables)
	}
	shortest := 0
	for most := len(whole); most > 0; most -= 1 + most/400 {
		text, err := d.Render(most)
		if err != nil {
			shortest = most
			break
		}
		if len(text) > most || (text == whole) != (most == len(whole)) {
			t.Fatalf("%d bytes, %d are allowed", len(text), most)
		}
		if text == whole {
			continue
		}
		page := markdowntest.Read(t, text)
		if p := page.Paragraphs; p[0] != "head" || p[len(p)-1] != "cut" {
			t.Fatalf("paragraphs: %q", p)
		}
		for _, name := range []string{"a", "b", "c"} {
			left := 0
			for _, p := range page.Paragraphs {
				if n := 0; strings.HasSuffix(p, " of "+name+" more") {
					_, _ = fmt.Sscan(p, &n)
					left = n
				}
			}
			rows := map[string]int{"a": 40, "b": 40, "c": 1}[name] - left
			if top := strings.Index(text, "\n"+name+"\n"); top < 0 || rows > 0 && !strings.Contains(text[top:], fmt.Sprintf("\n| %d |", rows-1)) {
				t.Fatalf("%d bytes: of %s there are not %d rows: %s", most, name, rows, text)
			}
		}
	}
	if shortest == 0 || shortest > 200 {
		t.Errorf("the shortest form takes %d bytes", shortest+1)
	}
	if _, err := d.Render(shortest); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("takes %d", shortest+1)) {
		t.Errorf("%d bytes: %v", shortest, err)
	}
}
