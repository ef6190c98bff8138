package avro

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"reconcile/internal/column"
)

// FuzzContainer decodes anything, wanted and skipped, and record by record. It must
// give rows or damage, and all ways the same.
func FuzzContainer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.avro")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, c := range textCases {
		f.Add([]byte(fileHeader(record(c.typ), "").block(1, c.value)))
	}
	f.Add([]byte(fileHeader(nativeSchema, "").block(nativeRows(77))))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, cols, err := readAllRows(data, -1)
		var damage *DamageError
		if err != nil && !errors.As(err, &damage) {
			t.Fatalf("error %v is no damage", err)
		}
		if err != nil {
			return
		}
		rows := 0
		for _, c := range cols {
			rows = c.Len()
			if rows > 1e5 {
				break // of values without bytes
			}
			for _, s := range texts(c) {
				if !utf8.ValidString(s) && len(c.Dict.Invalid()) == 0 {
					t.Fatalf("%q is not marked as invalid", s)
				}
			}
		}
		if err := skipAll(data, rows, len(cols)); err != nil {
			t.Fatalf("decodes, but cannot be skipped: %v", err)
		}
		if rows <= 1e5 {
			for _, slice := range []int{1, 100, 1000} {
				if err := decodeSlices(data, slice, cols); err != nil {
					t.Fatalf("decodes, but not in slices: %v", err)
				}
			}
			if err := decodeAgain(data, cols); err != nil {
				t.Fatalf("decodes, but not as records: %v", err)
			}
		}
	})
}

// openData starts reading and decoding a file.
func openData(data []byte) (*Scanner, *Decoder, error) {
	s, err := NewScanner(bytes.NewReader(data), int64(len(data)), testLimits)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Header().NewDecoder(testLimits), nil
}

// decodeAgain decodes the records of a file, of which no field was wanted first, one
// by one and encoded, and compares them with what the blocks were decoded to.
func decodeAgain(data []byte, want []*column.Column) error {
	s, d, err := openData(data)
	if err != nil {
		return err
	}
	keep := make([]bool, len(want))
	for i := range keep {
		keep[i] = true
	}
	codecs := []*RecordCodec{s.Header().NewRecordCodec(keep, NewPool(1<<20)), s.Header().NewRecordCodec(keep, NewPool(60))}
	row := 0
	for b := new(Block); ; row += b.Count {
		if ok, err := s.Next(b); err != nil || !ok {
			return err
		}
		for _, p := range codecs {
			delivered, encoded, err := d.encodeBlock(b, make([]*column.Column, len(want)), p)
			if err != nil {
				return err
			}
			delivered, encoded = keepRecords(delivered), keepRecords(encoded)
			got, one := textColumns(s.Header()), textColumns(s.Header())
			if err := d.DecodeEncoded(allRecords(encoded), p, got); err != nil {
				return err
			}
			for _, r := range allRecords(delivered) {
				if err := d.DecodeRecord(r, one); err != nil {
					return err
				}
			}
			if err := errors.Join(sameRows(got, want, row, b.Count), sameRows(one, want, row, b.Count)); err != nil {
				return err
			}
		}
	}
}

// decodeSlices decodes a file in slices of so many bytes, at least a record each, and
// compares the rows with what the blocks were decoded to.
func decodeSlices(data []byte, slice int, want []*column.Column) error {
	limits := testLimits
	limits.Slice = slice
	s, err := NewScanner(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		return err
	}
	d := s.Header().NewDecoder(limits)
	row := 0
	for b := new(Block); ; {
		if ok, err := s.Next(b); err != nil || !ok {
			return err
		}
		if err := d.Begin(b); err != nil {
			return err
		}
		for end := row + b.Count; row < end; {
			got := textColumns(s.Header())
			recs, err := d.Next(got)
			if err != nil {
				return err
			}
			n := len(recs.Ends)
			if n == 0 || n > limits.sliceRows() || n > 1 && int(recs.Ends[n-2]) >= slice || len(got) > 0 && got[0].Len() != n {
				return fmt.Errorf("a slice of %d bytes has %d records and %d rows", slice, n, got[0].Len())
			}
			if err := sameRows(got, want, row, n); err != nil {
				return err
			}
			row += n
		}
	}
}

// sameRows compares the n rows of got with those of want from one on.
func sameRows(got, want []*column.Column, from, n int) error {
	for f, c := range got {
		for i := range n {
			if c.IsNull(i) != want[f].IsNull(from+i) || !bytes.Equal(c.Bytes(i), want[f].Bytes(from+i)) {
				return fmt.Errorf("row %d, field %d: %q, want %q", from+i, f, c.Bytes(i), want[f].Bytes(from+i))
			}
		}
	}
	return nil
}

// keepRecords copies records that are a decoder's.
func keepRecords(r Records) Records {
	return Records{Data: bytes.Clone(r.Data), Ends: slices.Clone(r.Ends)}
}

func allRecords(r Records) [][]byte {
	out := make([][]byte, len(r.Ends))
	for i := range out {
		out[i] = r.Record(i)
	}
	return out
}

// skipAll reads a file without wanting any field.
func skipAll(data []byte, rows, fields int) error {
	s, d, err := openData(data)
	if err != nil {
		return err
	}
	dst := make([]*column.Column, fields)
	for b := new(Block); ; {
		ok, err := s.Next(b)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := d.Decode(b, dst); err != nil {
			return err
		}
		rows -= b.Count
	}
	if fields > 0 && rows != 0 {
		return errors.New("another number of rows")
	}
	return nil
}

// TestRandomBlocks decodes random bytes, and valid blocks with random changes,
// under every type.
func TestRandomBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range textCases {
		for range 300 {
			body := make(enc, rng.IntN(40))
			for i := range body {
				body[i] = byte(rng.Uint32()) >> rng.IntN(8)
			}
			copy(body, c.value[:rng.IntN(len(c.value)+1)])
			if _, err := decodeOne(c.typ, body); err != nil && !isDamage(err) {
				t.Fatalf("%s: %x: %v", c.name, body, err)
			}
		}
	}
}
