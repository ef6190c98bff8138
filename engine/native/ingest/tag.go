package ingest

import (
	"reconcile/internal/blob"
)

// tagOf is what a file is recorded by besides its size: its ETag, where there is
// one. Times and inodes change with every copy.
func tagOf(o blob.Object, tagged bool) string {
	if !tagged {
		return ""
	}
	return o.Pin
}
