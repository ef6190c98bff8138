package exec

import "testing"

func TestResident(t *testing.T) {
	const mib = 1 << 20
	for limit, want := range map[int64]int64{
		64 * mib:   96*mib + 40e6,
		128 * mib:  192*mib + 40e6,
		200 * mib:  256 * mib, // and not 300 MiB and 40 MB
		256 * mib:  256 * mib,
		1024 * mib: 1024 * mib,
		1 << 62:    1 << 62,
	} {
		if got := Resident(limit); got != want {
			t.Errorf("of %d MiB: %d, want %d", limit/mib, got, want)
		}
	}
}
