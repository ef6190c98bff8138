package pass

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rowfile"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// StandIns are published rows of one table that stand in for others.
type StandIns struct {
	*exec.StandIns
	Sink   exec.Sink
	events exec.Events
	types  []column.Column // that the files have
	Staged []string        // of users: what the dumps that are there come to
	Alone  map[int64]bool  // of users: for whose group the published row stands in alone
}

// openStandIns returns what stands in for rows that are gone, nil if nothing does.
func (r *Run) openStandIns() (*StandIns, error) {
	from := r.Task.StandIns
	if from == nil {
		return nil, nil
	}
	out := &StandIns{StandIns: from, Sink: r.Env.Sinks[from.Root], events: r.Env.Events}
	for _, c := range from.Types {
		typ, err := column.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s of the published files: %w", c.Name, err)
		}
		out.types = append(out.types, column.Column{Name: c.Name, Type: typ})
	}
	return out, nil
}

// Typed gives columns the types that the files have them in.
func (s *StandIns) Typed(cols []column.Column) []column.Column {
	out := slices.Clone(cols)
	for i := range out {
		if at := slices.IndexFunc(s.types, func(c column.Column) bool { return c.Name == out[i].Name }); at >= 0 {
			out[i].Type = s.types[at].Type
		}
	}
	return out
}

// newest is the greatest dump that is gone.
func (s *StandIns) newest() int64 { return s.Dumps[len(s.Dumps)-1] }

// Drops reports whether a row of users is left out: of a group for which a published row
// stands in alone, only rows stay that no dump that is gone can have replaced.
func (s *StandIns) Drops(row *rules.Row, r *Run) bool {
	return s != nil && s.Alone[r.Canon(row.Raw)] && !rules.IsLast(row.Ver) && rules.DumpRank(row.Ver) < r.Rank[s.newest()]
}

// extent is what columns of the files are.
func (s *StandIns) extent(columns int) exec.Extent {
	e := exec.Extent{Columns: columns}
	for _, f := range s.Files {
		e.Bytes, e.Rows = e.Bytes+f.Size, e.Rows+f.Rows
	}
	return e
}

// Each reads columns of the published rows.
func (s *StandIns) Each(ctx context.Context, want []column.Column, use func(*column.Batch) error) error {
	e := s.extent(len(want))
	read := s.events.Stretch(exec.Reading, e.Rows, exec.WorkOfStored(e.AsStored()))
	defer read.End()
	return rowfile.EachIn(ctx, s.Sink, s.Files, want, func(b *column.Batch) error {
		read.Pass(b.N)
		return use(b)
	})
}
