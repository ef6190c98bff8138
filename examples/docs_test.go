package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"reconcile/config"
)

// TestDocumentedConfigurations sees that configurations in the documentation
// have the canonical layout, and that those with a source are whole and right.
// The others are given a source, a sink and what else they refer to.
func TestDocumentedConfigurations(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			block := m[1]
			if got := string(config.Format([]byte(block))); got != block {
				t.Errorf("%s: the layout should be\n%s", page, got)
			}
			if strings.Contains(block, "sink \"parquet\"") {
				whole++
			}
			load(t, page, complete(block))
		}
	}
	if whole < 2 {
		t.Errorf("only %d whole configurations were found", whole)
	}
}

// complete adds to a part of a configuration what every configuration needs.
func complete(block string) string {
	for _, need := range []struct{ has, block string }{
		{`source "`, `source "local" { path = "./dumps" }`},
		{`sink "parquet"`, `sink "parquet" "lake" { path = "./other" }`},
		{`table "`, `table "*" { sinks = [sink.parquet.lake] }`},
	} {
		if !strings.Contains(block, need.has) {
			block += "\n" + need.block + "\n"
		}
	}
	return block
}

func load(t *testing.T, page, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs := []config.Input{}
	if strings.Contains(text, `variable "mask_key"`) {
		inputs = append(inputs, config.Input{Name: "mask_key", Value: "only for this test"})
	}
	if _, src, diags := config.Load(dir, config.Options{Inputs: inputs, Version: "0.1.0"}); diags.HasErrors() {
		var b strings.Builder
		_ = src.Write(&b, diags, 0, false) // a strings.Builder takes everything
		t.Errorf("%s: a configuration there is wrong:\n%s\n%s", page, b.String(), text)
	}
}
