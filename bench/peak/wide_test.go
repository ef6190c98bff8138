package peak

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A few hundred rows with as many columns as a table can have.
func TestMostColumns(t *testing.T) {
	const columns = 10_000
	fields := slices.Clone(required[:2])
	for i := len(fields); i < columns; i++ {
		fields = append(fields, field{fmt.Sprintf("column_%d", i), optional("string")})
	}
	s := newSite(t)
	s.deliver(fields, "deflate", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 300 {
			b := binary.AppendVarint(binary.AppendVarint(nil, int64(i)), r.Int64N(1000))
			for range columns - 2 {
				if r.IntN(10) > 0 {
					b = append(b, 0)
					continue
				}
				b = append(append(b, 2, 16), randomText(r, 8)...)
			}
			f.row(b)
		}
	})
	s.apply(0)
}
