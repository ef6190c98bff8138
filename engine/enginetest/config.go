package enginetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/config"
)

// Load writes a configuration into a folder and loads it.
func Load(t testing.TB, dir, text string) *config.Config {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, src, diags := config.Load(dir, config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		var b strings.Builder
		_ = src.Write(&b, diags, 100, false)
		t.Fatal(b.String())
	}
	return cfg
}
