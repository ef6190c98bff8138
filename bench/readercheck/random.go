package main

import (
	"fmt"

	"reconcile/internal/definition"
)

// prelude is source and sink of a world, whose files have the encodings.
func prelude(encodings string) string {
	return fmt.Sprintf(`
source "local" { path = "dumps" }
sink "parquet" "lake" {
  path      = "lake"
  encodings = %q
}
`, encodings)
}

// randomConfig goes through the partitionings, with and without types, and the
// encodings.
func randomConfig(i int) string {
	by := []string{`[year(time), month(time), day(time)]`, `[]`, `[date(time)]`, `[year(time), month(time), day(time), hour(time)]`, `[year(time)]`}[i%5]
	types := ""
	if i%2 == 0 {
		types = `
  column "revenue" { type = "decimal(12,2)" }
  column "qty" { type = "int64" }
  column "ratio" { type = "double" }
  column "ok" { type = "boolean" }
  column "payload" { type = "json" }
  column "born" { type = "date" }
  column "seen" { type = "timestamp" }
  column "path" { as = "the path" }`
	}
	return fmt.Sprintf(`%s
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = %s
%s
}
table "users" {
  sinks = [sink.parquet.lake]
  column "count" {
    type  = "int64"
    merge = "max"
  }
}
table "user_migrations" { sinks = [sink.parquet.lake] }
mask "pii" {
  columns = ["email"]
  optional = true
  method  = "hmac-sha256"
  key     = "k"
}
`, prelude([]string{definition.Plain, definition.Plain, definition.Compact}[i%3]), by, types)
}
