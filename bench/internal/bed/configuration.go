package bed

import (
	"fmt"
	"os"
)

// tables is what every configuration says of tables.
const tables = `
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

const local = `
source "local" { path = "../../../dumps" }
reconcile {
  memory_limit = %q
  scratch_dir  = "../work/scratch"
  state "local" { path = "../work/state.db" }
}
sink "parquet" "lake" {
  path        = "../work/lake"
  compression = %q
}
`

// Configure writes the configuration of a lake of local files.
func (l *Lake) Configure(compression string) error {
	return l.write(fmt.Sprintf(local, l.p.b.o.Memory, compression))
}

const remote = `
source "s3" {
  bucket           = "bench"
  endpoint         = %[2]q
  region           = %[3]q
  force_path_style = true
}
reconcile {
  memory_limit = %[1]q
  scratch_dir  = "../work/scratch"
  state "local" { path = "../work/state.db" }
}
sink "parquet" "lake" {
  path             = "s3://lake/curated"
  endpoint         = %[2]q
  region           = %[3]q
  force_path_style = true
}
`

func (l *Lake) write(hcl string) error {
	if err := os.MkdirAll(l.in("conf"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(l.in("conf", "main.hcl"), []byte(hcl+tables), 0o644)
}
