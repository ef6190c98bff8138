package config

import (
	"fmt"
	"math"

	"github.com/hashicorp/hcl/v2"
)

const (
	// defaultMemory is memory_limit where neither the configuration nor the machine says less.
	defaultMemory = 1 << 30
	leastMemory   = 64 << 20
	// cgroupRest is the part of what a cgroup may take that memory_limit leaves, a fifth:
	// for the user mapping, and for files that are read and written.
	cgroupRest = 5
)

// loadMemory reads memory_limit, nil if there is none that can be used.
func (l *loader) loadMemory(a *hcl.Attribute) *setting[int64] {
	s := l.str(a, false)
	if s == nil {
		return nil
	}
	n, err := parseSize(s.value)
	switch {
	case err != nil:
		l.add(errorAt(s.rng, "Invalid memory limit", "%s.", err))
		return nil
	case n < leastMemory:
		l.add(errorAt(s.rng, "Invalid memory limit", "%q is too little to work in; the least is 64MiB, the default at most 1GiB.", s.value))
		return nil
	}
	return &setting[int64]{value: n, rng: s.rng}
}

// memoryLimit is how much memory a command has, in bytes: what is configured, nil for
// nothing, as far as the process may take that.
func (l *loader) memoryLimit(configured *setting[int64]) int64 {
	share := int64(math.MaxInt64)
	if l.opts.CgroupMemory > 0 {
		share = l.opts.CgroupMemory - l.opts.CgroupMemory/cgroupRest
	}
	limit := min(defaultMemory, share)
	little := "The cgroup of this process, as of its container or service, may take " + mebibytes(l.opts.CgroupMemory) + ". Allow it " + cgroupFor(leastMemory)
	if configured != nil {
		limit = configured.value
	}
	if n := l.runtimeMemory(); n < limit {
		limit, little = n, "GOMEMLIMIT is "+mebibytes(n)+". Let it be 256MiB"
	}
	switch {
	case limit < leastMemory:
		l.add(warnPlain("Little memory", "%s or more: this run has the least memory_limit, 64MiB, with which it takes up to 141 MB.", little))
		return leastMemory
	case configured != nil && limit > share:
		l.add(warnAt(configured.rng, "More memory than there is", "The cgroup of this process, as of its container or service, may take %s, and memory_limit is %s: the kernel ends what takes more. %s.",
			mebibytes(l.opts.CgroupMemory), mebibytes(limit), withinCgroup(limit, share)))
	}
	return limit
}

// withinCgroup says what to do about a limit that is above a cgroup's share.
func withinCgroup(limit, share int64) string {
	allow := "llow the cgroup " + cgroupFor(limit) + " or more"
	if share < leastMemory {
		return "A" + allow
	}
	return fmt.Sprintf("Let memory_limit be %s at most, which is 80 %% of that, or leave it out; or a%s", mebibytes(share), allow)
}

// cgroupFor is what a cgroup has to allow for a limit. A small one is not all that a
// process takes.
func cgroupFor(limit int64) string {
	const small = 256 << 20
	limit = max(limit, small)
	return mebibytes(limit + limit/(cgroupRest-1) + 1<<20 - 1)
}

// runtimeMemory is the limit that the environment gives the runtime of Go, which ends a
// program at once if it cannot read it. An empty one and "off" are none.
func (l *loader) runtimeMemory() int64 {
	text, _ := l.opts.Env("GOMEMLIMIT")
	n, err := parseSize(text)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// mebibytes writes a size as a configuration has it.
func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }
