package sinks

import "testing"

func TestShares(t *testing.T) {
	for _, c := range []struct {
		bytes         int64
		workers, want int
	}{{0, 3, 1}, {2*LeastShare - 1, 3, 1}, {2 * LeastShare, 3, 2}, {100 * LeastShare, 3, 3}, {100 * LeastShare, 1, 1}} {
		shares := Shares(c.bytes, c.workers)
		if len(shares) != c.want {
			t.Errorf("%+v: %v", c, shares)
		}
		for all := range 10 {
			next := 0
			for _, s := range shares {
				from, to := s.Groups(all)
				if from != next {
					t.Errorf("of %d row groups share %v begins with %d, want %d", all, s, from, next)
				}
				next = to
			}
			if next != all {
				t.Errorf("of %d row groups %d are read", all, next)
			}
		}
	}
}
