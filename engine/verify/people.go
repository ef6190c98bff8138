package verify

import (
	"cmp"
	"context"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// people says who is one user: the mapping of a dump, followed to the end.
type people struct {
	chosen map[int64]entry
	canon  map[int64]int64 // of those that are mapped
}

// entry is one entry of a mapping.
type entry struct {
	to      int64
	time    int64
	hasTime bool
	file    int
	row     int64
}

// later reports whether an entry of a user counts rather than another one of it: by time,
// null lowest, then by its place in the dump.
func (e entry) later(o entry) bool {
	if e.hasTime != o.hasTime {
		return e.hasTime
	}
	return cmp.Or(cmp.Compare(e.time, o.time), cmp.Compare(e.file, o.file), cmp.Compare(e.row, o.row)) > 0
}

func (p *people) add(from int64, e entry) {
	if old, ok := p.chosen[from]; !ok || e.later(old) {
		p.chosen[from] = e
	}
}

// follow finds the end of each chain. The members of a cycle, and what leads into it, are
// its smallest id; an entry that maps a user to itself says nothing.
func (p *people) follow() {
	p.canon = make(map[int64]int64, len(p.chosen))
	at := map[int64]int{} // on the path
	var path []int64
	for from := range p.chosen {
		clear(at)
		path = path[:0]
		end := from
		for {
			if known, ok := p.canon[end]; ok {
				end = known
				break
			}
			if i, ok := at[end]; ok {
				end = slices.Min(path[i:])
				break
			}
			e, ok := p.chosen[end]
			if !ok || e.to == end {
				break
			}
			at[end] = len(path)
			path = append(path, end)
			end = e.to
		}
		for _, u := range path {
			p.canon[u] = end
		}
	}
}

// of is the canonical user of a raw one.
func (p *people) of(raw int64) int64 {
	if to, ok := p.canon[raw]; ok {
		return to
	}
	return raw
}

// people reads the mapping that a table stands at from the source. Where the source lacks
// it, the entries are those that the state keeps, and the table says so.
func peopleOf(ctx context.Context, src *source, t *state.Table, unit column.TimeUnit, kept stateMapping) (*people, string, error) {
	p := &people{chosen: map[int64]entry{}}
	if !t.HasMapping {
		p.follow()
		return p, "", nil
	}
	why := src.cannotRead(t.MappingDump, feed.TableMapping)
	if why == "" {
		d := src.listing.Dump(t.MappingDump)
		err := p.read(ctx, src, unit, d.Entry(feed.TableMapping))
		if err == nil {
			p.follow()
			return p, "", nil
		}
		if why = goneReason(err); why == "" {
			return nil, "", err
		}
		clear(p.chosen)
	}
	err := kept(ctx, t.Mapping, func(from, to int64, time *int64) {
		e := entry{to: to}
		if time != nil {
			e.time, e.hasTime = *time, true
		}
		p.add(from, e)
	})
	p.follow()
	return p, why, err
}

// stateMapping gives the entries of a mapping that the state keeps.
type stateMapping func(ctx context.Context, ref state.Ref, each func(from, to int64, time *int64)) error

// read reads the entries that a dump delivers.
func (p *people) read(ctx context.Context, src *source, unit column.TimeUnit, e *dump.Entry) error {
	schema := rules.DeliveredMapping(unit)
	from, to, time := schema.ByID(feed.FromUserID), schema.ByID(feed.ToUserID), schema.ByID(feed.Time)
	i := -1
	for key, err := range e.Files.All() {
		if err != nil {
			return err
		}
		i++
		first := int64(0)
		file := sourceFile{index: i, size: -1, key: key, names: rules.FileNames{Columns: e.Columns, HasColumns: e.HasColumns}}
		err := src.eachSlice(ctx, schema, &file, func(cols []column.Column, n int) {
			for row := range n {
				if cols[from].IsNull(row) || cols[to].IsNull(row) {
					continue
				}
				x := entry{to: cols[to].Ints[row], file: i, row: first + int64(row)}
				if !cols[time].IsNull(row) {
					x.time, x.hasTime = cols[time].Ints[row], true
				}
				p.add(cols[from].Ints[row], x)
			}
			first += int64(n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
