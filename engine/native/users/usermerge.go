package users

import (
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// userMerger merges rows sorted by canonical user into one row a user, as
// rules.Users says.
type userMerger struct {
	write.Gatherer
	r      *pass.Run
	layout *rules.Layout // of what is published
	write  func(*column.Batch) error
	g      column.Gatherer
	// rounded counts values, rescued users with something rescued.
	rounded, rescued int64
}

func (m *userMerger) add(ch *rows.Chunk, i int) error {
	if n := len(m.Meta); n > 0 && m.Meta[n-1].Raw != ch.Rows[i].Raw && m.Full(m.r.Task.Thresholds.GroupRows, m.r.Env.Limits.Budget) {
		if err := m.flush(); err != nil {
			return err
		}
	}
	m.Gatherer.AddRow(ch, i)
	return nil
}

// flush publishes the users whose rows were added.
func (m *userMerger) flush() error {
	if len(m.Meta) == 0 {
		return m.Failed()
	}
	if err := m.Resolve(); err != nil {
		return err
	}
	users := m.cast()
	users.Choose()
	l := m.layout
	out := &column.Batch{N: users.Len(), Cols: l.NewColumns()}
	user, dump := &out.Cols[l.User], &out.Cols[l.Dump]
	for g := range users.Len() {
		user.Ints = append(user.Ints, users.User(g))
		dump.Ints = append(dump.Ints, m.r.Task.Dumps[users.NewestRank(g)])
	}
	payload := l.Payload(out.Cols)
	for i := range payload {
		values, selection := users.Column(i)
		m.g.ColumnInto(&payload[i], []*column.Column{values}, selection, 0)
	}
	users.Rescued(&out.Cols[l.Rescued])
	for g := range out.N {
		if !out.Cols[l.Rescued].IsNull(g) {
			m.rescued++
		}
	}
	if err := m.r.Schema.Computations.Fill(out, &m.r.Schema.Schema, l); err != nil {
		return err
	}
	m.Reset()
	return m.write(out)
}

// cast gathers the rows and casts their values.
func (m *userMerger) cast() *rules.Users {
	s := m.r.Schema
	into := -1
	if len(m.Sources) == 1 { // else the one dictionary would come to hold all values of all sources
		into = m.OwnSource()
	}
	notes := column.Column{Dict: column.NewDict()}
	m.g.Column(&notes, m.Columns(rules.KeptNotes), m.Selection)
	users := rules.NewUsers(&s.Schema, m.Meta, &notes)
	for i, p := range s.Payload[:s.Rescued()] {
		src := column.Column{}
		m.g.ColumnInto(&src, m.Columns(rules.KeptName(p.ID)), m.Selection, into)
		m.rounded += users.Cast(i, &src)
	}
	return users
}
