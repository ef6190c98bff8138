package parquet

import (
	"bytes"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

// TestPageHeader reads headers of all kinds, and damaged ones, by hand and with the
// library: what is read is the same.
func TestPageHeader(t *testing.T) {
	r := seeded(77)
	byHand, kept := 0, 0
	for i := range 3000 {
		h := format.PageHeader{UncompressedPageSize: r.Int32(), CompressedPageSize: int32(r.IntN(300)), CRC: int32(r.Uint32())}
		ours := true
		switch i % 5 {
		case 0, 1:
			h.Type = format.DataPage
			d := format.DataPageHeader{NumValues: int32(r.IntN(30000)), Encoding: format.Encoding(r.IntN(9)), DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}
			if i%2 == 0 {
				d.Statistics = format.Statistics{NullCount: r.Int64N(900), MinValue: []byte("a"), MaxValue: []byte("zz")}
			}
			h.DataPageHeader.Set(d)
		case 2, 3:
			h.Type = format.DictionaryPage
			h.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: int32(r.IntN(99)), Encoding: format.Plain, IsSorted: i%2 == 0})
		case 4:
			h.Type, ours = format.DataPageV2, false
			h.DataPageHeaderV2.Set(format.DataPageHeaderV2{NumValues: 4})
		}
		var out bytes.Buffer
		if err := newThriftEncoder(&out).Encode(&h); err != nil {
			t.Fatal(err)
		}
		data := append(out.Bytes(), "the page"...)
		if flip := r.IntN(3 * out.Len()); flip < out.Len() {
			data[flip] ^= 1 << r.IntN(8)
			ours = false
		}
		if i%3 == 0 {
			data = data[:r.IntN(len(data))]
		}
		var hand, got, want format.PageHeader
		w := thriftWalk{b: data}
		if w.pageHeader(&hand) {
			byHand++
		} else if ours && len(data) > out.Len() {
			t.Fatalf("%+v is not read by hand", h)
		}
		n, err := decodePageHeader(data, &got)
		m, werr := decodeThrift(data, &want)
		if werr != nil {
			if err == nil && got.Type == format.DataPage && got.DataPageHeader.Valid {
				continue // of its statistics nothing is read
			}
			if err == nil {
				t.Fatalf("%x is read as %+v, which the library refuses: %v", data, got, werr)
			}
			continue
		}
		want.DataPageHeader.V.Statistics, got.DataPageHeader.V.Statistics = format.Statistics{}, format.Statistics{}
		if err != nil || n != m || got.Type != want.Type || got.UncompressedPageSize != want.UncompressedPageSize || got.CompressedPageSize != want.CompressedPageSize || got.CRC != want.CRC ||
			!sameDataPage(got.DataPageHeader.V, want.DataPageHeader.V) || got.DataPageHeader.Valid != want.DataPageHeader.Valid ||
			got.DictionaryPageHeader != want.DictionaryPageHeader {
			t.Fatalf("%x is read as %+v of %d bytes, %v; want %+v of %d", data, got, n, err, want, m)
		}
		kept++
	}
	if byHand < 1000 || kept < 1000 {
		t.Errorf("%d headers were read by hand, %d compared", byHand, kept)
	}
}

func sameDataPage(a, b format.DataPageHeader) bool {
	return a.NumValues == b.NumValues && a.Encoding == b.Encoding && a.DefinitionLevelEncoding == b.DefinitionLevelEncoding && a.RepetitionLevelEncoding == b.RepetitionLevelEncoding
}
