package avro

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"reconcile/internal/column"
)

// TestLimits says what is told of a block that takes more than it may, and that one which
// takes just as much is read.
func TestLimits(t *testing.T) {
	text := enc{}.str(strings.Repeat("x", 997)) // of 999 bytes
	var bools enc
	bools = bools.long(100)
	for range 100 {
		bools = append(bools, 1)
	}
	bools = bools.long(0)
	const made = len("[true]") + 99*len(",true")
	for _, c := range []struct {
		name   string
		data   enc
		least  Limits
		refuse Limits
		says   string
	}{
		{"stored", fileHeader(record(`"string"`), "").block(1, text), Limits{Block: 999}, Limits{Block: 998}, "it is stored in 999 bytes, and up to 998 are taken"},
		{"decompressed", fileHeader(record(`"string"`), codecDeflate).block(1, compressed(t, codecDeflate, text)), Limits{Block: 999},
			Limits{Block: 998}, "it unpacks to 999 bytes, and up to 998 are taken"},
		{"dictionary", fileHeader(record(`"string"`), codecXZ).block(1, compressed(t, codecXZ, text)), Limits{Block: 8 << 20},
			Limits{Block: 8<<20 - 1}, "it asks for a dictionary of 8,388,608 bytes, and up to 8,388,607 are taken"},
		{"text", fileHeader(record(`{"type":"array","items":"boolean"}`), "").block(1, bools), Limits{Block: 1000, Text: made},
			Limits{Block: 1000, Text: 200}, "a value of it makes a text of 501 bytes, and up to 200 are taken"},
	} {
		if err := readWithin(c.data, c.least); err != nil {
			t.Errorf("%s: within %+v: %v", c.name, c.least, err)
		}
		var damage *DamageError
		if err := readWithin(c.data, c.refuse); !errors.As(err, &damage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: within %+v: error %v does not say %q", c.name, c.refuse, err, c.says)
		}
	}
}

// readWithin decodes the only block of a file with one field.
func readWithin(data []byte, lim Limits) error {
	s, err := NewScanner(bytes.NewReader(data), int64(len(data)), lim)
	if err != nil {
		return err
	}
	d := s.Header().NewDecoder(lim)
	var b Block
	if _, err := s.Next(&b); err != nil {
		return err
	}
	return d.Decode(&b, []*column.Column{{Type: column.Type{ID: column.String}, Dict: column.NewDict()}})
}

// TestLargeBlocksTakeTurns decodes blocks that are large as they are stored or unpacked: each
// has the turn until it is freed, and the others never have it.
func TestLargeBlocksTakeTurns(t *testing.T) {
	long, short := enc{}.str(strings.Repeat("x", 5000)), enc{}.str("x")
	for _, codec := range []string{codecNull, codecDeflate, codecSnappy, codecZstd} {
		var turn sync.Mutex
		limits := Limits{Block: 10_000, Text: 10_000, Large: 1000, Turn: &turn}
		data := fileHeader(record(`"string"`), codec).block(1, compressed(t, codec, long)).block(1, compressed(t, codec, short)).block(1, compressed(t, codec, long))
		s, err := NewScanner(bytes.NewReader(data), int64(len(data)), limits)
		if err != nil {
			t.Fatal(err)
		}
		d := s.Header().NewDecoder(limits)
		var b Block
		for _, large := range []bool{true, false, true} {
			if _, err := s.Next(&b); err != nil {
				t.Fatal(err)
			}
			if err := d.Decode(&b, []*column.Column{{Type: column.StringType}}); err != nil {
				t.Fatal(err)
			}
			free := turn.TryLock()
			if free {
				turn.Unlock()
			}
			if free == large {
				t.Errorf("%s: a block that is large (%v) leaves the turn to others: %v", codec, large, free)
			}
			b.Free()
			if !turn.TryLock() {
				t.Fatalf("%s: a block that was freed has the turn", codec)
			}
			turn.Unlock()
		}
	}
}
