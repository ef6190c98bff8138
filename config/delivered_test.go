package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

const namesBase = `
source "local" {
  path = "./dumps"
  skip_dump "12" {
    tables = ["checkout"]
    reason = "x"
  }
}
sink "parquet" "lake" { path = "./lake" }
table "*" { sinks = [sink.parquet.lake] }
`

// loadNames loads a configuration that begins with namesBase.
func loadNames(t *testing.T, hcl string) *Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.hcl"), []byte(namesBase), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.hcl"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, diags := Load(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return cfg
}

// deliver makes tables of "name: column ...", "name?: ..." with columns that cannot
// be known.
func deliver(cfg *Config, lines ...string) Delivered {
	d := Delivered{Dumps: []DeliveredDump{{ID: 12, Tables: []string{"checkout"}}}, Judged: map[string]bool{}}
	for _, l := range lines {
		name, cols, _ := strings.Cut(l, ":")
		name, unknown := strings.CutSuffix(name, "?")
		t := DeliveredTable{Name: name, Columns: strings.Fields(cols), Unknown: unknown}
		t.Table, _ = cfg.Table(name, t.Columns)
		d.Tables = append(d.Tables, t)
	}
	return d
}

func summaries(diags hcl.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		severity := "error"
		if d.Severity == hcl.DiagWarning {
			severity = "warning"
		}
		out = append(out, fmt.Sprintf("%s %d: %s", severity, d.Subject.Start.Line, d.Summary))
	}
	return out
}

func TestCheckNames(t *testing.T) {
	checkout := "checkout: user_id event_id time email e_mail Customer.Phone"
	users := "users: user_id joindate last_modified email"
	for _, c := range []struct {
		name, hcl string
		delivered []string
		want      []string // of new masks; of masks that were judged, all are warnings
		detail    string   // that one of the diagnostics has
	}{
		{"a name meets", `mask "m" {
  columns = ["EMAIL"]
  method  = "null"
}`, []string{checkout}, nil, ""},
		{"a glob meets", `mask "m" {
  columns = ["*phone"]
  method  = "null"
}`, []string{checkout}, nil, ""},
		{"none of the names meets", `mask "m" {
  columns = ["emial", "phone_*"]
  method  = "null"
}`, []string{checkout}, []string{"error 2: Mask that meets nothing"}, `Did you mean "email"?`},
		{"keys and timestamps do not count", `mask "m" {
  columns = ["last_*", "*_id", "joindat?"]
  method  = "null"
}`, []string{users}, []string{"error 2: Mask that meets nothing"}, ""},
		{"optional", `mask "m" {
  columns  = ["emial"]
  method   = "null"
  optional = true
}`, []string{checkout}, []string{"warning 2: Mask that meets nothing"}, ""},
		{"a near name", `mask "m" {
  columns = ["email", "customer phone", "E-Mail"]
  method  = "null"
}`, []string{"checkout: user_id event_id email Customer.Phone"}, []string{"error 2: Misspelt name in a mask", "error 2: Misspelt name in a mask"}, `the table "checkout" has "Customer.Phone". Write`},
		{"a name near a key", `mask "m" {
  columns = ["email", "userid"]
  method  = "null"
}`, []string{checkout}, []string{"error 2: Misspelt name in a mask"}, `the table "checkout" has "user_id", a key or a timestamp`},
		{"a name that meets nothing beside one that does", `mask "m" {
  columns = ["email", "ssn", "emial"]
  method  = "null"
}`, []string{checkout}, []string{"warning 2: Name that meets nothing", "warning 2: Name that meets nothing"}, `Did you mean "email"?`},
		{"a column of another table", `mask "m" {
  tables  = ["users"]
  columns = ["e_mail"]
  method  = "null"
}`, []string{checkout, "users: user_id joindate plan"}, []string{"error 3: Mask that meets nothing"}, `The table "checkout" has "e_mail"`},
		{"a table that nobody takes", `mask "m" {
  columns = ["secret"]
  method  = "null"
}`, []string{checkout, "_event_metadata: secret"}, nil, ""},
		{"a published name", `mask "m" {
  columns = ["mail"]
  method  = "null"
}
table "checkout" {
  column "email" { as = "mail" }
}`, []string{checkout}, nil, ""},
		{"an Avro name", `mask "m" {
  columns = ["prix__eur_", "_2nd"]
  method  = "null"
}
table "c*" {
  column "Prix_(EUR)" { mask = "drop" }
  column "prix__eur_" { mask = "drop" }
}`, []string{"cart: user_id event_id Prix_(EUR) 2nd"}, nil, ""},
		{"a property that is called like a key", `mask "m" {
  columns = ["Time", "session_id_"]
  method  = "null"
}`, []string{"cart: user_id event_id time Time Session_Id"}, nil, ""},
		{"a key in another spelling", `mask "m" {
  columns = ["Time"]
  method  = "null"
}`, []string{checkout}, []string{"error 2: Mask that meets nothing", "error 2: Misspelt name in a mask"}, `the table "checkout" has "time", a key or a timestamp`},
		{"a column block that renames", `table "c*" {
  column "Plan" {
    as   = "shop_plan"
    mask = "null"
  }
}`, []string{"cart: user_id event_id plan"}, []string{"error 4: Mask that meets nothing"}, `Did you mean "plan"?`},
		{"no table", `mask "m" {
  tables  = ["chekcout"]
  columns = ["email"]
  method  = "null"
}`, []string{checkout}, []string{"warning 2: Name that meets nothing", "error 3: Mask that meets nothing"}, `Did you mean "checkout"?`},
		{"a table near one", `mask "m" {
  tables  = ["users", "check_out"]
  columns = ["email"]
  method  = "null"
}`, []string{checkout, users}, []string{"error 2: Misspelt name in a mask"}, `but "checkout" is.`},
		{"a column block that meets", `table "c*" {
  column "Email" { mask = "null" }
}`, []string{checkout}, nil, ""},
		{"a mask of a column block", `table "c*" {
  column "emial" { mask = "null" }
}`, []string{checkout, "other: user_id event_id emial"}, []string{"error 2: Mask that meets nothing"}, `Did you mean "email"?`},
		{"a mask of a column block of no table", `mask "m" { method = "drop" }
table "chekcout" {
  sinks = [sink.parquet.lake]
  column "email" { mask = mask.m }
}`, []string{checkout}, []string{"warning 2: Table not delivered", "error 4: Mask that meets nothing"}, ""},
		{"an optional mask of a column block", `table "c*" {
  column "emial" {
    mask     = "drop"
    optional = true
  }
}`, []string{checkout}, []string{"warning 3: Mask that meets nothing"}, ""},
		{"columns that cannot be known", `mask "m" {
  columns = ["emial"]
  method  = "null"
}
table "c*" {
  column "x" { mask = "null" }
}`, []string{checkout, "cart?: user_id event_id"}, []string{"warning 2: Mask that meets nothing", "warning 6: Mask that meets nothing"}, ""},
		{"unknown columns of another table", `mask "m" {
  tables  = ["checkout"]
  columns = ["emial"]
  method  = "null"
}`, []string{checkout, "cart?:"}, []string{"error 3: Mask that meets nothing"}, ""},
		{"no dump", `mask "m" {
  columns = ["email"]
  method  = "null"
}
table "checkout" {
  column "x" { mask = "null" }
  column "y" { type = "json" }
}
ignore "i" {}`, nil, []string{"warning 1: Mask that meets nothing", "warning 6: Mask that meets nothing"}, ""},
		{"tables, columns, ignores", `table "Checkout" {}
table "cart*" {
  column "amont" { type = "double" }
}
table "frozen" {
  on_schema_change = "freeze"
  columns          = ["time", "plam"]
}
table "chec*" {
  column "amount" { type = "double" }
}
ignore "_event_metdata" {}
ignore "x*" {}`, []string{checkout, "cart: user_id event_id amount", "frozen: user_id event_id time plan", "_event_metadata: x"},
			[]string{"warning 1: Table not delivered", "warning 3: Column not delivered", "warning 7: Column not delivered", "warning 10: Column not delivered", "warning 12: Ignored table not delivered"}, `"columns" lists. Did you mean "plan"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := loadNames(t, c.hcl)
			d := deliver(cfg, c.delivered...)
			diags, judged := cfg.CheckNames(d)
			if diff := cmp.Diff(c.want, summaries(diags)); diff != "" {
				t.Errorf("new masks (-want +got):\n%s%v", diff, diags)
			}
			if !strings.Contains(diags.Error(), c.detail) && !strings.Contains(fmt.Sprint(JSON(diags)), c.detail) {
				t.Errorf("no %q in %v", c.detail, JSON(diags))
			}
			for _, digest := range judged {
				d.Judged[digest] = true
			}
			again, same := cfg.CheckNames(d)
			if want := strings.ReplaceAll(strings.Join(c.want, "\n"), "error ", "warning "); want != strings.Join(summaries(again), "\n") {
				t.Errorf("judged masks: %q, want %q", summaries(again), want)
			}
			if diff := cmp.Diff(judged, same); diff != "" {
				t.Errorf("judged again (-first +second):\n%s", diff)
			}
		})
	}
}

// A mask is judged again once its names, tables or method change, not its label or
// its key.
func TestJudgedDigests(t *testing.T) {
	digests := func(hcl string) string {
		cfg := loadNames(t, hcl)
		_, judged := cfg.CheckNames(deliver(cfg, "checkout: user_id event_id a b"))
		return strings.Join(judged, " ")
	}
	mask := func(label, tables, columns, method, more string) string {
		return fmt.Sprintf("mask %q {\ntables = [%s]\ncolumns = [%s]\nmethod = %q\n%s\n}", label, tables, columns, method, more)
	}
	base := digests(mask("m", `"*"`, `"a", "b"`, "hmac-sha256", `key = "1"`))
	for _, same := range []string{
		mask("n", `"*"`, `"a", "b"`, "hmac-sha256", `key = "1"`),
		mask("m", `"*"`, `"B", "a"`, "hmac-sha256", `key = "2"`),
	} {
		if got := digests(same); got != base {
			t.Errorf("%s is judged again", same)
		}
	}
	for _, other := range []string{
		mask("m", `"c*"`, `"a", "b"`, "hmac-sha256", `key = "1"`),
		mask("m", `"*"`, `"a"`, "hmac-sha256", `key = "1"`),
		mask("m", `"*"`, `"a", "b"`, "null", ""),
		mask("m", `"*"`, `"a", "b"`, "hmac-sha256", "key = \"1\"\noptional = true"),
		`table "c*" { 
  column "a" { mask = "null" } 
}`,
	} {
		if got := digests(other); got == base || got == "" {
			t.Errorf("%s is not judged again", other)
		}
	}
	if got := digests(`table "c*" { 
  column "a" { type = "json" }
}`); got != "" {
		t.Errorf("a column block without a mask is judged: %s", got)
	}
}

func TestCheckSkipsAndRemovals(t *testing.T) {
	cfg := loadNames(t, `removed "gone" { destroy = true }`)
	d := deliver(cfg, "checkout: user_id event_id", "cart: user_id event_id")
	check := func(what string, want ...string) {
		t.Helper()
		diags, _ := cfg.CheckNames(d)
		if diff := cmp.Diff(want, summaries(diags)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("no state")
	d.InState = []string{"checkout"}
	check("a table that the state does not have", "warning 1: Removed table not known")
	d.InState = []string{"checkout", "gone"}
	check("a table that the state has")
	d.InState, d.Removed = []string{"checkout"}, []string{"gone"}
	check("done")
	d.Dumps[0].Tables = []string{"chekcout"}
	check("a table that the dump does not list", "warning 5: Skipped table not delivered")
	d.Dumps[0].Tables = nil
	check("a dump whose manifest is gone")
	d.Dumps[0].ID = 13
	check("another dump", "warning 4: Skipped dump not delivered")
}
