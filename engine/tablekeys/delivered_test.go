package tablekeys

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/linkedin/goavro/v2"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
	"reconcile/internal/blob"
)

// Of the rows of a file those that have both ids are handed on, cast as in any table.
func TestEachDelivered(t *testing.T) {
	dir := t.TempDir()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := dump.Open(store, dump.Options{})
	write := func(schema string, rows ...any) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, "f.avro"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: f, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if err := w.Append([]any{r}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(key string) ([]string, error) {
		got := []string{}
		err := Reader{Source: src, Budget: exec.RowBudget(1<<20, 2)}.EachDelivered(t.Context(), key, 1, "f.avro", func(raw, key int64) error {
			got = append(got, fmt.Sprint(raw, key))
			return nil
		})
		return got, err
	}
	write(`{"type":"record","name":"r","fields":[{"name":"x","type":"string"},{"name":"user_id","type":"long"},{"name":"event_id","type":["null","string"]}]}`,
		map[string]any{"x": "a", "user_id": 1, "event_id": goavro.Union("string", " 7 ")},
		map[string]any{"x": "b", "user_id": 2, "event_id": nil},
		map[string]any{"x": "c", "user_id": 3, "event_id": goavro.Union("string", "seven")},
		map[string]any{"x": "d", "user_id": -4, "event_id": goavro.Union("string", "-8")})
	for key, want := range map[string][]string{"event_id": {"1 7", "-4 -8"}, "": {"1 0", "2 0", "3 0", "-4 0"}} {
		if got, err := read(key); err != nil || !slices.Equal(got, want) {
			t.Errorf("with key %q: %q, not %q: %v", key, got, want, err)
		}
	}
	if _, err := read("session_id"); planner.BadFile(err) == nil {
		t.Errorf("a file without the key: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "f.avro"), 300); err != nil {
		t.Fatal(err)
	}
	if _, err := read("event_id"); planner.BadFile(err) == nil {
		t.Errorf("a cut file: %v", err)
	}
}
