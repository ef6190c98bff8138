package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestBackupPlace: backups lie in folders of their own, here or in a bucket.
func TestBackupPlace(t *testing.T) {
	for name, c := range map[string]struct {
		state string            // block
		ok    map[string]string // what is written -> where that is, below the folder if it is no URL
		bad   []string
	}{
		"local": {`state "local" { path = "s/state.db" }`,
			map[string]string{"bak": "bak", "./a/../bak/": "bak", "lake/.bak": "lake/.bak", "s/bak": "s/bak",
				"s3://csq/a/b/": "s3://csq/a/b", "s3://csq": "s3://csq"},
			[]string{"", "lake", "lake/bak", "dumps", "dumps/x", "s", "s/state.db.objects/x", "s/state.db.backups", "s/state.db",
				"s3://csq/lake", "s3://csq/lake/x", "s3://", "s3://csq/../x", "gs://csq/x", ".reconcile/scratch"}},
		"s3": {`state "s3" {
  bucket = "csq"
  prefix = "state"
}`,
			map[string]string{"bak": "bak", "s3://csq/states": "s3://csq/states", "s3://csq": "s3://csq"},
			[]string{"s3://csq/state", "s3://csq/state/backups/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := "reconcile {\n" + c.state + "\n}\n" + `source "local" { path = "dumps" }
sink "parquet" "lake" {
  path   = "lake"
  shared = true
}
sink "parquet" "far" { path = "s3://csq/lake" }
table "*" { sinks = [sink.parquet.lake] }
`
			if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, _, diags := Load(dir, Options{Version: "1.0.0"})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			for written, want := range c.ok {
				p, err := cfg.BackupPlace(written)
				if p.S3 == nil {
					want = filepath.Join(Resolve(dir), want)
				}
				if err != nil || p.Path != want {
					t.Errorf("%q is %q, %v, want %q", written, p.Path, err, want)
				}
			}
			for _, written := range c.bad {
				if p, err := cfg.BackupPlace(written); err == nil {
					t.Errorf("%q was taken, as %q", written, p.Path)
				}
			}
		})
	}
}
