package main

import (
	"math"
	"runtime/debug"
	"testing"

	"reconcile/config"
)

// TestLimitMemory is about what the runtime is told for a memory_limit and a user mapping.
func TestLimitMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	for _, c := range []struct {
		limit    int64
		mappings int
		want     int64 // nine tenths of what may be resident without the program, and the mapping
	}{
		{64 << 20, 0, (64<<20 + 40_000_000) / 100 * 90},
		{256 << 20, 0, (224 << 20) / 100 * 90},
		{1 << 30, 1e6, (992<<20)/100*90 + 40_000_000},
	} {
		(&session{}).limitMemory(&config.Config{MemoryLimit: c.limit}, c.mappings)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%d bytes and %d mappings: the runtime may use %d, want %d", c.limit, c.mappings, got, c.want)
		}
	}
}
