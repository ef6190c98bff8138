package avro

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// wideSchema is that of records with n fields.
func wideSchema(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"name":"c%d","type":["null","string"]}`, i)
	}
	return `{"type":"record","name":"r","fields":[` + strings.TrimPrefix(b.String(), ",") + `]}`
}

// A file whose records have too many fields is not read, wherever its schema says so.
func TestTooManyFields(t *testing.T) {
	open := func(schema string) error {
		data := fileHeader(schema, "")
		_, err := NewScanner(bytes.NewReader(data), int64(len(data)), Limits{})
		return err
	}
	if err := open(wideSchema(MostFields)); err != nil {
		t.Errorf("%d fields: %v", MostFields, err)
	}
	const want = "its records have 10,001 fields, and a table may have 10,000 columns"
	for what, schema := range map[string]string{"plain": wideSchema(MostFields + 1), "nested": `{"type":` + wideSchema(MostFields+1) + `}`} {
		var damage *DamageError
		if err := open(schema); !errors.As(err, &damage) || err.Error() != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	schema := []byte(wideSchema(300_000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := newHeader(schema, nil)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 8*uint64(len(schema)) {
		t.Errorf("a schema of %d bytes: %v, after allocating %d bytes", len(schema), err, n)
	}
	if err := open(`"` + strings.Repeat("x", maxMetadata) + `"`); err == nil || !strings.Contains(err.Error(), "the header has more than 16,777,216 bytes") {
		t.Errorf("a header that is too large: %v", err)
	}
}
