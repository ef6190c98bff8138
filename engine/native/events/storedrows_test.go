package events

import (
	"testing"

	"reconcile/engine/rules"
)

// What is collected is counted as the segment is that it becomes.
func TestBuilderCountsRows(t *testing.T) {
	s := rules.Schema{Payload: []rules.Column{{Name: "name"}, {}}}
	b := &builder{cols: s.EmptyPayload(), rows: make([]rules.Row, 100, 120)}
	before := b.memory()
	if after := b.segment().Memory(); before != after {
		t.Errorf("%d bytes became a segment of %d", before, after)
	}
}
