package promtext

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// parsed reads a file with the parser of Prometheus: family to value of label t to value.
func parsed(t testing.TB, data []byte) map[string]map[string]float64 {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	out := map[string]map[string]float64{}
	for name, f := range families {
		out[name] = map[string]float64{}
		for _, m := range f.Metric {
			label := ""
			for _, l := range m.Label {
				if l.GetName() == "t" {
					label = l.GetValue()
				}
			}
			if _, twice := out[name][label]; twice {
				t.Errorf("%s has %q twice", name, label)
			}
			out[name][label] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

var hostile = []string{"checkout", `a"b`, `a\b`, "a\nb", `a\nb`, "a\x00b", `a\u0000b`, "\xff", `\xff`, "{}", `x",t="y`, " ", "# HELP", "\u202e", "日本", "::e", "##x", "\r", strings.Repeat("x", 300)}

// Every name is one value of its own, whatever is in it.
func TestHostileValues(t *testing.T) {
	f := &File{Labels: []Label{{"folder", "/srv/\"shop\"\\\n"}}}
	fam := &Family{Name: "x_rows", Help: "Rows,\nand \\ more.", Kind: Gauge}
	f.Families = append(f.Families, fam, &Family{Name: "x_none", Help: "None.", Kind: Gauge})
	for i, name := range hostile {
		fam.Add(float64(i), Label{"t", name})
	}
	text := f.Encode()
	got := parsed(t, text)
	if len(got) != 1 || len(got["x_rows"]) != len(hostile) {
		t.Errorf("%d names of %d in\n%s", len(got["x_rows"]), len(hostile), text)
	}
	if got["x_rows"]["checkout"] != 0 || got["x_rows"][`a"b`] != 1 || got["x_rows"]["日本"] != 14 {
		t.Errorf("%v", got)
	}
	if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == utf8.RuneError }) {
		t.Errorf("control characters in %q", text)
	}
}

func TestCountersGoOn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.prom")
	for night := 1; night <= 3; night++ {
		e, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		f := &File{Labels: []Label{{"folder", "/srv"}}}
		runs, rows := &Family{Name: "x_runs_total", Help: "Runs.", Kind: Counter}, &Family{Name: "x_rows", Help: "Rows.", Kind: Gauge}
		f.Families = []*Family{runs, rows}
		e.Count(f, runs, 1, Label{"t", "0"})
		if night < 3 {
			for _, n := range hostile {
				rows.Add(float64(night), Label{"t", n})
			}
		} else {
			e.Keep(rows)
		}
		if err := Write(name, f); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got := parsed(t, data)
	if got["x_runs_total"]["0"] != 3 || len(got["x_rows"]) != len(hostile) || got["x_rows"]["checkout"] != 2 {
		t.Errorf("%s", data)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != readable {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// A file of somebody else is not taken for ours.
func TestForeignFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "main.hcl")
	if err := os.WriteFile(name, []byte("sink \"parquet\" \"lake\" {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(name); !errors.Is(err, ErrForeign) {
		t.Errorf("%v", err)
	}
}

func FuzzSeries(f *testing.F) {
	for _, n := range hostile {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, name string) {
		file := &File{}
		fam := &Family{Name: "x", Help: name, Kind: Gauge}
		file.Families = append(file.Families, fam)
		fam.Add(1, Label{"t", name})
		fam.Add(2, Label{"t", name + `\`})
		text := file.Encode()
		if got := parsed(t, text); len(got["x"]) != 2 {
			t.Errorf("%q gives %v", name, got)
		}
		path := filepath.Join(t.TempDir(), "x.prom")
		if err := Write(path, file); err != nil {
			t.Fatal(err)
		}
		if e, err := Read(path); err != nil || len(e.lines["x"]) != 2 {
			t.Errorf("%q is read again as %v, %v", name, e, err)
		}
	})
}
