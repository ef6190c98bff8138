# From one bucket to another, with the state in a third: nothing stays on the
# machine, so that every run can be on a new one. On AWS the names of the buckets
# and their region are all that it needs, and a role that may read the export and
# write the others: docs/s3.md has the policies.
#
#   reconcile apply -lock-timeout=2m -var export_bucket=csq-rs3-acme \
#     -var lake=s3://acme-curated/heap -var state_bucket=acme-state
#
# CI runs it against a server of its own, with the export of the quickstart.

variable "export_bucket" {
  type        = string
  default     = "csq-rs3-acme"
  description = "Where Data Connect delivers."
}

variable "manifest_bucket" {
  type        = string
  default     = null
  description = "The bucket that the manifests name, if the export was copied from there."
}

variable "lake" {
  type        = string
  default     = "s3://acme-curated/heap"
  description = "Where the tables go."

  validation {
    condition     = startswith(var.lake, "s3://")
    error_message = "It is the address of a folder in a bucket, as s3://bucket/folder."
  }
}

variable "state_bucket" {
  type        = string
  default     = "acme-state"
  description = "Where the state is. No rule may expire what lies there."
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "endpoint" {
  type        = string
  default     = null
  description = "URL of a server that is not AWS."
}

reconcile {
  state "s3" {
    bucket           = var.state_bucket
    prefix           = "heap"
    region           = var.region
    endpoint         = var.endpoint
    force_path_style = var.endpoint != null
  }
}

source "s3" {
  bucket           = var.export_bucket
  manifest_bucket  = var.manifest_bucket
  region           = var.region
  endpoint         = var.endpoint
  force_path_style = var.endpoint != null
}

sink "parquet" "lake" {
  path             = var.lake
  region           = var.region
  endpoint         = var.endpoint
  force_path_style = var.endpoint != null
  # On AWS also, for example:
  #   sse    = "aws:kms"
  #   tags   = { team = "data" }
}

table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}

table "checkout" {
  column "revenue" { type = "decimal(12,2)" }
}

table "users" {
  sinks = [sink.parquet.lake]
}

ignore "user_migrations" {}
ignore "_event_metadata" {}
