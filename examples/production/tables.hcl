# Every event table, also those that are enabled later.
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = local.daily
}

# Inherits from "*".
table "checkout" {
  sinks = [sink.parquet.lake, sink.parquet.finance]

  column "revenue" {
    type = contains(lookup(var.money, "checkout", []), "revenue") ? "decimal(12,2)" : "string"
  }
  column "items" { type = "int64" }
  column "payment" { as = "payment_method" }
}

table "add_to_cart" {
  column "price" { type = "decimal(12,2)" }
  column "quantity" { type = "int64" }
}

# Reports depend on these columns: one more holds the table until somebody has
# looked at it.
table "signup" {
  on_schema_change = "freeze"
  on_cast_error    = "fail"
  columns = [
    "user_id", "event_id", "session_id", "time", "session_time",
    "library", "platform", "device_type", "browser", "country", "region", "city",
    "method", "newsletter",
  ]

  column "newsletter" { type = "boolean" }
}

# The busiest table: only what is used, in one folder a day.
table "pageviews" {
  as               = "page_views"
  partition_by     = [date(time)]
  on_schema_change = "ignore"
  columns          = ["session_id", "time", "path", "title", "referrer", "browser", "country", "utm_source", "utm_medium", "utm_campaign"]
}

# "*" does not match users: their rows are of people, not of events.
table "users" {
  sinks = [sink.parquet.lake]

  column "plan" { merge = "latest" }
}

table "user_migrations" {
  sinks = [sink.parquet.lake]
}

ignore "_event_metadata" {}
