# The least that is useful: one source, one sink, every event table by day, and
# the users. Runs on the export of the quickstart:
#
#   go run ./cmd/reconcile -chdir=examples/small apply

source "local" {
  path = "../quickstart/export"
}

sink "parquet" "lake" {
  path = "./lake"
}

table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}

table "users" {
  sinks = [sink.parquet.lake]
}

ignore "user_migrations" {}
ignore "_event_metadata" {}
