package rows

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"reconcile/engine/rules"
)

// watched counts how often a cursor is closed.
type watched struct {
	Cursor
	records bool // its rows have records in place of a batch
	closed  int
}

func (c *watched) Next(ctx context.Context) (*Chunk, error) {
	ch, err := c.Cursor.Next(ctx)
	if err != nil || ch == nil || !c.records {
		return ch, err
	}
	out := &Chunk{Rows: slices.Clone(ch.Rows), Verdicts: ch.Verdicts, First: ch.First}
	records := make([][]byte, len(out.Rows))
	for i := range records {
		records[i] = appendValues(nil, ch.Batch, int(out.Rows[i].At))
	}
	out.SetRecords(types, records)
	return out, nil
}

func (c *watched) Close() error {
	c.closed++
	return c.Cursor.Close()
}

// What is spooled is what was read, without dropped rows. While it is read, only the
// scratch file is open.
func TestSpooled(t *testing.T) {
	for _, records := range []bool{false, true} {
		for _, block := range []ScratchBlock{{1, 1 << 20}, {7, 1 << 20}, {5000, 1 << 20}, {5000, 1}} { // the last makes every row a long one
			t.Run(fmt.Sprint(records, block), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 1))
				rs, batch := some(r, 300)
				s := NewSegment(rs, batch)
				for i := range s.Len() {
					s.Verdicts.Set(i, rules.Verdict(r.IntN(3)))
				}
				var want []string
				for _, f := range readPart(t, s, 3) {
					if f.verdict != rules.Drop {
						want = append(want, fmt.Sprint(f))
					}
				}
				dir := t.TempDir()
				from := &watched{Cursor: s.Open(3), records: records}
				c := &Spooled{From: from, Part: 3, Rows: 300, Columns: types, Dir: dir, Block: block}
				var got []string
				for {
					ch, err := c.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if ch == nil {
						break
					}
					for i, row := range ch.Rows {
						kept, at, err := ch.ToKeep(i)
						if err != nil {
							t.Fatal(err)
						}
						f := full{row, text(t, kept, at), ch.Verdict(i)}
						f.row.At, f.row.Size = 0, 0
						got = append(got, fmt.Sprint(f))
					}
					if from.closed != 1 || len(list(t, dir)) != 1 {
						t.Errorf("what was read is closed %d times, and there are %d files", from.closed, len(list(t, dir)))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d rows instead of %d, or others", len(got), len(want))
				}
				if err := c.Close(); err != nil || from.closed != 1 {
					t.Errorf("%v, closed %d times", err, from.closed)
				}
				checkEmpty(t, dir)
			})
		}
	}
}

// What cannot be read, or was not asked for, leaves no file and nothing open.
func TestSpooledEndsEarly(t *testing.T) {
	dir := t.TempDir()
	wrong := errors.New("damaged")
	for name, from := range map[string]*chunks{"damaged": {fail: wrong}, "not asked for": {}} {
		c := &Spooled{From: from, Part: 3, Columns: types, Dir: dir, Block: testBlock}
		if from.fail != nil {
			if _, err := c.Next(t.Context()); !errors.Is(err, wrong) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := c.Close(); err != nil || from.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, from.closed)
		}
		checkEmpty(t, dir)
	}
	c := &Spooled{From: &chunks{}, Part: 3, Columns: types, Dir: dir, Block: testBlock}
	if ch, err := c.Next(t.Context()); ch != nil || err != nil {
		t.Errorf("no rows: %v, %v", ch, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	checkEmpty(t, dir)
}
