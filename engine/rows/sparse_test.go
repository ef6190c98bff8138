package rows

import (
	"fmt"
	"testing"

	"reconcile/engine/rules"
)

// recordOf is the record of a row.
func recordOf(i int) string { return fmt.Sprintf("%02d", i) }

// A row that few rows of its chunk are like is kept without the others, and is the same.
func TestToKeep(t *testing.T) {
	batch, records := payload(100), EncodedRows{}
	var kept []rules.Row
	block := records.Block(200)
	for i := range 100 {
		copy(block[2*i:], recordOf(i))
		kept = append(kept, rules.Row{Key: int64(i), At: uint32(i)})
		records.Add(rules.Row{Key: int64(i), At: uint32(2 * i), Size: 2})
	}
	encoded := &Chunk{Rows: records.rows, block: records.slabs[0], Verdicts: NewVerdicts(100)}
	for _, ch := range []*Chunk{{Rows: kept, Batch: batch, Verdicts: NewVerdicts(100)}, encoded} {
		for i := 7; i < 100; i += 40 {
			ch.Verdicts.Set(i, rules.Shadow)
		}
		for i := range ch.Rows {
			got, at, err := ch.ToKeep(i)
			if err != nil {
				t.Fatal(err)
			}
			if few := ch.Verdict(i) == rules.Shadow; few == (got == ch) || few && len(got.Rows) != 3 {
				t.Errorf("row %d is kept as one of %d", i, len(got.Rows))
			}
			if got.Rows[at].Key != int64(i) {
				t.Errorf("row %d is kept as that of key %d", i, got.Rows[at].Key)
			}
			if ch.Encoded() {
				if record, err := got.Record(at); err != nil || string(record) != recordOf(i) {
					t.Errorf("row %d has the record %q, %v", i, record, err)
				}
			} else if is, want := line(got.Batch, got.Rows[at].At), line(batch, uint32(i)); is != want {
				t.Errorf("row %d is kept as %s, not %s", i, is, want)
			}
		}
	}
}
