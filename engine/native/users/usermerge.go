package users

import (
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// userMerger merges rows sorted by canonical user into one row a user, as
// rules.Users says. However many rows there are of one user, it holds no more than fit, or
// what merging needs of them.
type userMerger struct {
	write.Gatherer
	r      *pass.Run
	layout *rules.Layout // of what is published
	write  func(*column.Batch) error
	g      column.Gatherer
	begin  int // of the rows of the user at hand
	needed int // rows that are left of more, the first of all
	// rounded counts values, rescued users with something rescued.
	rounded, rescued int64
	neededRounded    int64 // values of the needed rows, which are counted already
}

func (m *userMerger) add(ch *rows.Chunk, i int) (err error) {
	n := len(m.Meta)
	full := m.Full(m.r.Task.Thresholds.GroupRows, m.r.Env.Limits.Budget)
	switch {
	case n == 0 || m.Meta[n-1].Raw != ch.Rows[i].Raw:
		if full {
			err = m.flush()
		}
		m.begin = len(m.Meta)
	case n < 2*m.needed: // else it would be done again for each row
	case full || m.heldOfUser() >= m.r.Env.Limits.Budget.FileRowGroup()/reducedOfGroup:
		err = m.reduce()
	}
	if err == nil {
		m.Gatherer.AddRow(ch, i)
	}
	return err
}

// reducedOfGroup is the part of a row group that rows of one user take before those are left
// that are needed: they are in memory as they come, and as they are cast.
const reducedOfGroup = 2

// heldOfUser is about how many bytes the rows of the user at hand take.
func (m *userMerger) heldOfUser() int {
	n := len(m.Meta)
	return m.Held / n * (n - m.begin)
}

// flush publishes the users whose rows were added.
func (m *userMerger) flush() error {
	if len(m.Meta) == 0 {
		return m.Failed()
	}
	if err := m.Resolve(); err != nil {
		return err
	}
	if err := m.publish(len(m.Meta)); err != nil {
		return err
	}
	m.Reset()
	return nil
}

// publish publishes the users of the first rows.
func (m *userMerger) publish(to int) error {
	users, rounded := m.cast(0, to)
	m.rounded += rounded - m.neededRounded
	m.needed, m.neededRounded = 0, 0
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
	return m.write(out)
}

// reduce publishes all users but the one at hand, and leaves of its rows those that
// merging needs.
func (m *userMerger) reduce() error {
	if err := m.Resolve(); err != nil {
		return err
	}
	if m.begin > 0 {
		if err := m.publish(m.begin); err != nil {
			return err
		}
	}
	users, rounded := m.cast(m.begin, len(m.Meta))
	m.rounded += rounded - m.neededRounded
	users.Choose()
	m.leave(m.begin, users.Needed(0))
	if err := m.Resolve(); err != nil {
		return err
	}
	_, m.neededRounded = m.cast(0, m.needed)
	return nil
}

// leave leaves of all rows some, which are counted from a row on, in memory of their own.
func (m *userMerger) leave(from int, needed []int) {
	selection, meta := make([]column.SourceRow, len(needed)), make([]rules.Row, len(needed))
	for i, row := range needed {
		selection[i], meta[i] = m.Selection[from+row], m.Meta[from+row]
		meta[i].At = uint32(i)
	}
	b := &column.Batch{N: len(needed)}
	for _, c := range m.r.Schema.AsKept().Payload {
		out := column.Column{Name: c.Name, Type: c.Type}
		m.g.Column(&out, m.Columns(c.Name), selection)
		b.Cols = append(b.Cols, out)
	}
	m.Reset()
	ch := &rows.Chunk{Rows: meta, Batch: b, Verdicts: rows.NewVerdicts(len(meta))}
	for i := range meta {
		m.Gatherer.AddRow(ch, i)
	}
	m.begin, m.needed = 0, len(needed)
}

// cast gathers rows from one up to another, and casts their values. It returns how many of
// these were rounded.
func (m *userMerger) cast(from, to int) (_ *rules.Users, rounded int64) {
	s, selection := m.r.Schema, m.Selection[from:to]
	into := -1
	if len(m.Sources) == 1 { // else the one dictionary would come to hold all values of all sources
		into = m.OwnSource()
	}
	notes := column.Column{Dict: column.NewDict()}
	m.g.Column(&notes, m.Columns(rules.KeptNotes), selection)
	users := rules.NewUsers(&s.Schema, m.Meta[from:to], &notes)
	for i, p := range s.Payload[:s.Rescued()] {
		src := column.Column{}
		m.g.ColumnInto(&src, m.Columns(rules.KeptName(p.ID)), selection, into)
		rounded += users.Cast(i, &src)
	}
	return users, rounded
}
