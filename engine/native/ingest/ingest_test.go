package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
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

// However many segments are spilled, their columns are described once.
func TestSpilledSegmentsShareColumns(t *testing.T) {
	g := New(&decode.Schema{}, exec.Limits{Budget: exec.RowBudget(0, 1), Scratch: t.TempDir()})
	defer func() { _ = g.Close() }()
	var described []*column.Column
	for range 3 {
		c := column.Column{Name: "number", Type: column.Int64Type, Ints: []int64{1}}
		s := rows.NewSegment([]rules.Row{{Key: 1}}, &column.Batch{N: 1, Cols: []column.Column{c}})
		if err := g.Keep(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		ch, err := s.Open(0).Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		described = append(described, &ch.Columns[0])
	}
	if described[1] != described[0] || described[2] != described[0] {
		t.Error("each segment has columns of its own")
	}
}
