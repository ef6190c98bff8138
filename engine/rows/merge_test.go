package rows

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"reconcile/engine/rules"
)

func list(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	if files := list(t, dir); len(files) > 0 {
		t.Errorf("%d files are left in the scratch folder", len(files))
	}
}

// chunks is a cursor over rows in chunks, which may be empty.
type chunks struct {
	rows     []rules.Row
	verdicts Verdicts
	sizes    []int
	pos      int
	fail     error // in the place of the end
	closed   int
	closeErr error
}

func (c *chunks) Next(context.Context) (*Chunk, error) {
	if len(c.sizes) == 0 {
		return nil, c.fail
	}
	n := c.sizes[0]
	c.sizes = c.sizes[1:]
	ch := &Chunk{Rows: c.rows[c.pos : c.pos+n], Verdicts: c.verdicts, First: c.pos}
	c.pos += n
	return ch, nil
}

func (c *chunks) Close() error {
	c.closed++
	return c.closeErr
}

// cursorOf cuts sorted rows into chunks at random.
func cursorOf(r *rand.Rand, rs []rules.Row) *chunks {
	slices.SortFunc(rs, rules.CompareRows)
	c := &chunks{rows: rs, verdicts: NewVerdicts(len(rs))}
	for left := len(rs); left > 0; {
		n := min(r.IntN(5), left)
		c.sizes = append(c.sizes, n)
		left -= n
	}
	return c
}

// Merge gives all rows of all cursors but dropped ones, in the order of
// (raw user, key), each from the chunk that it is in.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 200 {
		var cursors []Cursor
		var all []*chunks
		var want []rules.Row
		for range r.IntN(5) {
			var rs []rules.Row
			for range r.IntN(20) {
				rs = append(rs, rules.Row{Raw: r.Int64N(6) - 3, Key: r.Int64N(9) - 4, Ver: r.Uint64()})
			}
			c := cursorOf(r, rs)
			for i := range c.rows {
				v := rules.Verdict(r.IntN(3))
				c.verdicts.Set(i, v)
				if v != rules.Drop {
					want = append(want, c.rows[i])
				}
			}
			cursors, all = append(cursors, c), append(all, c)
		}
		var got []rules.Row
		err := Merge(t.Context(), cursors, func(ch *Chunk, i int) error {
			if ch.Verdict(i) == rules.Drop {
				t.Error("a dropped row is emitted")
			}
			got = append(got, ch.Rows[i])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(got, func(a, b rules.Row) int { a.Ver, b.Ver = 0, 0; return rules.CompareRows(a, b) }) {
			t.Errorf("not in order: %+v", got)
		}
		slices.SortFunc(got, rules.CompareRows)
		slices.SortFunc(want, rules.CompareRows)
		if !slices.Equal(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		for _, c := range all {
			if c.closed != 1 {
				t.Errorf("a cursor was closed %d times", c.closed)
			}
		}
	}
}

// Whatever fails, it is returned and every cursor is closed.
func TestMergeFails(t *testing.T) {
	broken, unclosed := errors.New("broken"), errors.New("unclosed")
	row := func() []rules.Row { return []rules.Row{{Raw: 1, Key: 1}} }
	good := func() *chunks { return &chunks{rows: row(), verdicts: NewVerdicts(1), sizes: []int{1}} }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		cursors []*chunks
		emit    error
		want    error
	}{
		"at the first row": {t.Context(), []*chunks{good(), {fail: broken}}, nil, broken},
		"at the end":       {t.Context(), []*chunks{good(), {rows: row(), verdicts: NewVerdicts(1), sizes: []int{1}, fail: broken}}, nil, broken},
		"emitting":         {t.Context(), []*chunks{good(), good()}, broken, broken},
		"closing":          {t.Context(), []*chunks{good(), {closeErr: unclosed}}, nil, unclosed},
		"cancelled":        {ended, []*chunks{good()}, nil, context.Canceled},
	} {
		var cursors []Cursor
		for _, x := range c.cursors {
			cursors = append(cursors, x)
		}
		err := Merge(c.ctx, cursors, func(*Chunk, int) error { return c.emit })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
		for i, x := range c.cursors {
			if x.closed != 1 {
				t.Errorf("%s: cursor %d was closed %d times", name, i, x.closed)
			}
		}
	}
}
