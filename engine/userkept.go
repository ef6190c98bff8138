package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// keptUsers opens the rows that a run of the kept users holds, as the new schema
// has them: all of them, or those of some raw users, who are sorted.
func (r *tableRun) keptUsers(ctx context.Context, s *schema, run exec.Ref, only []int64) (rows.Cursor, error) {
	have := map[string]exec.Column{}
	for _, c := range r.old.Columns {
		if c.Mask != string(definition.MaskDrop) {
			have[s.table.ID(askedName(s.table, s.legacy, state.Column(c)))] = c
		}
	}
	want := s.storedColumns()[:2]
	keys := map[string][]byte{}
	for _, p := range s.payload {
		c, ok := have[p.fold]
		if p.fold != feed.RescuedData && (!ok || p.mask == definition.MaskNull) {
			continue
		}
		if p.mask == definition.MaskHMAC && c.Mask == "" {
			keys[p.Name] = p.key
		}
		want = append(want, column.Column{Name: p.Name})
	}
	rd, err := openObjectRows(ctx, r.env.Objects, run, want)
	if err != nil {
		return nil, err
	}
	c := &keptCursor{r: r, s: s, rd: rd, masks: keys}
	if only != nil {
		c.only = &ascending{only}
	}
	return c, nil
}

// keptRuns opens runs of the kept users. Of a raw user the newest of all rows
// counts.
func (r *tableRun) keptRuns(ctx context.Context, s *schema, runs []exec.Ref, only []int64) ([]rows.Cursor, error) {
	var out []rows.Cursor
	for _, run := range runs {
		c, err := r.keptUsers(ctx, s, run, only)
		if err != nil {
			for _, c := range out {
				err = errors.Join(err, c.Close())
			}
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// keptCursor reads kept users in the order of their raw ids.
type keptCursor struct {
	r     *tableRun
	s     *schema
	rd    *objectReader
	masks map[string][]byte // new masks, by column
	only  *ascending        // raw users whose rows alone are wanted; nil for all

	users column.Batch // of a row group of which some rows are wanted
	rows  []uint32     // these
}

func (c *keptCursor) Next(ctx context.Context) (*rows.Chunk, error) {
	b, err := c.read(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	for name, key := range c.masks {
		column.MaskColumn(b.Col(name), key)
	}
	if err := c.s.maskNotes(b.Col(storedNotes)); err != nil {
		return nil, err
	}
	b.Own = true
	modified := b.Col(storedPrefix + feed.LastModified)
	ch := &rows.Chunk{Batch: b, Verdicts: rows.NewVerdicts(b.N)}
	for i, raw := range b.Cols[0].Ints {
		id := b.Cols[1].Ints[i]
		if !c.r.task.Live(id) {
			continue
		}
		ver, err := rows.Version(c.r.rank[id], 0, 0)
		if err != nil {
			return nil, err
		}
		ch.Rows = append(ch.Rows, rows.Row{Raw: raw, Key: c.s.modifiedMillis(modified, i), Ver: ver, At: uint32(i)})
	}
	return ch, nil
}

// read returns the next rows that are wanted, in a batch of their own.
func (c *keptCursor) read(ctx context.Context) (*column.Batch, error) {
	if c.only == nil {
		return c.rd.Next(ctx)
	}
	for o := c.rd; o.group < o.pq.RowGroups(); {
		group := o.group
		o.group++
		if err := o.pq.ReadRowGroup(group, o.want[:1], &c.users); err != nil {
			return nil, o.broken(err)
		}
		c.rows = c.rows[:0]
		for i, raw := range c.users.Cols[0].Ints {
			if c.only.has(raw) {
				c.rows = append(c.rows, uint32(i))
			}
		}
		if len(c.rows) == 0 {
			continue
		}
		b := &column.Batch{}
		if err := o.pq.ReadRows(group, c.rows, o.want, b); err != nil {
			return nil, o.broken(err)
		}
		return b, nil
	}
	return nil, nil
}

// maskNotes takes out of the notes what the schema masks.
func (s *schema) maskNotes(notes *column.Column) error {
	clean := column.NewDict()
	for i, code := range notes.Codes {
		if code == 0 {
			continue
		}
		items, err := column.SplitRescue(notes.Dict.Value(code))
		if err != nil {
			return fmt.Errorf("notes of a kept user: %w", err)
		}
		items = slices.DeleteFunc(items, func(it column.Rescued) bool {
			if id, name, ok := cutLoser(it.Name); ok {
				i, known := s.byFold[id]
				return !known || s.payload[i].mask != definition.MaskNone || !s.rescues(name)
			}
			return !strings.HasPrefix(it.Name, spellingKey) && !s.rescues(it.Name)
		})
		notes.Codes[i] = 0
		if len(items) > 0 {
			notes.Codes[i] = clean.Add(column.AppendRescue(nil, items))
		}
	}
	notes.Dict = clean
	return nil
}

func (c *keptCursor) Close() error { return c.rd.Close() }

// modifiedMillis orders last_modified texts: the least int64 stands for null.
func (s *schema) modifiedMillis(c *column.Column, i int) int64 {
	if c == nil || c.IsNull(i) {
		return math.MinInt64
	}
	ms, st := s.payload[s.byFold[feed.LastModified]].rule.ParseTimestamp(c.Bytes(i))
	if st != column.TimeOK {
		return math.MinInt64
	}
	return ms
}
