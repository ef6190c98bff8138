package dump_test

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/engine/dump"
	"reconcile/internal/amount"
)

// A manifest that is too large holds its dump, and is not read: only its beginning is.
func TestTooLargeManifests(t *testing.T) {
	const most = 100 << 10
	filler := strings.Repeat(" ", most)
	store, _ := source(t, map[string]string{
		"1.json":  `{"dump_id":1,"tables":[]}` + strings.Repeat(" ", most-25),
		"2.json":  `{"dump_id":2,"tables":[]}` + filler,
		"3.json":  `{"tables":[],` + filler + `"dump_id":3}`,
		"4.json":  `{"dump_id":` + strings.Repeat(" ", 64<<10-12) + `44,"tables":[]}` + filler, // cut between the digits
		"5a.json": `{"dump_id":"5","tables":[]}`,
		"5b.json": `{"dump_id":"5","tables":[]}` + filler,
		"6.json":  "\x1f\x8b" + filler,
	})
	l, err := dump.Open(store, dump.Options{Manifest: most}).List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids(l)); got != "[1]" {
		t.Errorf("the dumps %s are taken", got)
	}
	var got []string
	for _, p := range l.Problems {
		got = append(got, fmt.Sprintf("%s of dump %d %v", strings.Join(p.Manifests, ", "), p.Dump, p.HasDump))
		for _, part := range []string{"it has 1", "at most " + amount.Number(most) + " are read: a quarter of memory_limit", `set memory_limit = "1MiB" or more`} {
			if !strings.Contains(p.String(), part) {
				t.Errorf("%s does not say %q", p, part)
			}
		}
	}
	want := "manifests/2.json of dump 2 true; manifests/3.json of dump 0 false; manifests/4.json of dump 0 false; " +
		"manifests/5a.json, manifests/5b.json of dump 5 true; manifests/6.json of dump 0 false"
	if got := strings.Join(got, "; "); got != want {
		t.Errorf("held are %s\nnot          %s", got, want)
	}
}
