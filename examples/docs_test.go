package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/config"
)

// TestDocumentedConfigurations checks that configurations in the documentation
// have the canonical layout, and that those with a source are whole and right.
// The others are given a source, a sink and what else they refer to.
func TestDocumentedConfigurations(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	whole, blocks := 0, map[string]int{}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inline.FindAllStringSubmatch(string(text), -1) {
			blocks[page]++
			load(t, page, complete(m[1]))
		}
		for _, m := range regexp.MustCompile("(?ms)^( *)```hcl\n(.*?)^ *```").FindAllStringSubmatch(string(text), -1) {
			block := strings.TrimPrefix(strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n"), "\n") // in a list they are indented
			blocks[page]++
			if got := string(config.Format([]byte(block))); got != block {
				t.Errorf("%s: the layout should be\n%s", page, got)
			}
			if strings.Contains(block, "sink \"parquet\"") {
				whole++
			}
			load(t, page, complete(block))
		}
	}
	if n := blocks["../docs/configuration.md"]; whole < 2 || n < 8 {
		t.Errorf("only %d whole configurations were found, and %d snippets of the page about them", whole, n)
	}
}

// inline is a block in the middle of a sentence.
var inline = regexp.MustCompile("`((?:ignore|removed|table|mask|identity)[^`\\n]*\\{[^`\\n]*\\})`")

// TestLinks follows the links between pages, down to their headings.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../README.md")
	targets := map[string][]string{}
	for _, page := range pages {
		targets[page] = anchors(prose(t, page))
	}
	links := 0
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(prose(t, page), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if anchor != "" && !slices.Contains(targets[to], anchor) {
				t.Errorf("%s links to %s: that page has the headings %q", page, m[1], targets[to])
			}
		}
	}
	if links < 30 {
		t.Errorf("only %d links were found", links)
	}
}

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?s)```.*?\n *```").ReplaceAllString(string(text), "")
}

// anchors are the names under which headings can be linked to.
func anchors(text string) []string {
	var out []string
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		name = strings.ReplaceAll(name, " ", "-")
		if n := seen[name]; n > 0 {
			out = append(out, name+"-"+strconv.Itoa(n))
		} else {
			out = append(out, name)
		}
		seen[name]++
	}
	return out
}

// complete adds to a part of a configuration what every configuration needs.
func complete(block string) string {
	for _, need := range []struct{ has, block string }{
		{`source "`, `source "local" { path = "./dumps" }`},
		{`sink "parquet"`, sinkFor(block)},
		{`sinks `, `table "*" { sinks = [sink.parquet.lake] }`},
	} {
		if !strings.Contains(block, need.has) {
			block += "\n" + need.block + "\n"
		}
	}
	for _, m := range regexp.MustCompile(`\bvar\.(\w+)`).FindAllStringSubmatch(block, -1) {
		if !strings.Contains(block, fmt.Sprintf("variable %q", m[1])) {
			block += fmt.Sprintf("variable %q {\n  default   = \"https://example.com/a\"\n  sensitive = true\n}\n", m[1])
		}
	}
	return block
}

// sinkFor is a sink that a part of a configuration goes with: where a sink moved to, and
// one that other machines see where the state is on S3.
func sinkFor(block string) string {
	path, shared := "./other", ""
	if m := regexp.MustCompile(`(?s)moved \{.*?to +=\s+"([^"]+)"`).FindStringSubmatch(block); m != nil {
		path = m[1]
	}
	if strings.Contains(block, `state "s3"`) {
		shared = "\n  shared = true"
	}
	return fmt.Sprintf("sink \"parquet\" \"lake\" {\n  path = %q%s\n}", path, shared)
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
