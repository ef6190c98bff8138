# A configuration as a team would run it every night, in several files. It runs
# on the export of the quickstart:
#
#   export RECONCILE_VAR_mask_key="a long secret from your secret store"
#   go run ./cmd/reconcile -chdir=examples/production plan

reconcile {
  required_version = ">= 0.1"
  memory_limit     = "512MiB"
  scratch_dir      = ".reconcile/scratch" # a disk with room for what does not fit in memory

  # Keep this file: the lake can only be updated with the state that wrote it.
  state "local" {
    path = ".reconcile/state.db"
  }
}

source "local" {
  path      = var.export
  manifests = "sync_*.json"

  # A reviewed way past a delivery that cannot be used: as if its manifest did
  # not list these tables.
  skip_dump "1001" {
    tables = ["signup"]
    reason = "the vendor delivered test traffic; ticket DATA-1234"
  }
}

# What a mapping says twice about a user is decided by time; "fail" would stop.
identity {
  on_conflict = "warn"
}
