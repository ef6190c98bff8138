package scaffold

import (
	"math/rand"
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"reconcile/config"
	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/model"
	"reconcile/internal/blob"
	"reconcile/internal/feed"
)

func survey(t *testing.T, dir string) *Survey {
	t.Helper()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Take(t.Context(), dump.Open(store, dump.Options{Retry: blob.Retry{Attempts: 1}}), Options{Limits: avro.Limits{Block: 1 << 20, Text: 1 << 20}, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever is delivered, what is written of it is a configuration that takes each table
// once, unless nothing identifies its rows.
func TestRandomSources(t *testing.T) {
	for seed := range int64(25) {
		w := model.Random(rand.New(rand.NewSource(seed)), model.GenOptions{Rows: 30, Faults: 0.1})
		dir := t.TempDir()
		if err := w.Write(dir); err != nil {
			t.Fatal(err)
		}
		s := survey(t, dir)
		text := config.Format(s.HCL(Place{Root: dir, Source: "local", Attributes: []Attribute{{"path", cty.StringVal(dir)}}}))
		cfg, _, diags := config.LoadWith(t.TempDir(), "main.hcl", text, config.Options{})
		if diags.HasErrors() {
			t.Fatalf("world %d: %v\n%s", seed, diags, text)
		}
		var names []string
		for _, x := range s.Tables {
			names = append(names, x.Name)
			got, diags := cfg.Table(x.Name, x.columns)
			if diags.HasErrors() {
				t.Fatalf("world %d, %s: %v\n%s", seed, x.Name, diags, text)
			}
			if taken := got != nil && !cfg.Ignored(x.Name); taken == (x.Role == Keyless) && x.Role != Unseen {
				t.Errorf("world %d: the table %s, %v, is taken: %v\n%s", seed, x.Name, x.Role, taken, text)
			}
			for _, c := range x.Types {
				if feed.IsExact(c.Column) || got.Column(got.ID(c.Column)).Type.String() != c.Type {
					t.Errorf("world %d: column %s of %s is not %s\n%s", seed, c.Column, x.Name, c.Type, text)
				}
			}
		}
		if want := w.Tables(); !slices.Equal(names, want) {
			t.Errorf("world %d: tables %q, not %q", seed, names, want)
		}
	}
}

// Of a table a bounded part is read, the newest files first.
func TestSampleIsBounded(t *testing.T) {
	w := model.Random(rand.New(rand.NewSource(1)), model.GenOptions{Dumps: 6, Events: 1, Rows: 30, Tame: true})
	dir := t.TempDir()
	if err := w.Write(dir); err != nil {
		t.Fatal(err)
	}
	sampled := 0
	for _, x := range survey(t, dir).Tables {
		if x.Files > mostFiles || x.Rows > mostFiles*mostRows {
			t.Errorf("%s: %d rows of %d files", x.Name, x.Rows, x.Files)
		}
		sampled += x.Files
	}
	if sampled == 0 {
		t.Error("nothing was sampled")
	}
}
