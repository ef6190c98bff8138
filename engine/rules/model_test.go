package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"reconcile/engine/model"
)

// export invents dumps of one event table and the mapping, with few keys and
// users, so that much collides. It returns the rows as Decide takes them; what
// each says is its place.
func export(t *testing.T, r *rand.Rand) (w *model.World, recs []Candidate) {
	long := []any{"null", "long"}
	w = &model.World{}
	for d := range 1 + r.IntN(4) {
		dump := &model.Dump{ID: int64(d)*7 - 3}
		e := model.Entry{Table: "t", Incremental: model.Bool(true), Columns: []string{"event_id", "user_id", "at"}}
		for f := range r.IntN(3) {
			file := &model.File{Key: fmt.Sprintf("%d/%d", d, f), Fields: []model.Field{{Name: "event_id", Type: long}, {Name: "user_id", Type: long}, {Name: "at", Type: "string"}}}
			for i := range r.IntN(12) {
				rec := Candidate{Key: r.Int64N(5) - 2, Raw: r.Int64N(8) - 4, Ver: ver(t, d, f, i), Loc: uint64(len(recs))}
				recs = append(recs, rec)
				file.Rows = append(file.Rows, []any{rec.Key, rec.Raw, strconv.FormatUint(rec.Loc, 10)})
			}
			e.Files = append(e.Files, file)
		}
		dump.Entries = append(dump.Entries, e)
		w.Dumps = append(w.Dumps, dump)
	}
	pairs := &model.File{Key: "m", Fields: []model.Field{{Name: "from_user_id", Type: long}, {Name: "to_user_id", Type: long}}}
	for range r.IntN(7) {
		pairs.Rows = append(pairs.Rows, []any{r.Int64N(8) - 4, r.Int64N(8) - 4})
	}
	last := w.Dumps[len(w.Dumps)-1]
	last.Entries = append(last.Entries, model.Entry{Table: "user_migrations", Incremental: model.Bool(false), Columns: []string{"from_user_id", "to_user_id"}, Files: []*model.File{pairs}})
	return w, recs
}

// closure takes a mapping's canonical users from the model's own table of them.
func closure(t *testing.T, w *model.World) func(int64) int64 {
	t.Helper()
	last := w.Dumps[len(w.Dumps)-1]
	tab, err := model.Expect(w.Dumps, last, model.Plain{}, "user_migrations")
	if err != nil {
		t.Fatal(err)
	}
	m := map[int64]int64{}
	for from, row := range tab.Rows {
		m[number(t, from)] = number(t, *row.Values["canonical_user_id"])
	}
	return through(m)
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDecideModel holds Decide against the model: what is published is the model's
// table, row by row, and what is published or hidden under one mapping is what
// the model would need under any other.
func TestDecideModel(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 13))
	hidden := 0
	for range 2000 {
		w, recs := export(t, r)
		canon := closure(t, w)
		want, err := model.Expect(w.Dumps, w.Dumps[len(w.Dumps)-1], model.Plain{}, "t")
		if err != nil {
			t.Fatal(err)
		}
		verdicts := judged(t, slices.Clone(recs), canon)
		got := map[string]string{}
		var kept []Candidate
		for _, rec := range recs {
			switch verdicts[rec.Loc] {
			case Publish:
				key := fmt.Sprintf("%d/%d", rec.Key, canon(rec.Raw))
				if got[key] != "" {
					t.Fatalf("two rows of %s are published\n%s", key, w)
				}
				got[key] = strconv.FormatUint(rec.Loc, 10)
				kept = append(kept, rec)
			case Shadow:
				hidden++
				kept = append(kept, rec)
			}
		}
		compare(t, w, want, got)
		apart(t, w, kept)
	}
	if hidden < 1000 {
		t.Errorf("only %d rows were ever hidden: the worlds are too tame", hidden)
	}
}

// compare wants the published rows to be those of the model.
func compare(t *testing.T, w *model.World, want *model.Table, got map[string]string) {
	t.Helper()
	if len(got) != len(want.Rows) {
		t.Errorf("%d rows are published, want %d", len(got), len(want.Rows))
	}
	for key, row := range want.Rows {
		if at := *row.Values["at"]; got[key] != at {
			t.Errorf("row %s is number %q, want %q", key, got[key], at)
		}
	}
	if t.Failed() {
		t.Fatalf("the export was\n%s", w)
	}
}

// apart checks that the rows that were kept suffice when all merges are taken back.
func apart(t *testing.T, w *model.World, kept []Candidate) {
	t.Helper()
	want, err := model.Expect(w.Dumps, nil, model.Plain{}, "t")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	same := func(u int64) int64 { return u }
	verdicts := judged(t, kept, same)
	for _, rec := range kept {
		if verdicts[rec.Loc] == Publish {
			got[fmt.Sprintf("%d/%d", rec.Key, rec.Raw)] = strconv.FormatUint(rec.Loc, 10)
		}
	}
	compare(t, w, want, got)
}
