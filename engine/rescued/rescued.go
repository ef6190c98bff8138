// Package rescued counts, by column, what tables could not take as it was delivered: the
// values that are kept in _rescued_data because they did not cast, and the rows in the
// quarantine that lack a key.
//
// Nobody keeps these numbers: a mapping, a resync or a rebuild changes which rows are
// published. They are read from the data files and the quarantine, and so are exact for
// the state at one moment. It writes nothing, takes no lock, and shows no value.
package rescued

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/inspect"
	"reconcile/engine/lake"
	"reconcile/engine/rowfile"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Reader counts in the lake of a state.
type Reader struct {
	Inspect *inspect.Reader
	Lake    *lake.Lake
}

// Table is what was counted of one table.
type Table struct {
	Name        string
	Rows        int64 // published
	Rescued     int64 // of these, rows with a rescued value
	Quarantined int64 // rows
	Columns     []Column
}

// Column is a delivered column of which something was counted.
type Column struct {
	Delivered string // as the files of its rows have it
	// Published are the columns of the table that such a name may be of: mostly one. Where
	// a name was a spelling of one column in earlier dumps, and is a column of its own now,
	// the rows do not tell.
	Published   []string
	Rescued     int64 // values
	Quarantined int64 // rows that lack it
}

// tries is how often a table is read that applies change meanwhile.
const tries = 3

// Count counts in a table, or in all tables by name if it is empty.
func (r *Reader) Count(ctx context.Context, table string) ([]Table, error) {
	for try := 1; ; try++ {
		out, serial, err := r.countNow(ctx, table)
		if err == nil || try == tries || ctx.Err() != nil {
			return out, err
		}
		if now, serr := r.Inspect.Store.Serial(ctx); serr != nil || now == serial {
			return out, err
		}
	}
}

func (r *Reader) countNow(ctx context.Context, table string) (_ []Table, serial uint64, err error) {
	snap, err := r.Inspect.Store.Load(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	r.Inspect.Declared.ResolveRoots(snap)
	bad, err := r.quarantined(ctx, table)
	if err != nil {
		return nil, snap.Serial, err
	}
	var out []Table
	names := map[string]bool{} // rows of the mapping can be in the quarantine without a table
	for _, name := range slices.Concat(slices.Collect(maps.Keys(snap.Tables)), slices.Collect(maps.Keys(bad))) {
		names[name] = table == "" || name == table
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !names[name] {
			continue
		}
		c := &counter{table: snap.Tables[name]}
		if c.table == nil {
			c.table = &state.Table{Name: name}
		}
		if err := r.read(ctx, c, snap.Partitions[name]); err != nil {
			return nil, snap.Serial, fmt.Errorf("table %s: %w", name, err)
		}
		out = append(out, c.result(bad[name]))
	}
	return out, snap.Serial, nil
}

// quarantined counts the rows in the quarantine by table and column.
func (r *Reader) quarantined(ctx context.Context, table string) (map[string]map[string]int64, error) {
	out := map[string]map[string]int64{}
	return out, r.Inspect.Quarantine(ctx, table, func(row inspect.Row) error {
		if out[row.Table] == nil {
			out[row.Table] = map[string]int64{}
		}
		key, _, _ := strings.Cut(row.Reason, " is ") // the key that it lacks stands first
		out[row.Table][key]++
		return nil
	})
}

// read reads the files of a table in the first of its sinks that has them.
func (r *Reader) read(ctx context.Context, c *counter, parts []*state.Partition) error {
	var failed []error
	for i, s := range c.table.Sinks {
		c.rows, c.values = 0, map[string]int64{}
		err := r.readIn(ctx, c, s.Root, i, parts)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (r *Reader) readIn(ctx context.Context, c *counter, root string, at int, parts []*state.Partition) error {
	sink, err := r.Lake.Open(ctx, root)
	if err != nil {
		return err
	}
	want := []column.Column{{Name: feed.RescuedData}}
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink != at {
				continue
			}
			rd, err := sink.Open(ctx, f.Path, f.Pin, want)
			if err == nil {
				err = rowfile.EachBatch(ctx, rd, c.count)
			}
			if err != nil {
				return fmt.Errorf("%s in %s: %w", f.Path, root, err)
			}
		}
	}
	return nil
}

// counter counts in one table.
type counter struct {
	table  *state.Table
	rows   int64            // with a rescued value
	values map[string]int64 // by delivered name
}

func (c *counter) count(b *column.Batch) error {
	col := b.Col(feed.RescuedData)
	for i := range b.N {
		if col.IsNull(i) {
			continue
		}
		items, err := column.SplitRescue(col.Bytes(i))
		if err != nil {
			return fmt.Errorf("%s: %w", feed.RescuedData, err)
		}
		c.rows++
		for _, it := range items {
			c.values[it.Name]++
		}
	}
	return nil
}

// result is what was counted, by column.
func (c *counter) result(bad map[string]int64) Table {
	out := Table{Name: c.table.Name, Rows: c.table.Rows, Rescued: c.rows}
	at := map[string]*Column{}
	delivered := func(name string) *Column {
		if at[name] == nil {
			at[name] = &Column{Delivered: name, Published: c.published(name)}
		}
		return at[name]
	}
	for name, n := range c.values {
		delivered(name).Rescued = n
	}
	for name, n := range bad {
		delivered(name).Quarantined = n
		out.Quarantined += n
	}
	for _, name := range slices.Sorted(maps.Keys(at)) {
		out.Columns = append(out.Columns, *at[name])
	}
	return out
}

// published lists the columns that a delivered name may be of: those that were delivered so,
// else those whose names differ in case alone.
func (c *counter) published(delivered string) (out []string) {
	for _, same := range []func(string) bool{
		func(n string) bool { return n == delivered },
		func(n string) bool { return feed.Key(n) == feed.Key(delivered) },
	} {
		for _, col := range c.table.Columns {
			if col.Name != "" && (same(col.Delivered) || slices.ContainsFunc(col.Spellings, same)) {
				out = append(out, col.Name)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}
