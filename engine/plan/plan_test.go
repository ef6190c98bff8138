package plan

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fill gives every field of a value something, so that a field that the codec forgets
// shows. It returns false where it left something empty.
func fill(r *rand.Rand, v reflect.Value, always bool) {
	if !always && r.IntN(4) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), always)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), always)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 4))
		for i := range v.Len() {
			fill(r, v.Index(i), always)
		}
		if v.Type().Elem().Kind() == reflect.Pointer {
			for i := range v.Len() {
				if v.Index(i).IsNil() {
					v.Index(i).Set(reflect.New(v.Type().Elem().Elem()))
				}
			}
		}
	case reflect.String:
		v.SetString([]string{"a", "table \xff", "~", "日本", strings.Repeat("x", 300)}[r.IntN(5)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + r.Int64N(1<<40) - r.Int64N(1<<41))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + r.Uint64()>>32)
	default:
		panic(v.Kind())
	}
}

func randomPlan(seed uint64, always bool) *Plan {
	p := &Plan{}
	r := rand.New(rand.NewPCG(seed, 0))
	fill(r, reflect.ValueOf(p).Elem(), always)
	for _, t := range p.Tables {
		t.Action = []Action{None, Create, Update, Rebuild, Destroy, Forget}[r.IntN(6)]
		t.Change.Class = Class(r.IntN(4))
		for i := range t.Steps {
			t.Steps[i].Kind, t.Steps[i].Class = StepKind(1+r.IntN(4)), Class(r.IntN(4))
		}
	}
	for i := range p.Config {
		p.Config[i].Action, p.Config[i].Class = []Action{Update, Rebuild, Destroy, Forget}[r.IntN(4)], Class(r.IntN(4))
	}
	return p
}

func encoded(t testing.TB, p *Plan) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		p := randomPlan(seed, seed < 20)
		b := encoded(t, p)
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, p) {
			t.Fatalf("seed %d: a plan is read back as another one:\n%+v\n%+v", seed, p, got)
		}
		if !bytes.Equal(encoded(t, got), b) {
			t.Fatalf("seed %d: the same plan gives other bytes", seed)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	b := encoded(t, randomPlan(1, true))
	for name, bad := range map[string][]byte{"empty": nil, "text": []byte("hello"), "another version": bytes.Replace(b, []byte("plan 1"), []byte("plan 2"), 1)} {
		if _, err := Decode(bad); !errors.Is(err, ErrNoPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{"cut": b[:len(b)-1], "longer": append(slices.Clone(b), 0), "head only": b[:len(magic)]} {
		if _, err := Decode(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What no plan has is refused, not printed.
func TestDecodeChecks(t *testing.T) {
	for name, x := range map[string]*Table{"action": {Action: "?"}, "class": {Change: ConfigDiff{Class: 4}}, "class of a step": {Steps: []Step{{Kind: StepTake, Class: -1}}},
		"kind": {Steps: []Step{{}}}, "table": nil} {
		if _, err := Decode(encoded(t, &Plan{Tables: []*Table{x}})); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(encoded(f, randomPlan(seed, seed == 0)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(encoded(t, p), b) {
			t.Fatal("bytes that are taken are not those that Encode writes")
		}
	})
}

// tableWith is a table of a plan with all inputs.
func tableWith(change func(*Table)) *Table {
	t := &Table{Name: "e", Action: Update, Steps: []Step{{Kind: StepTake}}, Dumps: []DumpStep{{Dump: 7, Files: 1, Bytes: 10}},
		Change: ConfigDiff{Reasons: []string{"because"}}, RowsNow: 3, BytesToWrite: 9,
		Inputs: &Inputs{Definition: "def", Commit: 4, Applied: "applied", Mapping: &MappingInput{Dump: 2, Digest: "m"},
			Pending: []Delivery{{Dump: 7, Manifest: "man", Files: []Pin{{File: "f", Size: 10, Version: "inode", Content: "sum"}, {File: "g", Size: 1, Version: "etag", Portable: true}}}},
			Sinks:   []SinkInput{{Root: "/a", Checked: true, Entry: "entry", Listing: "files"}}}}
	if change != nil {
		change(t)
	}
	return t
}

func digest(t *testing.T, x *Table) string {
	t.Helper()
	d, err := x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What people are told, estimates and what is another thing on another machine change no
// digest.
func TestDigestLeavesOut(t *testing.T) {
	want := digest(t, tableWith(nil))
	for name, change := range map[string]func(*Table){
		"wording":          func(x *Table) { x.Change.Reasons = []string{"as"} },
		"estimates":        func(x *Table) { x.BytesToWrite, x.Partitions, x.Scratch, x.RowsNow, x.PartitionsNow = 1, 2, 3, 4, 5 },
		"exact figures":    func(x *Table) { x.Exact, x.Counts = true, &Counts{Added: 4} },
		"sizes of a dump":  func(x *Table) { x.Dumps[0].Files, x.Dumps[0].Bytes = 8, 9 },
		"an inode":         func(x *Table) { x.Inputs.Pending[0].Files[0].Version = "another inode" },
		"content of a tag": func(x *Table) { x.Inputs.Pending[0].Files[1].Content = "nobody read it before" },
		"how to keep":      func(x *Table) { x.Keeping = []string{"so"} },
	} {
		if got := digest(t, tableWith(change)); got != want {
			t.Errorf("%s: the digest is another one", name)
		}
	}
}

func TestDigestNeedsInputs(t *testing.T) {
	x := tableWith(func(x *Table) { x.Inputs = nil })
	if _, err := x.Digest(); !errors.Is(err, ErrNoInputs) {
		t.Error(err)
	}
	if _, err := Compare(&Plan{Tables: []*Table{x}}, &Plan{Tables: []*Table{x}}, nil); !errors.Is(err, ErrNoInputs) {
		t.Error(err)
	}
}

// Each input that changes changes the digest, and is named.
func TestCompare(t *testing.T) {
	for want, change := range map[string]func(*Table){
		"the configuration":                    func(x *Table) { x.Inputs.Definition = "other" },
		"the checks in the configuration":      func(x *Table) { x.Inputs.Checks = "other" },
		"the commit of the table: 5, it was 4": func(x *Table) { x.Inputs.Commit = 5 },
		"the applied dumps":                    func(x *Table) { x.Inputs.Applied = "other" },
		"the manifest of dump 7":               func(x *Table) { x.Inputs.Pending[0].Manifest = "other" },
		"the file f of dump 7":                 func(x *Table) { x.Inputs.Pending[0].Files[0].Content = "other" },
		"the file g of dump 7":                 func(x *Table) { x.Inputs.Pending[0].Files[1].Version = "other" },
		"dump 8 is pending":                    func(x *Table) { x.Inputs.Pending = append(x.Inputs.Pending, Delivery{Dump: 8}) },
		"dump 7 is no longer pending":          func(x *Table) { x.Inputs.Pending = nil },
		"the user mapping":                     func(x *Table) { x.Inputs.Mapping.Digest = "other" },
		"the current.json of the sink at /a":   func(x *Table) { x.Inputs.Sinks[0].Entry = "other" },
		"the files in the sink at /a":          func(x *Table) { x.Inputs.Sinks[0].Listing = "other" },
		"whether the sink at /a was looked at": func(x *Table) { x.Inputs.Sinks[0] = SinkInput{Root: "/a"} },
		"whether the sink at /b has the table": func(x *Table) { x.Inputs.Sinks = append(x.Inputs.Sinks, SinkInput{Root: "/b"}) },
		"the steps":                            func(x *Table) { x.Steps = append(x.Steps, Step{Kind: StepChange, Class: ClassRewrite}) },
	} {
		a, b := tableWith(nil), tableWith(change)
		if digest(t, a) == digest(t, b) {
			t.Errorf("%s: the digest stays", want)
		}
		got, err := Compare(&Plan{Tables: []*Table{a}}, &Plan{Tables: []*Table{b}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(got); text != "[{e ["+want+"]}]" {
			t.Errorf("%s: %s", want, text)
		}
	}
	got, err := Compare(&Plan{Serial: 1, Tables: []*Table{tableWith(nil)}}, &Plan{Serial: 2, Tables: []*Table{tableWith(nil)}}, nil)
	if err != nil || len(got) > 0 {
		t.Errorf("equal tables differ: %v, %v", got, err)
	}
	got, err = Compare(&Plan{Tables: []*Table{tableWith(nil)}}, &Plan{Tables: []*Table{tableWith(func(x *Table) { x.Name = "f" })}}, nil)
	if err != nil || len(got) != 2 || got[0].Table != "e" || got[1].Table != "f" {
		t.Errorf("a table that comes and one that goes: %v, %v", got, err)
	}
}

// A copy shares nothing with what it is of.
func TestClone(t *testing.T) {
	p := randomPlan(3, true)
	for _, x := range p.Tables {
		before := encoded(t, &Plan{Tables: []*Table{x}})
		c := x.Clone()
		if !reflect.DeepEqual(c, x) {
			t.Fatal("a copy is another table")
		}
		scramble(reflect.ValueOf(c).Elem())
		if !bytes.Equal(encoded(t, &Plan{Tables: []*Table{x}}), before) {
			t.Fatal("a change of a copy changes the table")
		}
	}
}

// scramble changes everything in place.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		scramble(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			scramble(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
	case reflect.String:
		v.SetString("scrambled")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	}
}

// A table that an earlier plan does not have makes a difference only if something is to be
// done about it, and plans of two states cannot be compared.
func TestCompareWhole(t *testing.T) {
	one := &Plan{Tables: []*Table{tableWith(nil)}}
	more := func(a Action) *Plan {
		return &Plan{Tables: []*Table{tableWith(nil), tableWith(func(x *Table) { x.Name, x.Action = "new", a })}}
	}
	for name, c := range map[string]struct {
		was, now *Plan
		want     string
	}{
		"an idle one comes": {one, more(None), "[]"},
		"one comes":         {one, more(Create), "[{new [the table was not in the plan]}]"},
		"an idle one goes":  {more(None), one, "[{new [the table is not in the plan any more]}]"},
	} {
		got, err := Compare(c.was, c.now, nil)
		if text := fmt.Sprint(got); err != nil || text != c.want {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	if _, err := Compare(&Plan{Lineage: "a"}, &Plan{Lineage: "b"}, nil); !errors.Is(err, ErrOtherState) {
		t.Error(err)
	}
}

// eachLeaf calls f with each text, number and flag of a value, and its path.
func eachLeaf(path string, v reflect.Value, f func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		eachLeaf(path, v.Elem(), f)
	case reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(path+"."+v.Type().Field(i).Name, v.Field(i), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachLeaf(fmt.Sprintf("%s[%d]", path, i), v.Index(i), f)
		}
	default:
		f(path, v)
	}
}

// Each field of a table's steps and inputs makes a difference that is named, but what is
// another thing on another machine.
func TestCompareMissesNothing(t *testing.T) {
	was := randomPlan(1, true).Tables[0]
	seen := 0
	check := func(path string, part func(*Table) any) {
		eachLeaf(path, reflect.ValueOf(part(was)), func(leaf string, _ reflect.Value) {
			now := was.Clone()
			eachLeaf(path, reflect.ValueOf(part(now)), func(other string, v reflect.Value) {
				if other == leaf {
					scramble(v)
				}
			})
			got, err := Compare(&Plan{Tables: []*Table{was}}, &Plan{Tables: []*Table{now}}, nil)
			left := strings.HasSuffix(leaf, ".Content") // of a portable pin
			if err != nil || (len(got) == 1 && len(got[0].What) > 0) == left {
				t.Errorf("%s: %v %v", leaf, got, err)
			}
			seen++
		})
	}
	check("Action", func(x *Table) any { return &x.Action })
	check("Steps", func(x *Table) any { return &x.Steps })
	check("Lost", func(x *Table) any { return &x.Lost })
	check("Inputs", func(x *Table) any { return x.Inputs })
	if seen < 40 {
		t.Errorf("only %d fields were changed", seen)
	}
}
