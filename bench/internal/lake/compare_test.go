package lake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

type event struct {
	ID   int64   `parquet:"id"`
	User int64   `parquet:"user"`
	Path *string `parquet:"path,optional"`
}

func text(s string) *string { return &s }

// folder writes a table in as many files as there are lists of rows.
func folder[T any](t *testing.T, files ...[]T) string {
	t.Helper()
	dir := t.TempDir()
	for i, rows := range files {
		name := filepath.Join(dir, "events", "day="+string(rune('0'+i)), "part.parquet")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := parquet.WriteFile(name, rows); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCompare(t *testing.T) {
	a, b, c := event{1, 7, text("/a")}, event{2, 7, nil}, event{3, 8, text("")}
	for _, tt := range []struct {
		name  string
		other string
		want  string // part of the error, empty for none
	}{
		{"other order and files", folder(t, []event{c}, []event{b, a}), ""},
		{"a row less", folder(t, []event{a, b}), "3 rows and 2 rows"},
		{"another value", folder(t, []event{a, b, {3, 9, text("")}}), "user"},
		{"null for empty", folder(t, []event{a, b, {3, 8, nil}}), "path"},
		{"values of two rows swapped", folder(t, []event{{1, 7, nil}, {2, 7, text("/a")}, c}), "the rows differ"},
		{"a row twice for another", folder(t, []event{a, a, c}), "the rows differ"},
		{"no table", t.TempDir(), "events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compare("events", folder(t, []event{a, b}, []event{c}), folder(t, []event{a, b, c}), tt.other)
			switch {
			case err == nil && tt.want != "":
				t.Errorf("no error, want one with %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
}

func TestUnitsOfTimestampsDoNotCount(t *testing.T) {
	type millis struct {
		At int64 `parquet:"at,timestamp(millisecond)"`
	}
	type micros struct {
		At int64 `parquet:"at,timestamp(microsecond)"`
	}
	ms, us := folder(t, []millis{{-1}, {1_751_328_000_123}}), folder(t, []micros{{1_751_328_000_123_000}, {-1000}})
	if _, err := Compare("events", ms, us); err != nil {
		t.Error(err)
	}
	if _, err := Compare("events", ms, folder(t, []micros{{1_751_328_000_123_001}, {-1000}})); err == nil {
		t.Error("a microsecond more is no difference")
	}
}

func TestColumnsThatOneTableLacks(t *testing.T) {
	type short struct {
		ID int64 `parquet:"id"`
	}
	type long struct {
		ID   int64   `parquet:"id"`
		More *string `parquet:"more,optional"`
	}
	one := folder(t, []short{{1}})
	if found, err := Compare("events", one, folder(t, []long{{1, nil}})); err != nil || !strings.Contains(found, "2 columns") {
		t.Errorf("%q, %v", found, err)
	}
	if _, err := Compare("events", one, folder(t, []long{{1, text("x")}})); err == nil || !strings.Contains(err.Error(), "more") {
		t.Errorf("error %v, want one that names the column", err)
	}
}
