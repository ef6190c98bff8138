package parquet_test

import (
	"reflect"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
)

// FuzzCurrent reads anything as current.json: an error that names the file, or
// what can be written and read again as it is.
func FuzzCurrent(f *testing.F) {
	for _, seed := range []string{
		`{"version":1,"lineage":"l","tables":{"t":{"commit":3,"complete":true,"dumps":[1,9007199254740993],"mapping":-7,"folder":"t"}}}`,
		`{"version":1,"lineage":"l"}`, `{"version":1,"lineage":"l","tables":null}`, `{"version":2}`, `{"version":1.0,"lineage":"l"}`,
		`{"version":1,"lineage":"l","tables":{"t":{"dumps":null,"mapping":null}}}`, `{"version":1,"lineage":"\ud800","tables":{"\u0000":{}}}`,
		`{"version":1,"Version":2,"lineage":"l"}`, `[]`, ``, `{"version":1,"lineage":"l"}{`, `{"version":1,"lineage":"l","tables":{"t":{"commit":-1}}}`,
		strings.Repeat("[", 20000),
	} {
		f.Add(seed)
	}
	s, store, _ := open(f, parquet.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := blob.Put(ctx, store, "_reconcile/current.json", []byte(text), blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		c, _, err := s.Current(ctx)
		if err != nil {
			if !strings.Contains(err.Error(), "current.json") {
				t.Errorf("%q: the error does not name the file: %v", text, err)
			}
			return
		}
		if c == nil || c.Version != 1 || c.Lineage == "" {
			t.Fatalf("%q is read as %+v", text, c)
		}
		if _, err := s.SetCurrent(ctx, c, sinks.AnyVersion); err != nil {
			t.Fatalf("%q: what was read cannot be written: %v", text, err)
		}
		first, _, err := s.Current(ctx)
		if err != nil {
			t.Fatalf("%q: what was written cannot be read: %v", text, err)
		}
		if _, err := s.SetCurrent(ctx, first, sinks.AnyVersion); err != nil {
			t.Fatal(err)
		}
		first.Writes++
		if again, _, err := s.Current(ctx); err != nil || !reflect.DeepEqual(again, first) {
			t.Errorf("%q: %+v became %+v, %v", text, first, again, err)
		}
	})
}
