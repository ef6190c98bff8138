package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// mapping verifies user_migrations: a row for each user that the mapping maps, the chosen
// entry, with the canonical user. A user is in the sample if its canonical user is.
func (j *job) mapping(ctx context.Context) error {
	l := rules.PublishedMapping()
	for from := range j.people.chosen {
		if j.sample.has(j.people.of(from)) {
			j.out.Rows++
		}
	}
	if j.a.record.HasMapping {
		j.out.Dumps = 1
	}
	for at := range j.a.record.Sinks {
		if err := j.mappingIn(ctx, at, l); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) mappingIn(ctx context.Context, at int, l *rules.MappingLayout) error {
	out := j.out.Sinks[at]
	sk, files, err := filesIn(ctx, j.lake, j.a, at, out)
	if err != nil {
		return err
	}
	known := func(name string) bool {
		return slices.ContainsFunc(l.Columns, func(c column.Column) bool { return c.Name == name })
	}
	c := &mappingChooser{job: j, layout: l, out: out, seen: map[int64]bool{}}
	r := rowsReader{want: l.Columns, names: 1, most: j.part, known: known}
	if err := j.published(ctx, sk, files, r, 1, out, func() chooser { return c }); err != nil {
		return err
	}
	for _, from := range slices.Sorted(maps.Keys(j.people.chosen)) {
		if j.sample.has(j.people.of(from)) && !c.seen[from] {
			out.add(Difference{Kind: Missing, User: from})
		}
	}
	return nil
}

// mappingChooser compares the published rows of a mapping with its entries.
type mappingChooser struct {
	*job
	layout *rules.MappingLayout
	out    *Sink
	seen   map[int64]bool
}

func (c *mappingChooser) begin(*dataFile) {}

func (c *mappingChooser) end() error { return nil }

func (c *mappingChooser) choose(b *column.Batch) (rows []uint32, err error) {
	for i := range b.N {
		if c.sample.has(c.people.of(b.Cols[c.layout.From].Ints[i])) {
			rows = append(rows, uint32(i))
		}
	}
	return rows, nil
}

func (c *mappingChooser) take(b *column.Batch, _ int, _ []uint32) error {
	c.out.count(b.N)
	for i := range b.N {
		from := b.Cols[c.layout.From].Ints[i]
		e, ok := c.people.chosen[from]
		switch {
		case !ok:
			c.out.add(Difference{Kind: Extra, User: from})
		case c.seen[from]:
			c.out.add(Difference{Kind: Doubled, User: from})
		default:
			c.seen[from] = true
			if columns := differMapping(c.layout, b, i, e, c.people.of(from), c.a.record.MappingDump); len(columns) > 0 {
				c.out.add(Difference{Kind: Different, User: from, Columns: columns})
			}
		}
	}
	return nil
}

// differMapping names the columns in which a row is not the entry.
func differMapping(l *rules.MappingLayout, b *column.Batch, row int, e entry, canon, dump int64) []Value {
	var out []Value
	number := func(name string, at int, want int64) {
		if c := &b.Cols[at]; c.IsNull(row) || c.Ints[row] != want {
			x := fmt.Sprint(want)
			out = append(out, Value{name, &x, shown(c, row)})
		}
	}
	number(feed.ToUserID, l.To, e.to)
	number(feed.CanonicalUserID, l.Canonical, canon)
	number(feed.DumpID, l.Dump, dump)
	want := &column.Column{Type: l.Columns[l.Time].Type}
	if e.hasTime {
		want.AppendInt(e.time)
	} else {
		want.AppendNulls(1)
	}
	if x, y := shown(want, 0), shown(&b.Cols[l.Time], row); !sameText(x, y) {
		out = append(out, Value{feed.Time, x, y})
	}
	return out
}
