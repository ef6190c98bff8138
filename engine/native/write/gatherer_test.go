package write

import (
	"testing"

	"reconcile/engine/decode"
	"reconcile/engine/native/ingest"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// What waits for a row group is counted with the columns that it becomes: records of
// many nulls are short, and their columns are not.
func TestPickerCountsColumns(t *testing.T) {
	var pack rows.EncodedRows
	n := copy(pack.Block(10), "0123456789")
	pack.Add(rules.Row{Size: uint32(n)})
	ch := pack.Seal().Part(0)
	p := Gatherer{Plans: ingest.Plans{Schema: &decode.Schema{Schema: rules.Schema{Payload: make([]rules.Column, 300)}}}}
	p.AddRow(ch, 0)
	p.AddRow(ch, 0)
	if p.Bytes != 2*(10+300*codeSize) {
		t.Errorf("%d bytes wait", p.Bytes)
	}
	if p.Reset(); p.Bytes != 0 {
		t.Errorf("%d bytes wait after a reset", p.Bytes)
	}
}
