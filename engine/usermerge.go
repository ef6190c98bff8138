package engine

import (
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// userMerger merges rows sorted by canonical user into one row a user, as
// rules.Users says.
type userMerger struct {
	picker
	r      *tableRun
	layout *rules.Layout // of what is published
	write  func(*column.Batch) error
	g      column.Gatherer
	// rounded counts values.
	rounded int64
}

func (m *userMerger) add(ch *rows.Chunk, i int) error {
	if n := len(m.meta); n >= m.r.task.Thresholds.GroupRows && m.meta[n-1].Raw != ch.Rows[i].Raw {
		if err := m.flush(); err != nil {
			return err
		}
	}
	m.picker.add(ch, i)
	return nil
}

// flush publishes the users whose rows were added.
func (m *userMerger) flush() error {
	if len(m.meta) == 0 {
		return nil
	}
	if err := m.settle(); err != nil {
		return err
	}
	users := m.cast()
	users.Choose()
	l := m.layout
	out := &column.Batch{N: users.Len(), Cols: l.NewColumns()}
	user, dump := &out.Cols[l.User], &out.Cols[l.Dump]
	for g := range users.Len() {
		user.Ints = append(user.Ints, users.User(g))
		dump.Ints = append(dump.Ints, m.r.task.Dumps[users.NewestRank(g)])
	}
	payload := l.Payload(out.Cols)
	for i := range payload {
		values, picks := users.Column(i)
		m.g.ColumnInto(&payload[i], []*column.Column{values}, picks, 0)
	}
	users.Rescued(&out.Cols[l.Rescued])
	if err := m.r.schema.compute.Fill(out, &m.r.schema.Schema, l); err != nil {
		return err
	}
	m.reset()
	return m.write(out)
}

// cast gathers the rows and casts their values.
func (m *userMerger) cast() *rules.Users {
	s := m.r.schema
	into := -1
	if len(m.srcs) == 1 { // else the one dictionary would come to hold all values of all sources
		into = m.own()
	}
	notes := column.Column{Dict: column.NewDict()}
	m.g.Column(&notes, m.columns(rules.KeptNotes), m.picks)
	users := rules.NewUsers(&s.Schema, m.meta, &notes)
	for i, p := range s.Payload[:s.Rescued()] {
		src := column.Column{}
		m.g.ColumnInto(&src, m.columns(rules.KeptName(p.ID)), m.picks, into)
		m.rounded += users.Cast(i, &src)
	}
	return users
}
