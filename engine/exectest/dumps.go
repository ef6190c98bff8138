package exectest

import (
	"fmt"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
)

// Short names for what nearly every case writes.
var (
	dumpOf      = enginetest.DumpOf
	full        = enginetest.Full
	more        = enginetest.More
	withColumns = enginetest.WithColumns
	part        = enginetest.Part
	row         = enginetest.Row
)

// events is a part file of so many events from some id on, a few on each of 28 days.
func events(first, n int) *model.File {
	f := part("event_id user_id time path email")
	f.BlockRows = 64
	for i := range n {
		id := first + i
		f.Rows = append(f.Rows, row(id, id%50, fmt.Sprintf("2026-01-%02d 10:00:00", 1+id%28), fmt.Sprintf("/p%d", id%100), fmt.Sprintf("u%d@example.org", id%50)))
	}
	return f
}
