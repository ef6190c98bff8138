package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the output of the quickstart into docs/quickstart.md")

// The output stands in docs/quickstart.md between these, and a part of it in README.md.
const (
	outputBegin = "<!-- the output of the quickstart -->\n```text\n"
	outputEnd   = "```\n<!-- the end of the output -->\n"
	// leftOut stands in README.md for lines that it does not show.
	leftOut = "[...]\n"
)

// changedAt is when a table was changed last, which differs from run to run.
var changedAt = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC, by commit`)

// TestDocumentedOutput plays the whole quickstart, which checks what it shows by
// itself, and compares what it prints with docs/quickstart.md and README.md.
func TestDocumentedOutput(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, root, filepath.Join(dir, "quickstart")); err != nil {
		t.Fatal(err)
	}
	printed := changedAt.ReplaceAllString(out.String(), "2026-03-05 02:00 UTC, by commit")
	page := filepath.Join(root, "docs", "quickstart.md")
	head, block, tail := cutOutput(t, page)
	switch {
	case block == printed:
	case *update:
		if err := os.WriteFile(page, []byte(head+outputBegin+printed+outputEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/quickstart.md does not show what the quickstart prints from %q on; write it with `go test ./examples/quickstart -update`", firstDifference(block, printed))
	}
	_, excerpt, _ := cutOutput(t, filepath.Join(root, "README.md"))
	rest := printed
	for _, part := range strings.Split(excerpt, leftOut) {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("README.md shows what the quickstart does not print, or not in this order:\n%s", part)
		}
		rest = after
	}
}

// cutOutput returns the output that a page shows, and what is before and behind it.
func cutOutput(t *testing.T, page string) (head, block, tail string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), outputBegin)
	block, tail, ok2 := strings.Cut(rest, outputEnd)
	if !ok || !ok2 || block == "" {
		t.Fatalf("%s has no place for the output of the quickstart", page)
	}
	return head, block, tail
}

// firstDifference returns the first line of b that is not that of a.
func firstDifference(a, b string) string {
	was := strings.Split(a, "\n")
	for i, line := range strings.Split(b, "\n") {
		if i >= len(was) || was[i] != line {
			return line
		}
	}
	return "the end"
}

// TestOrdersOfTheShoppers holds the comments of the story against the tables.
func TestOrdersOfTheShoppers(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStage(t.Context(), &bytes.Buffer{}, root, filepath.Join(t.TempDir(), "quickstart"))
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		arrive []int
		want   string // event/canonical user/revenue of the orders of Ana and Ben
	}{
		{[]int{999, 997, 998}, "8001/5100031/24.90 8002/5100031/112.00 8003/5100031/18.50 8011/5100044/59.00 8012/5100044/24.90"},
		{[]int{1002, 1000}, "8001/5100031/24.90 8002/5100031/99.00 8003/5100031/18.50 8004/5100031/ 8011/5107300/59.00 8012/5100044/24.90 8012/5107300/24.90 8013/5100044/18.50"},
		{[]int{1001}, "8001/5100031/24.90 8002/5100031/99.00 8003/5100031/18.50 8004/5100031/ 8005/5100031/189.00 8011/5107300/59.00 8012/5100044/24.90 8012/5107300/24.90 8013/5100044/18.50"},
	}
	for _, step := range steps {
		if err := s.arrive(step.arrive...); err != nil {
			t.Fatal(err)
		}
		if _, err := s.reconcile(t.Context(), "apply", "-auto-approve"); err != nil {
			t.Fatal(err)
		}
		table, err := s.table("checkout")
		if err != nil {
			t.Fatal(err)
		}
		got := &contents{}
		for _, r := range table.where("_raw_user_id", shopperIDs) {
			got.rows = append(got.rows, map[string]string{"order": r["event_id"] + "/" + r["user_id"] + "/" + r["revenue"]})
		}
		var orders []string
		for _, l := range got.lines() {
			orders = append(orders, strings.TrimSuffix(strings.TrimPrefix(l, "map[order:"), "]"))
		}
		if text := strings.Join(orders, " "); text != step.want {
			t.Errorf("after %v:\n got %s\nwant %s", step.arrive, text, step.want)
		}
	}
}
