package measure

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// Machine describes what this runs on, in one line; what cannot be found out is
// left out.
func Machine() string {
	parts := []string{fmt.Sprintf("%d processors", runtime.NumCPU())}
	if m := find("/proc/cpuinfo", `(?m)^model name\s*:\s*(.*)$`); m != "" {
		parts[0] += " (" + m + ")"
	}
	if m := find("/proc/meminfo", `(?m)^MemTotal:\s*(\d+) kB`); m != "" {
		var kb float64
		_, _ = fmt.Sscan(m, &kb)
		parts = append(parts, fmt.Sprintf("%.0f GiB of memory", kb/(1<<20)))
	}
	system := runtime.GOOS + "/" + runtime.GOARCH
	if m := find("/proc/sys/kernel/osrelease", `^(\S+)`); m != "" {
		system += " " + m
	}
	parts = append(parts, system, runtime.Version())
	if m := Load(); m != "" {
		parts = append(parts, "load "+m+" at the start")
	}
	return strings.Join(parts, ", ")
}

// Load returns how many processes were running or waiting in the last minute.
func Load() string { return find("/proc/loadavg", `^(\S+)`) }

func find(file, pattern string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	m := regexp.MustCompile(pattern).FindSubmatch(data)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(string(m[1]))
}
