package avro

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"reconcile/internal/column"
)

const recordSchema = `{"type":"record","name":"r","fields":[
	{"name":"a","type":["null","string"]},{"name":"b","type":"long"},{"name":"c","type":["string","null"]},
	{"name":"d","type":{"type":"array","items":"string"}},{"name":"e","type":["null","double","boolean"]},{"name":"f","type":"bytes"},
	{"name":"g","type":["string"]},{"name":"h","type":["null","long"]},{"name":"i","type":["null","string"]}]}`

// recordRows makes n records of recordSchema, in which some texts come often, some are
// long and some never come again.
func recordRows(r *rand.Rand, n int) []byte {
	text := func(b enc) enc {
		switch r.IntN(8) {
		case 0:
			return b.str(strings.Repeat("long ", r.IntN(500)))
		case 1:
			return b.str(fmt.Sprint(r.Uint64()))
		}
		return b.str(strings.Repeat("x", r.IntN(30)))
	}
	b := enc{}
	for range n {
		if b = b.long(int64(r.IntN(2))); b[len(b)-1] != 0 {
			b = text(b)
		}
		b = b.long(int64(r.Uint64()))
		if b = b.long(int64(r.IntN(2))); b[len(b)-1] == 0 {
			b = text(b)
		}
		b = text(b.long(1)).long(0)
		switch r.IntN(3) {
		case 0:
			b = b.long(0)
		default:
			b = append(b.long(2), byte(r.IntN(2)))
		}
		b = text(text(b).long(0))
		if b = b.long(int64(r.IntN(2))); b[len(b)-1] != 0 {
			b = b.long(int64(r.IntN(100)))
		}
		if b = b.long(int64(r.IntN(2))); b[len(b)-1] != 0 {
			b = b.str("the same")
		}
	}
	return b
}

// Records that decoders encoded at the same time decode to what was delivered, by
// any decoder, in any choice and order, with the dictionaries that come of decoding
// what was delivered; however much room there is for texts.
func TestEncoded(t *testing.T) {
	head, err := newHeader([]byte(recordSchema), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, pool := range []int{0, 100, 3000, 1 << 20} {
		keep := slices.Repeat([]bool{true}, len(head.proto))
		dropped := -1
		if pool == 3000 {
			dropped = 2
			keep[dropped] = false
		}
		p := head.NewRecordCodec(keep, NewPool(pool))
		delivered, encoded := encodeAtOnce(t, head, p)
		r := rand.New(rand.NewPCG(uint64(pool), 1))
		dec := mustDecoder(t, head)
		for range 20 {
			var chosen [][]byte
			var block []byte
			n := r.IntN(300)
			for range n {
				i := r.IntN(len(encoded))
				chosen, block = append(chosen, encoded[i]), append(block, delivered[i]...)
			}
			want, got := textColumns(head), textColumns(head)
			for f := range got {
				if f == dropped || r.IntN(4) == 0 {
					want[f], got[f] = nil, nil
				}
			}
			if err := dec.Decode(&Block{Count: n, Data: block}, want); err != nil {
				t.Fatal(err)
			}
			if err := dec.DecodeEncoded(chosen, p, got); err != nil {
				t.Fatal(err)
			}
			for f := range got {
				if got[f] == nil {
					continue
				}
				if err := sameRows(got[f:f+1], want[f:f+1], 0, n); err != nil {
					t.Fatal(err)
				}
				if a, b := got[f].Dict, want[f].Dict; a.Len() != b.Len() || !bytes.Equal(a.Plain(0, uint32(a.Len())), b.Plain(0, uint32(b.Len()))) {
					t.Fatalf("pool of %d: field %d has another dictionary", pool, f)
				}
			}
		}
	}
}

// In a large row group, too, dictionaries do not depend on which texts had a number:
// where values are not looked up any more, these are not either.
func TestEncodedDictionaries(t *testing.T) {
	head, err := newHeader([]byte(`{"type":"record","name":"r","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","string"]}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	const n = 30_000
	half := func() (b enc) {
		for range n / 2 {
			v := strconv.Itoa(r.IntN(3)) // often that of the row before
			b = b.str(v).long(1)
			if r.IntN(10) > 1 { // so few come again that a dictionary gives up
				v = strconv.FormatUint(r.Uint64(), 36)
			}
			b = b.str(v)
		}
		return b
	}
	first, second, order := half(), half(), r.Perm(n)
	var want []*column.Column
	for _, pool := range []int{0, 100_000, 1 << 30} {
		for _, idle := range []bool{false, true} {
			p := head.NewRecordCodec([]bool{true, true}, NewPool(pool))
			records := encodeBlock(t, head, p, first, n/2)
			for _, b := range p.tables {
				b.idle.Store(b.idle.Load() || idle)
			}
			records = append(records, encodeBlock(t, head, p, second, n/2)...)
			mixed := make([][]byte, n)
			for i, from := range order {
				mixed[i] = records[from]
			}
			got := textColumns(head)
			if err := mustDecoder(t, head).DecodeEncoded(mixed, p, got); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			for f := range got {
				a, b := got[f], want[f]
				if !slices.Equal(a.Codes, b.Codes) || a.Dict.Len() != b.Dict.Len() ||
					!bytes.Equal(a.Dict.Plain(0, uint32(a.Dict.Len())), b.Dict.Plain(0, uint32(b.Dict.Len()))) {
					t.Errorf("pool of %d, idle %v: field %d has another dictionary", pool, idle, f)
				}
			}
		}
	}
}

// encodeBlock encodes one block.
func encodeBlock(t *testing.T, head *Header, p *RecordCodec, data []byte, n int) [][]byte {
	t.Helper()
	_, k, err := mustDecoder(t, head).encodeBlock(&Block{Count: n, Data: data}, make([]*column.Column, len(head.proto)), p)
	if err != nil {
		t.Fatal(err)
	}
	return allRecords(k)
}

// encodeAtOnce encodes blocks in several goroutines.
func encodeAtOnce(t *testing.T, head *Header, p *RecordCodec) (delivered, encoded [][]byte) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 2))
			dec := mustDecoder(t, head)
			for range 5 {
				n := r.IntN(200)
				d, k, err := dec.encodeBlock(&Block{Count: n, Data: recordRows(r, n)}, make([]*column.Column, len(head.proto)), p)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				delivered, encoded = append(delivered, allRecords(keepRecords(d))...), append(encoded, allRecords(keepRecords(k))...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return delivered, encoded
}

func mustDecoder(t *testing.T, head *Header) *Decoder {
	dec := head.NewDecoder(testLimits)
	return dec
}

// Encoded records that are not whole, and fields that were left out, are errors.
func TestEncodedWrong(t *testing.T) {
	head, err := newHeader([]byte(recordSchema), nil)
	if err != nil {
		t.Fatal(err)
	}
	dec := mustDecoder(t, head)
	keep := slices.Repeat([]bool{true}, len(head.proto))
	keep[3] = false
	p := head.NewRecordCodec(keep, NewPool(1<<20))
	block := &Block{Count: 70, Data: recordRows(rand.New(rand.NewPCG(1, 2)), 70)}
	_, k, err := dec.encodeBlock(block, make([]*column.Column, len(keep)), p)
	if err != nil {
		t.Fatal(err)
	}
	records := allRecords(keepRecords(k))
	dst := func() []*column.Column {
		cols := textColumns(head)
		cols[3] = nil
		return cols
	}
	if err := dec.DecodeEncoded(records, p, dst()); err != nil {
		t.Fatal(err)
	}
	if err := dec.DecodeEncoded(records, p, textColumns(head)); err == nil || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("a field that was left out: %v", err)
	}
	last := &records[len(records)-1]
	whole := *last
	for n := range len(whole) {
		if *last = whole[:n]; dec.DecodeEncoded(records, p, dst()) == nil {
			t.Errorf("%d of the %d bytes of a record were decoded", n, len(whole))
		}
	}
	if *last = append(whole, 0); dec.DecodeEncoded(records, p, dst()) == nil {
		t.Error("a record that is too long was decoded")
	}
}

// Checked names the fields in which decoding finds what skipping does not.
func TestChecked(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[{"name":"a","type":["null","string"]},{"name":"b","type":{"type":"map","values":"int"}},
		{"name":"c","type":["null",{"type":"array","items":"int"}]},{"name":"d","type":["null","int",{"type":"array","items":"int"}]},
		{"name":"e","type":{"type":"bytes","logicalType":"decimal","precision":4}},{"name":"f","type":{"type":"enum","name":"e","symbols":["A"]}},
		{"name":"g","type":"boolean"}]}`
	head, err := newHeader([]byte(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true, true, true, false, false} {
		if f := head.Fields()[i]; f.Checked != want {
			t.Errorf("field %s: checked %v", f.Name, f.Checked)
		}
	}
}
