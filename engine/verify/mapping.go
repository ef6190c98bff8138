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
	p, out := j.people, j.out.Sinks[at]
	sk, files, err := filesIn(ctx, j.lake, j.a, at, out)
	if err != nil {
		return err
	}
	knows := func(name string) bool {
		for _, c := range l.Columns {
			if c.Name == name {
				return true
			}
		}
		return false
	}
	seen := map[int64]bool{}
	for _, f := range files {
		choose := func(b *column.Batch) (rows []uint32, err error) {
			for i := range b.N {
				if j.sample.has(p.of(b.Cols[l.From].Ints[i])) {
					rows = append(rows, uint32(i))
				}
			}
			return rows, nil
		}
		take := func(b *column.Batch, _ int, _ []uint32) error {
			out.Rows += int64(b.N)
			for i := range b.N {
				from := b.Cols[l.From].Ints[i]
				e, ok := p.chosen[from]
				switch {
				case !ok:
					out.add(Difference{Kind: Extra, User: from})
				case seen[from]:
					out.add(Difference{Kind: Doubled, User: from})
				default:
					seen[from] = true
					if columns := differMapping(l, b, i, e, p.of(from), j.a.record.MappingDump); len(columns) > 0 {
						out.add(Difference{Kind: Different, User: from, Columns: columns})
					}
				}
			}
			return nil
		}
		if err := j.published(ctx, sk, f, l.Columns, 1, knows, out, choose, take); err != nil {
			return err
		}
	}
	for _, from := range slices.Sorted(maps.Keys(p.chosen)) {
		if j.sample.has(j.people.of(from)) && !seen[from] {
			out.add(Difference{Kind: Missing, User: from})
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
