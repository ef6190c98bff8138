# Every kind of block, once.
reconcile {
  required_version = ">= 0.1, < 1.0"
  memory_limit     = "512MiB"
  scratch_dir      = "/var/tmp/reconcile"

  state "local" {
    path = "state/reconcile.db"
  }
}

variable "mask_key" {
  type      = string
  sensitive = true

  validation {
    condition     = length(var.mask_key) >= 8
    error_message = "The key needs 8 characters at least."
  }
}

variable "root" {
  type        = string
  default     = "./lake"
  description = "Where the lake lies."
}

variable "money" {
  type    = map(list(string))
  default = { checkout = ["revenue", "tax"] }
}

locals {
  daily = ["year(time)", "month(time)", "day(time)"]
  lake  = "${trimsuffix(var.root, "/")}/heap"
  sinks = [sink.parquet.lake]
}

source "local" {
  path      = env("DUMPS") != null ? env("DUMPS") : "./dumps"
  manifests = "sync_*.json"

  until_dump = 2000

  skip_dump "1234" {
    tables = ["checkout"]
    reason = "part 3 is lost, see ticket 77"
  }
}

sink "parquet" "lake" {
  path        = local.lake
  compression = "zstd"
}

sink "parquet" "mirror" {
  path        = "./mirror"
  compression = lower("SNAPPY")
}

moved {
  from = "s3://acme-old/heap"
  to   = local.lake
}

mask "pii" {
  tables  = ["*"]
  columns = ["email", "*_email", "ip"]
  method  = "hmac-sha256"
  key     = var.mask_key
}

mask "address" {
  method = "null"
}

identity {
  on_conflict = "fail"
}

table "*" {
  sinks        = local.sinks
  partition_by = local.daily
}

table "check*" {
  on_cast_error = "fail"

  column "country" {
    as = "country_code"
  }
}

table "checkout" {
  sinks = concat(local.sinks, [for s in [sink.parquet.mirror] : s])

  column "revenue" {
    type = "decimal(12,2)"
  }
  column "Country" {
    mask = mask.address
  }
  column "shipped_at" {
    type = "timestamp"
  }
}

table "pageviews" {
  as               = "page_views"
  partition_by     = [date(time)]
  on_schema_change = "ignore"
  columns          = ["time", "path", "session_id"]
}

table "users" {
  sinks = local.sinks

  column "plan" {
    merge = "max"
    type  = "int64"
  }
}

table "user_migrations" {
  sinks = local.sinks
}

table "sessions" {
  inherit      = false
  sinks        = local.sinks
  partition_by = var.root == "./lake" ? [year("time")] : []
}

ignore "_event_metadata" {}
ignore "internal_*" {}

removed "old_event" {
  destroy = false
}
