# What the quickstart applies, in out/quickstart.

source "local" {
  path = "dumps"
}

sink "parquet" "lake" {
  path = "lake"
}

# Every event table, pageviews and sessions, also those that come later.
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}

# Inherits from "*" and adds types.
table "checkout" {
  column "revenue" { type = "decimal(12,2)" }
  column "items" { type = "int64" }
}

table "users" {
  sinks = [sink.parquet.lake]
}

table "user_migrations" {
  sinks = [sink.parquet.lake]
}

ignore "_event_metadata" {}
