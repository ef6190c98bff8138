package main

import "fmt"

const prelude = `
source "local" { path = "dumps" }
sink "parquet" "lake" { path = "lake" }
`

// randomConfig goes through the partitionings, with and without types.
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
  method  = "hmac-sha256"
  key     = "k"
}
`, prelude, by, types)
}
