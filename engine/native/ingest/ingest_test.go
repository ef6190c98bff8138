package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
)

// Rows of a table with masks wait in scratch files that cannot be read; those of
// other tables are only compressed.
func TestMaskedRowsAreSpilledUnreadable(t *testing.T) {
	value := bytes.Repeat([]byte("ada@example.com;"), 3)
	for name, c := range map[string]struct {
		Schema   *decode.Schema
		readable bool
	}{
		"no mask": {&decode.Schema{Schema: rules.Schema{Payload: []rules.Column{{}}}}, true},
		"hmac":    {&decode.Schema{Schema: rules.Schema{Payload: []rules.Column{{}, {Mask: definition.MaskHMAC}}}}, false},
		"null":    {&decode.Schema{Schema: rules.Schema{Payload: []rules.Column{{Mask: definition.MaskNull}}}}, false},
		"drop":    {&decode.Schema{Schema: rules.Schema{Payload: []rules.Column{{}}, Dropped: []rules.Column{{Delivered: "email"}}}}, false},
	} {
		dir := t.TempDir()
		g := New(c.Schema, exec.Limits{Budget: exec.RowBudget(0, 1), Scratch: dir})
		l := &locator{}
		n := copy(l.collected.Block(len(value)), value)
		l.collected.Add(rules.Row{Raw: 1, Key: 1, Size: uint32(n)})
		if err := g.seal(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v, %v", name, files, err)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(data, []byte("ada@example.com")); got != c.readable {
			t.Errorf("%s: readable %v", name, got)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}
