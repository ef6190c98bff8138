package engine

import (
	"cmp"
	"slices"
	"strings"

	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// userMerger folds rows sorted by canonical user into one row a user: joindate
// is the least, last_modified the greatest, every other column the value of the
// latest member that has one; the configuration may say otherwise per column.
// A value that does not cast counts as null.
type userMerger struct {
	picker
	r     *tableRun
	write func(*column.Batch) error
	g     column.Gatherer
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

// issue is an original that did not make it into its column.
type issue struct {
	col  int // payload index
	item column.Rescued
}

// fold is one batch of whole groups while it is merged.
type userFold struct {
	s      *schema
	meta   []rows.Row // Raw is the canonical user, Key the raw one
	cols   []column.Column
	issues map[int][]issue // by row
	groups [][]int         // rows of each group, the latest first
	from   [][]column.Pick // by payload column: the supplying row of each group
}

func (m *userMerger) flush() error {
	if len(m.meta) == 0 {
		return nil
	}
	if err := m.settle(); err != nil {
		return err
	}
	s := m.r.schema
	f := &userFold{s: s, meta: m.meta, issues: map[int][]issue{}}
	m.cast(f)
	f.group()
	f.choose()
	out := &column.Batch{N: len(f.groups), Cols: s.published()}
	n := len(out.Cols)
	last := len(s.payload) - 1
	for _, g := range f.groups {
		out.Cols[0].Ints = append(out.Cols[0].Ints, f.meta[g[0]].Raw)
		rank := 0
		for _, row := range g {
			rank = max(rank, rows.DumpRank(f.meta[row].Ver))
		}
		out.Cols[n-2].Ints = append(out.Cols[n-2].Ints, m.r.task.Dumps[rank])
	}
	for c := range s.payload[:last] {
		m.g.ColumnInto(&out.Cols[1+c], []*column.Column{&f.cols[c]}, f.from[c], 0)
	}
	f.rescue(&out.Cols[n-1])
	m.reset()
	return m.write(out)
}

// cast gathers the rows and casts them as the configuration says.
func (m *userMerger) cast(f *userFold) {
	last := len(f.s.payload) - 1
	f.cols = make([]column.Column, last)
	into := -1
	if len(m.srcs) == 1 { // else the one dictionary would come to hold all values of all sources
		into = m.own()
	}
	notes := column.Column{Dict: column.NewDict()}
	m.g.Column(&notes, m.columns(storedNotes), m.picks)
	marks := f.readNotes(&notes)
	for i, p := range f.s.payload[:last] {
		src := column.Column{}
		m.g.ColumnInto(&src, m.columns(storedPrefix+p.fold), m.picks, into)
		dst := &f.cols[i]
		dst.Type = p.typ
		dst.Reset()
		var fails []column.Fail
		switch {
		case feed.IsID(p.fold) && p.typ == typeInt64:
			fails = append(column.Cast(&src, typeInt64, dst), marks.floats(p.fold, &src, dst)...)
		case p.typ == typeString && len(src.Dict.Invalid()) == 0:
			*dst = src
		default:
			res := p.rule.Cast(&src, dst)
			fails = res.Fails
			m.rounded += res.Rounded
		}
		for _, fl := range fails {
			name := p.Delivered
			if n, ok := marks[noteKey{fl.Row, spellingKey + p.fold}]; ok {
				name = n
			}
			f.issues[fl.Row] = append(f.issues[fl.Row], issue{i, column.Rescued{Name: name, Value: slices.Clone(fl.Text)}})
		}
	}
}

// noteKey is a row and a mark: spellingKey or floatKey, and the column's name.
type noteKey struct {
	row  int
	mark string
}

// userMarks are the marks among the notes of some rows, and their values.
type userMarks map[noteKey]string

// floats makes null what was delivered as an id and is none, and reports it as not
// cast.
func (m userMarks) floats(name string, src, dst *column.Column) []column.Fail {
	var fails []column.Fail
	for k := range m {
		if k.mark == floatKey+name && !dst.IsNull(k.row) {
			fails = append(fails, column.Fail{Row: k.row, Text: src.Bytes(k.row)})
			dst.SetNull(k.row)
		}
	}
	return fails
}

// readNotes turns the kept notes into issues (losers of spelling) and returns
// the marks among them.
func (f *userFold) readNotes(notes *column.Column) userMarks {
	marks := userMarks{}
	for row := range notes.Codes {
		if notes.IsNull(row) {
			continue
		}
		items, err := column.SplitRescue(notes.Bytes(row))
		if err != nil {
			continue // we wrote them; their checksum was verified
		}
		for _, it := range items {
			if id, name, ok := cutLoser(it.Name); ok {
				if c, ok := f.s.byFold[id]; ok {
					f.issues[row] = append(f.issues[row], issue{c, column.Rescued{Name: name, Value: it.Value}})
				}
				continue
			}
			if strings.HasPrefix(it.Name, spellingKey) {
				marks[noteKey{row, it.Name}] = string(it.Value)
				continue
			}
			if c, ok := f.s.noteOf(it.Name); ok {
				f.issues[row] = append(f.issues[row], issue{c, it})
			}
		}
	}
	return marks
}

// noteOf is the payload column that a note of a delivered name is about.
func (s *schema) noteOf(name string) (int, bool) {
	if s.legacy {
		if c, ok := s.byFold[feed.Fold(name)]; ok && feed.IsExact(feed.Fold(name)) {
			return c, true
		}
	}
	c, ok := s.byFold[s.table.ID(name)]
	return c, ok
}

// group finds the rows of each canonical user and sorts them, latest first: by
// last_modified with null lowest, then dump, then raw user.
func (f *userFold) group() {
	modified := -1
	if c, ok := f.s.byFold[feed.LastModified]; ok {
		modified = c
	}
	later := func(a, b int) int {
		if modified >= 0 {
			col := &f.cols[modified]
			an, bn := col.IsNull(a), col.IsNull(b)
			if an != bn {
				if an {
					return 1
				}
				return -1
			}
			if !an {
				if c := column.CompareValues(col, b, col, a); c != 0 {
					return c
				}
			}
		}
		return cmp.Or(cmp.Compare(rows.DumpRank(f.meta[b].Ver), rows.DumpRank(f.meta[a].Ver)), cmp.Compare(f.meta[b].Key, f.meta[a].Key))
	}
	for i := 0; i < len(f.meta); {
		g := []int{i}
		j := i + 1
		for ; j < len(f.meta) && f.meta[j].Raw == f.meta[i].Raw; j++ {
			g = append(g, j)
		}
		if len(g) > 1 {
			slices.SortFunc(g, later)
		}
		f.groups = append(f.groups, g)
		i = j
	}
}

// choose picks, for every column and group, the row that supplies the value;
// where none has one, the latest that failed to, or the latest.
func (f *userFold) choose() {
	f.from = make([][]column.Pick, len(f.cols))
	for c := range f.cols {
		how := f.s.payload[c].Merge
		if how == "" {
			switch f.s.payload[c].fold {
			case feed.JoinDate:
				how = "min"
			case feed.LastModified:
				how = "max"
			}
		}
		picks := make([]column.Pick, len(f.groups))
		for gi, g := range f.groups {
			row := g[0]
			if len(g) > 1 {
				row = f.supplier(c, g, how)
			}
			picks[gi].Row = uint32(row)
		}
		f.from[c] = picks
	}
}

func (f *userFold) supplier(c int, g []int, how string) int {
	col := &f.cols[c]
	best := -1
	for _, row := range g {
		if col.IsNull(row) {
			continue
		}
		if best < 0 {
			best = row
			continue
		}
		cmp := column.CompareValues(col, row, col, best)
		if how == "min" && cmp < 0 || how == "max" && cmp > 0 {
			best = row
		}
	}
	if best >= 0 {
		return best
	}
	for _, row := range g {
		if slices.ContainsFunc(f.issues[row], func(i issue) bool { return i.col == c }) {
			return row
		}
	}
	return g[0]
}

// rescue writes _rescued_data: of each column what its supplying row rescued.
func (f *userFold) rescue(dst *column.Column) {
	dst.Dict = column.NewDict()
	for gi, g := range f.groups {
		var items []column.Rescued
		for _, row := range g {
			for _, is := range f.issues[row] {
				if int(f.from[is.col][gi].Row) == row {
					items = append(items, is.item)
				}
			}
		}
		if len(items) == 0 {
			dst.AppendNulls(1)
			continue
		}
		dst.AppendBytes(column.AppendRescue(nil, items))
	}
}
