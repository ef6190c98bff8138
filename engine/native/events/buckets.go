package events

import (
	"math/bits"

	"reconcile/internal/column"
)

// buckets counts the rows of (canonical user, key hash) pairs, of those that
// were opened. It holds a fixed number of them.
type buckets struct {
	slots []bucket
	shift int
}

type bucket struct {
	user int64
	hash uint32
	n    uint32 // rows, plus one once it is open
}

func newBuckets(n int) *buckets {
	b := bits.Len(uint(2 * n)) // a quarter to half of the slots will be in use
	return &buckets{slots: column.Zeros[bucket](1 << b), shift: 64 - b}
}

func (b *buckets) slot(user int64, hash uint32) *bucket {
	at := (uint64(user)*0x9e3779b97f4a7c15 ^ uint64(hash)) * 0xff51afd7ed558ccd >> b.shift
	for {
		s := &b.slots[at]
		if s.n == 0 || s.user == user && s.hash == hash {
			return s
		}
		if at++; at == uint64(len(b.slots)) {
			at = 0
		}
	}
}

// openBucket returns the count of a bucket, which is open from then on. Counts are one
// too great.
func (b *buckets) openBucket(user int64, hash uint32) *uint32 {
	s := b.slot(user, hash)
	if s.n == 0 {
		*s = bucket{user, hash, 1}
	}
	return &s.n
}

// openCount returns the count of a bucket, nil if it is not open.
func (b *buckets) openCount(user int64, hash uint32) *uint32 {
	if s := b.slot(user, hash); s.n > 0 {
		return &s.n
	}
	return nil
}
