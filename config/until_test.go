package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Every int64 is a dump, as a number or as its digits, and no other value is.
func TestUntilDump(t *testing.T) {
	for text, want := range map[string]string{
		"1234": "1234", `"1234"`: "1234", "-5": "-5", "0": "0", "null": "none",
		"9223372036854775807": "9223372036854775807", `"9223372036854775807"`: "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "error", "1.5": "error", `"1e3"`: "error", `""`: "error", "true": "error", "[1]": "error",
	} {
		dir := t.TempDir()
		hcl := fmt.Sprintf("source \"local\" {\n path = \"dumps\"\n until_dump = %s\n}\nsink \"parquet\" \"lake\" { path = \"lake\" }\ntable \"*\" { sinks = [sink.parquet.lake] }\n", text)
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(hcl), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, diags := Load(dir, Options{Version: "0.1.0"})
		got := "none"
		switch {
		case diags.HasErrors():
			got = "error"
		case cfg.Source.UntilDump != nil:
			got = fmt.Sprint(*cfg.Source.UntilDump)
		}
		if got != want {
			t.Errorf("until_dump = %s is read as %s, want %s: %v", text, got, want, diags)
		}
	}
}
