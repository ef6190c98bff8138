package scaffold

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"reconcile/config"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

func (s *Survey) testHCL() []byte {
	return config.Format(s.HCL(Place{Root: "./dumps", Settings: true, Source: "local", Attributes: []Attribute{{"path", cty.StringVal("./dumps")}}}))
}

// FuzzNames writes configurations with any names of tables and columns, and reads them
// back: they are valid, laid out as fmt would, and mean the same names.
func FuzzNames(f *testing.F) {
	for _, n := range []string{"checkout", "a${b}", "%{ if x }", "$${", "$$${x}", "%%{", "a\"b", "a\\", "a\nb", "a\r\n", "*", "a*b", "[x]", "?", "!", "a]", "[", "e\u0301",
		"\u2028", "\ufeff", "# no", "/* */", "<<EOT", "\u202e", "_reconcile", "_Reconcile", "users", "Users", "..", "a/b", " ", "\x7f", "\U000e0041", "::error::x"} {
		f.Add(n, n, uint8(0))
		f.Add(n, "plan", uint8(3))
		f.Add("orders", n, uint8(5))
	}
	f.Fuzz(func(t *testing.T, name, col string, how uint8) {
		if name == "" || col == "" || !utf8.ValidString(name) || !utf8.ValidString(col) || strings.ContainsRune(name+col, 0) ||
			feed.IsExact(col) || cty.NormalizeString(col) != col || feed.IsOurs(col) || len(name)+len(col) > 1000 {
			t.Skip()
		}
		one := &Table{Name: name, Rows: 30, Files: 1, Dumps: 1, NoTime: how&2 > 0, Types: []Type{{Column: col, Type: "int64", Values: 30}}, Faults: []string{col}}
		if feed.IsSpecial(name) {
			one.Role = Special
		}
		if how&1 > 0 {
			one.Role = Keyless
		}
		s := &Survey{Dumps: 1, Tables: []*Table{one}}
		if upper := strings.ToUpper(name); how&4 > 0 && upper != name && feed.Fold(upper) == feed.Fold(name) {
			s.Tables = append(s.Tables, &Table{Name: upper, Rows: 3, Files: 1, Dumps: 2, LastDump: 3})
		}
		s.parted()
		text := s.testHCL()
		if again := config.Format(text); string(again) != string(text) {
			t.Fatalf("fmt changes\n%s\ninto\n%s", text, again)
		}
		cfg, _, diags := config.LoadWith(t.TempDir(), "main.hcl", text, config.Options{})
		if diags.HasErrors() {
			t.Fatalf("%v\n%s", diags, text)
		}
		columns := []string{feed.UserID, feed.EventID, feed.SessionID, feed.Time, col}
		for _, x := range s.Tables {
			if x.Role == Keyless {
				if !cfg.Ignored(x.Name) {
					t.Fatalf("%q is not ignored\n%s", x.Name, text)
				}
				continue
			}
			if cfg.Ignored(x.Name) {
				t.Fatalf("%q is ignored\n%s", x.Name, text)
			}
			got, diags := cfg.Table(x.Name, columns)
			if got == nil || diags.HasErrors() && x.As == "" && glob.Pattern(x.Name).Literals() > 0 {
				t.Fatalf("%q: %v, %v\n%s", x.Name, got, diags, text)
			}
			if x.As != "" && got.Folder != x.As {
				t.Fatalf("%q is in %q, not %q\n%s", x.Name, got.Folder, x.As, text)
			}
			typed := x == one && x.Name != feed.TableMapping && glob.Pattern(pattern(name)).Literals() > 0 && (x.Beside == "" || x.As != "")
			if is := got.Column(col).Type.ID == column.Int64; is != typed {
				t.Fatalf("%q: %q is %v\n%s", x.Name, col, got.Column(col).Type, text)
			}
		}
		named(t, text, s)
	})
}

// named checks that each block names a table that was delivered, and no other one.
func named(t *testing.T, text []byte, s *Survey) {
	file, diags := hclsyntax.ParseConfig(text, "main.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type != "table" && b.Type != "ignore" || b.Labels[0] == "*" {
			continue
		}
		if !slices.ContainsFunc(s.Tables, func(x *Table) bool { return pattern(x.Name) == b.Labels[0] }) {
			t.Fatalf("%s %q is of no table", b.Type, b.Labels[0])
		}
		for _, n := range s.Tables {
			if p := b.Labels[0]; !strings.Contains(strings.ReplaceAll(p, "[?]", ""), "?") && glob.Pattern(p).Match(n.Name) != (pattern(n.Name) == b.Labels[0]) {
				t.Fatalf("%s %q takes %q", b.Type, b.Labels[0], n.Name)
			}
		}
	}
}
