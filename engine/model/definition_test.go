package model

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/config"
)

func TestFromDefinition(t *testing.T) {
	dir := t.TempDir()
	text := `
source "local" { path = "./dumps" }
sink "parquet" "lake" { path = "./out" }
mask "pii" {
  tables  = ["*"]
  columns = ["email"]
  method  = "null"
}
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [year(time), month(time)]
}
table "checkout" {
  column "revenue" { type = "decimal(12,2)" }
  column "plan" { as = "tariff" }
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	c, _, diags := config.Load(dir, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	table, diags := c.Table("checkout", []string{"user_id", "event_id", "time", "revenue", "plan", "year", "email"})
	if diags.HasErrors() || table == nil {
		t.Fatal(diags)
	}
	d := dump(1, true, "checkout", part("user_id event_id time revenue plan year email", "5 1 1767607200000 1.5 pro 1999 a@b", "5 2 - x pro 1999 a@b"))
	tb := expect(t, FromDefinition(table, c.MaskKey), "checkout", nil, d)
	same(t, shown(t, tb, "event_id revenue tariff year_ email _rescued_data"), "1 1.50 pro 1999 - -", `2 - pro 1999 - {"revenue":"x"}`)
	same(t, []string{tb.Rows["1/5"].Partition}, "year=2026/month=01")
}
