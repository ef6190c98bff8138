//go:build unix

package measure

import (
	"os"
	"runtime"
	"syscall"
)

// peakBytes returns the most memory that a process had resident.
func peakBytes(p *os.ProcessState) int64 {
	r, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(r.Maxrss)
	}
	return int64(r.Maxrss) << 10
}
