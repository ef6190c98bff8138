package avro

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/column"
)

// eventSchema is that of an event table: two ids, a time and text properties.
func eventSchema(props int) string {
	var b strings.Builder
	b.WriteString(`{"type":"record","name":"event","fields":[{"name":"event_id","type":"long"},{"name":"user_id","type":["null","long"]},{"name":"time","type":["null","string"]}`)
	for i := range props {
		fmt.Fprintf(&b, `,{"name":"prop_%d","type":["null","string"]}`, i)
	}
	b.WriteString("]}")
	return b.String()
}

// eventRows writes rows with properties of the usual shapes: a fifth null, the
// rest from small, middling and large sets of values.
//
// Of run rows in a row all have the same values, as those of one user do.
func eventRows(rows, props, run int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	sets := make([][]string, props)
	for i := range sets {
		for j := range []int{3, 12, 40, 200, 1000}[i%5] {
			sets[i] = append(sets[i], fmt.Sprintf("value %d of %d%s", j, i, strings.Repeat("x", i%17)))
		}
	}
	var e, same enc
	for r := range rows {
		e = e.long(rng.Int64N(1 << 52)).long(1).long(rng.Int64N(1 << 40))
		e = e.long(1).str(fmt.Sprint(1_700_000_000_000 + int64(r)*37))
		if r%run != 0 {
			e = append(e, same...)
			continue
		}
		from := len(e)
		for _, set := range sets {
			if rng.IntN(5) == 0 {
				e = e.long(0)
				continue
			}
			e = e.long(1).str(set[min(rng.IntN(len(set)), rng.IntN(len(set)))])
		}
		same = slices.Clone(e[from:])
	}
	return e
}

func BenchmarkDecode(b *testing.B) {
	const rows, props = 10_000, 34
	data := eventRows(rows, props, 1)
	for _, codec := range []string{codecNull, codecSnappy, codecDeflate, codecZstd} {
		b.Run(codec, func(b *testing.B) { benchDecode(b, codec, rows, props, data, false) })
	}
	b.Run("runs", func(b *testing.B) { benchDecode(b, codecNull, rows, props, eventRows(rows, props, 5), false) })
	b.Run("skip", func(b *testing.B) { benchDecode(b, codecNull, rows, props, data, true) })
}

// eventDecoder returns a decoder of events, and columns for all of their fields.
func eventDecoder(b *testing.B, codec string, props int) (*Decoder, []*column.Column) {
	h, err := newHeader([]byte(eventSchema(props)), []byte(codec))
	if err != nil {
		b.Fatal(err)
	}
	d := h.NewDecoder(testLimits)
	dst := textColumns(h)
	dst[0].Type.ID, dst[1].Type.ID = column.Int64, column.Int64
	return d, dst
}

// allFields is a codec of all fields of a decoder.
func allFields(d *Decoder) *RecordCodec {
	keep := make([]bool, len(d.ops))
	for i := range keep {
		keep[i] = true
	}
	return d.head.NewRecordCodec(keep, NewPool(16<<20))
}

// BenchmarkEncode encodes records of which two fields are decoded, as delivered ones are.
func BenchmarkEncode(b *testing.B) {
	const rows, props = 1000, 34
	d, dst := eventDecoder(b, "", props)
	clear(dst[2:])
	p, block := allFields(d), &Block{Count: rows, Data: eventRows(rows, props, 1)}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		dst[0].Reset()
		dst[1].Reset()
		_, encoded, err := d.encodeBlock(block, dst, p)
		if err != nil {
			b.Fatal(err)
		}
		size = len(encoded.Data)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	b.ReportMetric(float64(size)/float64(len(block.Data)), "size")
}

// BenchmarkDecodeEncoded decodes records that lie about in memory, as those do that
// wait for their partition.
func BenchmarkDecodeEncoded(b *testing.B) {
	const rows, props, group = 100_000, 34, 20_000
	d, dst := eventDecoder(b, "", props)
	p := allFields(d)
	_, encoded, err := d.encodeBlock(&Block{Count: rows, Data: eventRows(rows, props, 5)}, dst, p)
	if err != nil {
		b.Fatal(err)
	}
	records := make([][]byte, rows)
	for to, from := range rand.New(rand.NewPCG(1, 1)).Perm(rows) {
		records[to] = encoded.Record(from)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n += group {
		for _, c := range dst {
			c.Reset()
		}
		if err := d.DecodeEncoded(records[n%rows:n%rows+group], p, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/group, "ns/row")
}

func benchDecode(b *testing.B, codec string, rows, props int, data []byte, skip bool) {
	d, dst := eventDecoder(b, codec, props)
	if skip {
		clear(dst[2:])
	}
	blk := &Block{Count: rows, Data: compressed(b, codec, data)}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range dst {
			if c != nil {
				c.Reset()
			}
		}
		if err := d.Decode(blk, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
