package state

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"reconcile/state/internal/kv"
)

// readBoth reads a payload in both ways; of what partitionReader takes, the
// library must say the same.
func readBoth(t *testing.T, payload []byte) (taken bool) {
	t.Helper()
	var got, want Partition
	var r partitionReader
	if !r.read(payload, &got) {
		return false
	}
	mode, err := kv.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	if err := mode.Unmarshal(payload, &want); err != nil {
		t.Fatalf("%.200x was read, but %v", payload, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%.200x: got %.500q, want %.500q", payload, fmt.Sprint(got), fmt.Sprint(want))
	}
	return true
}

func randomPartition(r *rand.Rand) *Partition {
	number := func() int64 {
		return []int64{0, 1, 23, 24, 255, 256, 1 << 16, 1 << 32, math.MaxInt64, math.MinInt64, -1, r.Int64()}[r.IntN(12)]
	}
	text := func() string { return []string{"", "a", "\xff", string(make([]byte, r.IntN(70000)))}[r.IntN(4)] }
	p := &Partition{Ordinal: r.Uint32() >> r.IntN(32), Value: number(), Null: r.IntN(2) == 0, Rows: number()}
	for range r.IntN(4) {
		p.Files = append(p.Files, File{r.IntN(3), text(), number(), number(), text(), text(), r.IntN(2) == 0})
	}
	if r.IntN(2) == 0 {
		n := number()
		p.Newest = &n
	}
	if r.IntN(2) == 0 {
		p.Shadow = Ref{text(), number(), number(), ""}
	}
	return p
}

func TestPartitionReader(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		payload, err := kv.Encode(randomPartition(r))
		if err != nil {
			t.Fatal(err)
		}
		if !readBoth(t, payload) {
			t.Fatalf("%.200x was not read", payload)
		}
		readBoth(t, payload[:r.IntN(len(payload))])
		payload[r.IntN(min(len(payload), 60))] = byte(r.Uint32())
		readBoth(t, payload)
	}
}

// A record with a field of a newer program is left to the library, which passes
// over it.
func TestPartitionReaderLeavesWhatIsNew(t *testing.T) {
	payload, err := kv.Encode(struct {
		Ordinal uint32 `cbor:"1,keyasint"`
		New     string `cbor:"99,keyasint"`
	}{7, "x"})
	if err != nil {
		t.Fatal(err)
	}
	if readBoth(t, payload) {
		t.Error("it was read")
	}
}

func FuzzPartitionReader(f *testing.F) {
	payload, err := kv.Encode(randomPartition(rand.New(rand.NewPCG(2, 2))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte{0xa1, 0x05, 0x81, 0xa1, 0x02, 0x61, 0x61})
	f.Fuzz(func(t *testing.T, payload []byte) { readBoth(t, payload) })
}
