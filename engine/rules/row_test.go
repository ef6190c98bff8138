package rules

import (
	"math"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	// Ascending: the dump counts before the file, the file before the row.
	places := [][3]int{{0, 0, 0}, {0, 0, 1}, {0, 0, 1<<28 - 1}, {0, 1, 0}, {0, 1<<16 - 1, 1<<28 - 1}, {1, 0, 0}, {1<<20 - 1, 0, 0}, {1<<20 - 1, 1<<16 - 1, 1<<28 - 1}}
	last := uint64(0)
	for i, p := range places {
		v, err := Version(p[0], p[1], p[2])
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && v <= last {
			t.Errorf("%v is not after the one before", p)
		}
		if DumpRank(v) != p[0] {
			t.Errorf("the dump of %v is %d", p, DumpRank(v))
		}
		last = v
	}
	for _, p := range [][3]int{{1 << 20, 0, 0}, {0, 1 << 16, 0}, {0, 0, 1 << 28}} {
		if _, err := Version(p[0], p[1], p[2]); err == nil || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%v: got %v", p, err)
		}
	}
}

func TestCompareRows(t *testing.T) {
	// Ascending, each by the first field in which it differs.
	list := []Row{
		{Part: NullPart, Raw: 9, Key: 9, Ver: 9}, {Part: -1, Raw: 9}, {Part: 0, Raw: math.MinInt64, Key: 9, Ver: 9},
		{Part: 0, Raw: -1, Key: 9}, {Part: 0, Raw: 0, Key: math.MinInt64, Ver: 9}, {Part: 0, Raw: 0, Key: -1},
		{Part: 0, Raw: 0, Key: 0, Ver: 0}, {Part: 0, Raw: 0, Key: 0, Ver: 1 << 63}, {Part: 0, Raw: 0, Key: 0, Ver: math.MaxUint64},
		{Part: 0, Raw: 0, Key: 1}, {Part: 0, Raw: math.MaxInt64}, {Part: 1, Raw: math.MinInt64},
	}
	for i, a := range list {
		for j, b := range list {
			if got, want := CompareRows(a, b), min(1, max(-1, i-j)); got != want {
				t.Errorf("CompareRows(%+v, %+v) = %d, want %d", a, b, got, want)
			}
		}
	}
	if CompareRows(Row{At: 1}, Row{At: 2}) != 0 {
		t.Error("At is part of the order")
	}
}
