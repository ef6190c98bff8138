package events

import (
	"testing"

	"reconcile/engine/native/ingest"
	"reconcile/engine/rules"
)

// What is collected is counted as the segment is that it becomes.
func TestBuilderCountsRows(t *testing.T) {
	b := newBuilder(&ingest.Schema{Schema: rules.Schema{Payload: []rules.Column{{Name: "name"}, {}}}})
	b.rows = make([]rules.Row, 100, 120)
	before := b.memory()
	if after := b.seal().Memory(); before != after {
		t.Errorf("%d bytes became a segment of %d", before, after)
	}
}
