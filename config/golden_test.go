package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*/*.txtar")

// The cases are archives. Their *.hcl and *.hclvars files are the configuration,
// "args" has the options one a line, "tables" real tables as "name: column ...".
// Expected are the text of the diagnostics ("want") and of the resolved tables
// ("resolved").
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d cases: %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { golden(t, f) })
	}
}

func golden(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	unpack(t, ar)
	o := parseArgs(t, string(part(ar, "args")))
	cfg, src, diags := Load(".", o)

	var want, resolved bytes.Buffer
	if err := src.Write(&want, diags, 0, false); err != nil {
		t.Fatal(err)
	}
	if cfg == nil && !diags.HasErrors() && !o.AllowMissingVars {
		t.Error("no configuration, but no error either")
	}
	if cfg != nil && strings.Contains(file, "bad") {
		t.Error("a bad configuration was accepted")
	}
	if cfg != nil {
		resolveAll(t, &resolved, cfg, src, string(part(ar, "tables")))
	}
	if *update {
		setPart(ar, "want", want.Bytes())
		setPart(ar, "resolved", resolved.Bytes())
		if err := os.WriteFile(abs, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(string(part(ar, "want")), want.String()); d != "" {
		t.Errorf("diagnostics (-want +got):\n%s", d)
	}
	if d := cmp.Diff(string(part(ar, "resolved")), resolved.String()); d != "" {
		t.Errorf("tables (-want +got):\n%s", d)
	}
	for _, d := range JSON(diags) {
		if d.Summary == "" || d.Detail == "" || d.Severity == "" {
			t.Errorf("incomplete diagnostic %+v", d)
		}
	}
}

func unpack(t *testing.T, ar *txtar.Archive) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, f := range ar.Files {
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func part(ar *txtar.Archive, name string) []byte {
	for _, f := range ar.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setPart(ar *txtar.Archive, name string, data []byte) {
	ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	if len(data) > 0 {
		ar.Files = append(ar.Files, txtar.File{Name: name, Data: data})
	}
}

func parseArgs(t *testing.T, text string) Options {
	t.Helper()
	env := map[string]string{}
	o := Options{Version: "0.3.0", Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "":
		case "-var":
			in, err := ParseVar(arg)
			if err != nil {
				t.Fatal(err)
			}
			o.Inputs = append(o.Inputs, in)
		case "-var-file":
			o.Inputs = append(o.Inputs, Input{File: arg})
		case "env":
			k, v, _ := strings.Cut(arg, "=")
			env[k] = v
		case "version":
			o.Version = arg
		case "allow-missing":
			o.AllowMissingVars = true
		case "allow-missing-keys":
			o.AllowMissingKeys = true
		default:
			t.Fatalf("unknown line %q in args", line)
		}
	}
	return o
}

// resolveAll writes every table of the list as text, with what is diagnosed.
func resolveAll(t *testing.T, w *bytes.Buffer, cfg *Config, src Sources, list string) {
	t.Helper()
	var tables []*definition.Table
	var diags hcl.Diagnostics
	var delivered []DeliveredTable
	for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
		name, cols, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		tab, more := cfg.Table(name, strings.Fields(cols))
		diags = append(diags, more...)
		delivered = append(delivered, DeliveredTable{Name: name, Columns: strings.Fields(cols), Table: tab})
		if tab == nil {
			fmt.Fprintf(w, "%s: none, ignored=%v\n", name, cfg.Ignored(name))
			continue
		}
		tables = append(tables, tab)
		describe(w, cfg, tab, strings.Fields(cols))
	}
	names, _ := cfg.CheckNames(Delivered{Tables: delivered})
	if err := src.Write(w, Join(diags, cfg.CheckFolders(tables), names), 0, false); err != nil {
		t.Fatal(err)
	}
}

func describe(w *bytes.Buffer, cfg *Config, t *definition.Table, cols []string) {
	fmt.Fprintf(w, "%s: block %q exact=%v folder %q partition %q %v schema %s %q cast %s ->", t.Name, t.TableBlocks[0], t.Exact, t.Folder,
		t.PartitionBy, t.Partition.Levels(), t.OnSchemaChange, t.Columns, t.OnCastError)
	for _, s := range t.Sinks {
		fmt.Fprintf(w, " %s(%s)", s.Address(), strings.TrimSpace(s.Compression+" "+s.Encodings))
	}
	describeGuard(w, t.Guard)
	w.WriteByte('\n')
	for _, c := range t.Checks {
		severity := ""
		if c.Warns {
			severity = ", warns"
		}
		fmt.Fprintf(w, "  check.%s: %s%s\n", c.Name, c.Text(), severity)
	}
	for _, c := range cols {
		s := t.Column(c)
		fmt.Fprintf(w, "  %s: as %s type %s", c, s.As, s.Type)
		if s.Typed {
			w.WriteString(" typed")
		}
		if s.Rule.Unit != column.UnitAuto {
			fmt.Fprintf(w, " in %s", s.Rule.Unit)
		}
		if s.Rule.HalfEven {
			w.WriteString(" rounded")
		}
		if s.Mask != definition.MaskNone {
			fmt.Fprintf(w, " mask %s key=%v", s.Mask, len(cfg.MaskKey(s.Verifier)) > 0)
		}
		if s.Merge != "" {
			fmt.Fprintf(w, " merge %s", s.Merge)
		}
		if !t.Takes(c) {
			w.WriteString(" not taken")
		}
		w.WriteByte('\n')
	}
}

func describeGuard(w *bytes.Buffer, g definition.Guard) {
	if g.MaxRemovedRows != nil {
		fmt.Fprintf(w, " removed<=%s", g.MaxRemovedRows)
	}
	if g.HoldsEmpty {
		w.WriteString(" no empty resync")
	}
	if g.MaxRewrittenBytes != nil {
		fmt.Fprintf(w, " rewritten<=%s", g.MaxRewrittenBytes)
	}
}
