package checks

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"github.com/zeebo/xxh3"

	"reconcile/engine/keyset"
	"reconcile/internal/column"
)

// unique judges that no other row of the table has the values of a row in some columns. A
// row with a null in one of them is like no other.
//
// Values are compared by 88 bits of a hash: of a billion rows two are taken for equal by
// chance once in 600 million tables. The step's rows are collected first. Of all others,
// which are read then, those count that a filter of the first takes for equal to one.
type unique struct {
	numbered
	cols   []column.Column
	filter filter
	buf    []byte
}

const (
	// The lower bits of a row's number, below those of a hash: whether it is another's, and
	// the number.
	numberBits = 39
	otherBit   = 1 << numberBits
	hashShift  = numberBits + 1
)

var errTooManyRows = errors.New("a check of unique rows judges 2^39 rows at most")

func newUnique(s *Step, x Subject) rowJudge {
	j := &unique{}
	for _, name := range x.Check.Columns {
		c, ok := columnOf(s.Task.Schema, name)
		if !ok {
			return nil
		}
		j.cols = append(j.cols, c)
	}
	j.numbered = newNumbered(s, x, j.cols)
	j.filter = newFilter(s.Done.Counts.Read, s.space().Rows)
	return j
}

func (j *unique) columns() []column.Column { return j.cols }

func (j *unique) take(ctx context.Context, r rowsOf) error {
	cols := j.in(r)
	for _, i := range r.at {
		number := j.rows
		j.rows++
		hash, ok := j.hash(cols, i)
		if !ok {
			continue
		}
		if number >= otherBit {
			return errTooManyRows
		}
		j.filter.add(hash.Hi)
		if err := j.files.Add(ctx, entryOf(hash, uint64(number))); err != nil {
			return err
		}
	}
	return nil
}

// entryOf is what is sorted: rows of one hash lie beside each other.
func entryOf(hash xxh3.Uint128, number uint64) keyset.Row {
	return keyset.Row{Raw: int64(hash.Hi), Key: int64(hash.Lo>>hashShift<<hashShift | number)}
}

func (j *unique) in(r rowsOf) []*column.Column {
	cols := make([]*column.Column, len(j.cols))
	for k, c := range j.cols {
		cols[k] = r.batch.Col(c.Name)
	}
	return cols
}

// hash is that of a row's values; ok is false if one of them is null.
func (j *unique) hash(cols []*column.Column, i int) (_ xxh3.Uint128, ok bool) {
	j.buf = j.buf[:0]
	for _, c := range cols {
		if c.IsNull(i) {
			return xxh3.Uint128{}, false
		}
		switch c.Type.Kind() {
		case column.KindInt64:
			j.buf = binary.LittleEndian.AppendUint64(j.buf, uint64(c.Ints[i]))
		case column.KindDouble:
			j.buf = binary.LittleEndian.AppendUint64(j.buf, bitsOf(c.Floats[i]))
		default:
			v := c.Bytes(i)
			j.buf = binary.AppendUvarint(j.buf, uint64(len(v)))
			j.buf = append(j.buf, v...)
		}
	}
	return xxh3.Hash128(j.buf), true
}

// bitsOf is equal for equal numbers.
func bitsOf(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case math.IsNaN(f):
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// finish implements rowJudge.
func (j *unique) finish(ctx context.Context) (*outcome, error) {
	if err := j.addOthers(ctx); err != nil {
		return nil, err
	}
	var failed int64
	var first smallest
	var own []int64 // of the rows of one hash, as many as are shown
	var hash keyset.Row
	equal, mine := int64(0), int64(0)
	end := func() {
		if equal > 1 {
			failed += mine
			for _, n := range own {
				first.add(n)
			}
		}
		equal, mine, own = 0, 0, own[:0]
	}
	err := j.sorted(ctx, func(r keyset.Row) error {
		number := uint64(r.Key) & (otherBit<<1 - 1)
		of := keyset.Row{Raw: r.Raw, Key: int64(uint64(r.Key) - number)}
		if of != hash {
			end()
			hash = of
		}
		equal++
		if number&otherBit == 0 {
			mine++
			if len(own) < mostSamples { // they are in the order of their numbers
				own = append(own, int64(number))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	end()
	if err := j.find(ctx, first); err != nil {
		return nil, err
	}
	return &outcome{judged: j.rows, failed: failed, sample: j.show}, nil
}

// addOthers adds the rows that are not judged and may be equal to one that is.
func (j *unique) addOthers(ctx context.Context) error {
	number := uint64(0)
	add := func(r rowsOf) error {
		cols := j.in(r)
		for _, i := range r.at {
			hash, ok := j.hash(cols, i)
			if !ok || !j.filter.mayHave(hash.Hi) {
				continue
			}
			if number++; number >= otherBit {
				return errTooManyRows
			}
			if err := j.files.Add(ctx, entryOf(hash, otherBit|number)); err != nil {
				return err
			}
		}
		return nil
	}
	if j.rows == 0 {
		return nil
	}
	if err := j.s.each(ctx, j.s.staged(), j.of.Dumps, true, j.cols, add); err != nil {
		return err
	}
	return j.s.each(ctx, j.s.kept(), j.of.Dumps, true, j.cols, add)
}

// filter tells most hashes that were not added.
type filter struct {
	bits []uint64
	mask uint64
}

// newFilter is for so many hashes: sixteen bits for each, but no more than entries to sort
// take.
func newFilter(hashes int64, entries int) filter {
	const least, bitsOfHash, bitsOfEntry = 1 << 10, 16, 128
	n := uint64(least)
	for n < uint64(min(hashes*bitsOfHash, int64(entries)*bitsOfEntry)) {
		n *= 2
	}
	return filter{bits: make([]uint64, n/64), mask: n - 1}
}

func (f *filter) add(hash uint64) { f.bits[hash&f.mask/64] |= 1 << (hash & 63) }

func (f *filter) mayHave(hash uint64) bool { return f.bits[hash&f.mask/64]&(1<<(hash&63)) != 0 }
