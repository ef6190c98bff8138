package config

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"reconcile/internal/definition"
)

// FuzzConfig loads arbitrary text: never a panic, no Config with an error, and
// layouts that settle.
func FuzzConfig(f *testing.F) {
	cases, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, c := range cases {
		ar, err := txtar.ParseFile(c)
		if err != nil {
			f.Fatal(err)
		}
		var config, vars []byte
		for _, file := range ar.Files {
			if strings.HasSuffix(file.Name, configExt) {
				config = append(config, file.Data...)
			} else if strings.HasSuffix(file.Name, varExt) {
				vars = append(vars, file.Data...)
			}
		}
		f.Add(config, vars)
	}
	small, err := os.ReadFile("testdata/samples/small.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small, []byte("x = 1"))
	f.Fuzz(func(t *testing.T, config, vars []byte) {
		l := newLoader(Options{AllowMissingVars: len(vars) == 0, Version: "1.0"})
		l.dir = "/nowhere"
		cfg, src, diags := l.load([]source{{"main.hcl", config}}, []source{{"x.auto.hclvars", vars}})
		if cfg != nil && diags.HasErrors() {
			t.Errorf("a configuration with %v", diags)
		}
		if err := src.Write(io.Discard, diags, 40, true); err != nil {
			t.Error(err)
		}
		if cfg != nil {
			for _, name := range append(cfg.ExactTables(), "users", "checkout", "a/b") {
				tab, more := cfg.Table(name, []string{"user_id", "event_id", "time", "email", "year"})
				if tab != nil {
					_, _ = tab.Column("email"), tab.Takes("year")
					more = append(more, cfg.CheckFolders([]*definition.Table{tab})...)
				}
				if err := src.Write(io.Discard, more, 0, false); err != nil {
					t.Error(err)
				}
			}
		}
		once := Format(config)
		if twice := Format(once); !bytes.Equal(once, twice) {
			t.Errorf("formatting\n%q\nagain gives\n%q", once, twice)
		}
	})
}
