package peak

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// mostColumns is as many columns as a table can have.
const mostColumns = 10_000

// Nights of a few hundred rows with as many columns as a table can have.
func TestMostColumns(t *testing.T) {
	s := newSite(t)
	for night := range 4 {
		s.deliverWide(300*night, 300)
		s.apply(0)
	}
}

// A night that is several times what such a table has.
func TestMostColumnsOfManyRows(t *testing.T) {
	s := newSite(t)
	s.deliverWide(0, 600)
	s.apply(0)
	s.deliverWide(600, 2000)
	s.apply(0)
}

// deliverWide adds a dump of rows with as many columns as a table can have, from an event
// on. A tenth of the values are not null.
func (s *site) deliverWide(from, rows int) {
	s.t.Helper()
	fields := slices.Clone(required[:2])
	for i := len(fields); i < mostColumns; i++ {
		fields = append(fields, field{fmt.Sprintf("column_%d", i), optional("string")})
	}
	s.deliver(fields, "deflate", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, uint64(from)))
		for i := range rows {
			b := binary.AppendVarint(binary.AppendVarint(nil, int64(from+i)), r.Int64N(1000))
			for range mostColumns - len(required[:2]) {
				if r.IntN(10) > 0 {
					b = append(b, 0)
					continue
				}
				b = append(append(b, 2, 16), randomText(r, 8)...)
			}
			f.row(b)
		}
	})
}
