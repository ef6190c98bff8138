package export

import (
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, args ...string) (Options, Night) {
	t.Helper()
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	var n Night
	n.Flags(fs)
	f := NewFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	o, err := f.Options()
	if err != nil {
		t.Fatal(err)
	}
	return o, n
}

func TestFlagsChangeASet(t *testing.T) {
	want, err := Set("quarter", 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want.Days, want.Overlap = 7, 0
	got, _ := parse(t, "-days=7", "-scale=0.5", "-set=quarter", "-overlap=0")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestArgsMeanTheSame(t *testing.T) {
	o := small(t, func(o *Options) { o.Old, o.Tables, o.Seed = 0.125, 3, 9 })
	n := Night{Events: 7, Old: 0.5, Users: -1, Migrations: 0, Recent: true}
	gotO, gotN := parse(t, append(o.Args(), n.Args()...)...)
	if diff := cmp.Diff(o, gotO); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(n, gotN); diff != "" {
		t.Error(diff)
	}
}
