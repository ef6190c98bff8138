package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestMemoryLimit is about the lesser of what is configured and what the process may take.
func TestMemoryLimit(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for name, c := range map[string]struct {
		configured string // "" for nothing
		cgroup     int64  // 0 for no limit
		runtime    string // GOMEMLIMIT
		want       int64
		warnings   []string // parts of the only warning
	}{
		"nothing":                          {want: gib},
		"a large cgroup":                   {cgroup: 8 * gib, want: gib},
		"one that is just large enough":    {cgroup: 1280 * mib, want: gib},
		"a small cgroup":                   {cgroup: 1000 * 1000 * 1000, want: 800 * 1000 * 1000},
		"a tiny cgroup":                    {cgroup: 50 * mib, want: 64 * mib, warnings: []string{"Little memory", "may take 50MiB. Allow it 320MiB or more"}},
		"the least cgroup":                 {cgroup: 80 * mib, want: 64 * mib},
		"configured":                       {configured: "2GiB", want: 2 * gib},
		"configured within the cgroup":     {configured: "2GiB", cgroup: 2560 * mib, want: 2 * gib},
		"configured as the cgroup":         {configured: "2GiB", cgroup: 2 * gib, want: 2 * gib, warnings: []string{"main.hcl line 6", "may take 2048MiB, and memory_limit is 2048MiB", "be 1638MiB at most", "allow the cgroup 2560MiB or more"}},
		"configured in too small a cgroup": {configured: "64MiB", cgroup: 64 * mib, want: 64 * mib, warnings: []string{"memory_limit is 64MiB: the kernel", "more. Allow the cgroup 320MiB or more."}},
		"the runtime allows more":          {configured: "512MiB", runtime: "1GiB", want: 512 * mib},
		"the runtime allows less":          {configured: "512MiB", runtime: "300000000", want: 300000000},
		"the default is capped":            {runtime: "300MiB", want: 300 * mib},
		"capped below the cgroup's share":  {configured: "2GiB", cgroup: gib, runtime: "512MiB", want: 512 * mib},
		"capped above the cgroup's share":  {configured: "2GiB", cgroup: gib, runtime: "1000MiB", want: 1000 * mib, warnings: []string{"may take 1024MiB, and memory_limit is 1000MiB"}},
		"no limit of the runtime":          {runtime: "off", want: gib},
		"an empty one":                     {runtime: "", want: gib},
		"a tiny limit of the runtime":      {cgroup: 4 * gib, configured: "2GiB", runtime: "10MiB", want: 64 * mib, warnings: []string{"Little memory", "GOMEMLIMIT is 10MiB. Let it be 256MiB or more"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := head
			if c.configured != "" {
				text += fmt.Sprintf("reconcile {\n  memory_limit = %q\n}\n", c.configured)
			}
			env := func(name string) (string, bool) { return c.runtime, name == "GOMEMLIMIT" }
			cfg, out := loadText(t, text, Options{Version: "devel", Env: env, CgroupMemory: c.cgroup})
			if cfg == nil {
				t.Fatal(out)
			}
			if cfg.MemoryLimit != c.want {
				t.Errorf("the limit is %d, want %d", cfg.MemoryLimit, c.want)
			}
			if n := strings.Count(out, "Warning: "); n != min(len(c.warnings), 1) {
				t.Errorf("%d warnings:\n%s", n, out)
			}
			words := strings.Join(strings.Fields(out), " ")
			for _, part := range c.warnings {
				if !strings.Contains(words, part) {
					t.Errorf("no %q in:\n%s", part, out)
				}
			}
		})
	}
}
