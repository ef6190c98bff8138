package state

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"reconcile/state/internal/kv"
)

// readTableBoth reads a payload in both ways. Whatever it is, they agree.
func readTableBoth(t *testing.T, payload []byte) {
	t.Helper()
	mode, err := kv.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var got, want Table
	err, wantErr := readTable(mode, payload, &got), mode.Unmarshal(payload, &want)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%.200x: got %v, want %v", payload, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%.200x: got %.500v, want %.500v", payload, got, want)
	}
}

func randomTable(r *rand.Rand) *Table {
	yes := func() bool { return r.IntN(2) == 0 }
	text := func() string { return []string{"", "a", "\xff", string(make([]byte, r.IntN(300)))}[r.IntN(4)] }
	t := &Table{Name: text(), Kind: text(), Key: text(), Commit: r.Uint64() >> r.IntN(64)}
	for range r.IntN(4) {
		t.Applied = append(t.Applied, Applied{r.Int64() >> r.IntN(64), text(), yes(), yes(), yes(), yes()})
	}
	if yes() {
		t.Mapping = Ref{Digest: text(), Size: 7}
	}
	if yes() {
		t.PartitionBy, t.OnSchemaChange, t.OnCastError, t.Rows = "day(time)", "evolve", "rescue", r.Int64()
	}
	if yes() {
		t.Columns, t.Sinks, t.Spelling = []Column{{Name: text()}}, []SinkTable{{Root: text(), Fingerprint: text()}}, []string{text()}
	}
	if yes() {
		t.Committed, t.History, t.ColumnLog = r.Int64(), []byte(text()), []byte(text())
	}
	return t
}

func TestReadTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		table := randomTable(r)
		payload, err := kv.Encode(table)
		if err != nil {
			t.Fatal(err)
		}
		if applied, _, ok := cutApplied(payload); ok != (table.Applied != nil) || !reflect.DeepEqual(applied, table.Applied) {
			t.Fatalf("%.200x: got %v, %v, want %v", payload, applied, ok, table.Applied)
		}
		readTableBoth(t, payload)
		readTableBoth(t, payload[:r.IntN(len(payload))])
		payload[r.IntN(min(len(payload), 60))] = byte(r.Uint32())
		readTableBoth(t, payload)
	}
}

// All fields of a table at once are more than the head of a small map tells.
func TestReadFullTable(t *testing.T) {
	var table Table
	v := reflect.ValueOf(&table).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Struct:
			f.Set(reflect.ValueOf(Ref{Digest: "x"}))
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		default:
			f.SetUint(1)
		}
	}
	payload, err := kv.Encode(&table)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := cutApplied(payload); !ok || payload[0] != majorMap<<5|24 {
		t.Errorf("%v, %x", ok, payload[0])
	}
	readTableBoth(t, payload)
}

// What is new in a dump is left to the library, which passes over it.
func TestReadTableLeavesWhatIsNew(t *testing.T) {
	type newApplied struct {
		Dump int64  `cbor:"1,keyasint"`
		New  string `cbor:"9,keyasint"`
	}
	payload, err := kv.Encode(struct {
		Name    string       `cbor:"1,keyasint"`
		Applied []newApplied `cbor:"5,keyasint"`
		New     string       `cbor:"99,keyasint"`
	}{"t", []newApplied{{7, "x"}}, "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := cutApplied(payload); ok {
		t.Error("it was taken")
	}
	readTableBoth(t, payload)
}

func FuzzReadTable(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 8 {
		payload, err := kv.Encode(randomTable(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) { readTableBoth(t, payload) })
}
