// Package cgroup tells how much memory the kernel lets this process have.
package cgroup

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// MemoryLimit returns the most memory in bytes that the cgroups of this process may take,
// on a machine with that root folder: the least of what its own cgroup and those above it
// are limited to, in version 1 and version 2. It is 0 where nothing is limited, or where
// limits cannot be read, as on systems without cgroups.
func MemoryLimit(root fs.FS) int64 {
	limit, mounts := int64(math.MaxInt64), readMounts(root)
	for _, g := range readGroups(root) {
		for _, m := range mountsOf(g, mounts) {
			for dir := m.folder(g); ; dir = path.Dir(dir) {
				limit = min(limit, limitOf(root, dir, g.unified))
				if len(dir) <= len(m.point) {
					break
				}
			}
		}
	}
	if limit >= unlimited {
		return 0
	}
	return limit
}

// unlimited is less than what version 1 says where there is no limit: as many pages as can
// be counted.
const unlimited = math.MaxInt64 / 2

// group is the cgroup of the process in one hierarchy that can limit memory.
type group struct {
	unified bool // of version 2
	path    string
}

// readGroups reads the lines of /proc/self/cgroup, as "4:memory:/a" and "0::/a".
func readGroups(root fs.FS) []group {
	var groups []group
	for line := range lines(root, "proc/self/cgroup") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) < 3 {
			continue
		}
		unified := parts[0] == "0" && parts[1] == ""
		if unified || slices.Contains(strings.Split(parts[1], ","), "memory") {
			groups = append(groups, group{unified, path.Clean(parts[2])})
		}
	}
	return groups
}

// mount is where a hierarchy that can limit memory is seen, from one of its cgroups on.
type mount struct {
	unified bool
	top     string // the cgroup that is seen
	point   string // the folder where, as in an fs.FS
}

// readMounts reads the lines of /proc/self/mountinfo, as
// "32 31 0:29 /top /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory".
func readMounts(root fs.FS) []mount {
	var mounts []mount
	for line := range lines(root, "proc/self/mountinfo") {
		left, right, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(left), strings.Fields(right)
		if len(where) < 5 || len(what) < 3 {
			continue
		}
		unified := what[0] == "cgroup2"
		if unified || what[0] == "cgroup" && slices.Contains(strings.Split(what[2], ","), "memory") {
			point := path.Clean(strings.TrimPrefix(unescape(where[4]), "/"))
			mounts = append(mounts, mount{unified, path.Clean(unescape(where[3])), point})
		}
	}
	return mounts
}

// unescape undoes what mountinfo does to paths.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// mountsOf are the mounts that show a cgroup. Without any, as where a container does not
// know by which name it is seen, they are all of its hierarchy.
func mountsOf(g group, mounts []mount) []mount {
	var all, showing []mount
	for _, m := range mounts {
		if m.unified != g.unified {
			continue
		}
		all = append(all, m)
		if _, ok := m.below(g); ok {
			showing = append(showing, m)
		}
	}
	if len(showing) > 0 {
		return showing
	}
	return all
}

// below is the path of a cgroup below the one that the mount shows.
func (m mount) below(g group) (rest string, ok bool) {
	if g.path == m.top {
		return "", true
	}
	rest, ok = strings.CutPrefix(g.path, strings.TrimSuffix(m.top, "/")+"/")
	return rest, ok && rest != ".." && !strings.HasPrefix(rest, "../")
}

// folder is the folder of a cgroup, or of what the mount shows.
func (m mount) folder(g group) string {
	if rest, ok := m.below(g); ok {
		return path.Join(m.point, rest)
	}
	return m.point
}

// limitOf is the limit of one cgroup. One that may not take more without being slowed down,
// as by memory.high, has that limit. Version 1 says, too, what those above it allow, which
// a container does not see.
func limitOf(root fs.FS, dir string, unified bool) int64 {
	if unified {
		return min(number(root, dir, "memory.max"), number(root, dir, "memory.high"))
	}
	limit := number(root, dir, "memory.limit_in_bytes")
	for line := range lines(root, path.Join(dir, "memory.stat")) {
		if text, ok := strings.CutPrefix(line, "hierarchical_memory_limit "); ok {
			limit = min(limit, parse(text))
		}
	}
	return limit
}

func number(root fs.FS, dir, name string) int64 {
	b, err := fs.ReadFile(root, path.Join(dir, name))
	if err != nil {
		return math.MaxInt64
	}
	return parse(string(b))
}

// parse reads a limit. What is no number, as "max", is none.
func parse(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 {
		return math.MaxInt64
	}
	return n
}

// lines are those of a file, none of one that cannot be read.
func lines(root fs.FS, name string) func(yield func(string) bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(string(b), "\n")
}
