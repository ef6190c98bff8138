package sinks

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
)

// AttemptName makes a name for an attempt that no other ever had. It begins with the
// generation of the lease under which it is made, 0 for a lock that has none.
func AttemptName(generation uint64) string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return strconv.FormatUint(generation, 10) + "-" + hex.EncodeToString(b[:])
}

// AttemptGeneration returns the generation that a name of an attempt begins with, 0 if
// it has none, as those of earlier versions.
func AttemptGeneration(name string) uint64 {
	text, _, ok := strings.Cut(name, "-")
	n, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n
}
