package exec

const (
	// exactFrom is the least memory_limit that bounds resident memory by itself.
	exactFrom = 256 << 20
	// below it a process may take half as much again, and as much as this.
	smallExtra = 40e6
)

// Resident is the most memory, in bytes, that a process with a memory_limit has resident.
// From 256 MiB on that is the limit itself. Below, what a program takes whatever it works
// on has no room in the limit: there it is 1.5 times the limit and 40 MB, but no more than
// at 256 MiB. About 40 bytes for each entry of the user mapping are on top.
func Resident(limit int64) int64 {
	if limit >= exactFrom {
		return limit
	}
	return min(limit+limit/2+smallExtra, exactFrom)
}
