package engine

import (
	"testing"

	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// What waits for a row group is counted with the columns that it becomes: records of
// many nulls are short, and their columns are not.
func TestPickerCountsColumns(t *testing.T) {
	var pack rows.Pack
	n := copy(pack.Block(10), "0123456789")
	pack.Add(rows.Row{Size: uint32(n)})
	ch := pack.Seal().Part(0)
	p := picker{plans: plans{schema: &schema{Schema: rules.Schema{Payload: make([]rules.Column, 300)}}}}
	p.add(ch, 0)
	p.add(ch, 0)
	if p.bytes != 2*(10+300*codeSize) {
		t.Errorf("%d bytes wait", p.bytes)
	}
	if p.reset(); p.bytes != 0 {
		t.Errorf("%d bytes wait after a reset", p.bytes)
	}
}
