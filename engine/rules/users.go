package rules

import (
	"cmp"
	"slices"
	"strings"

	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// LaterUser reports whether row a of a raw user wins over row b.
//
// The contract: per raw user_id the row of the greatest (dump_id, last_modified with
// null lowest, version). Key of the rows holds last_modified, see Schema.ModifiedMillis.
func LaterUser(a, b Row) bool {
	return cmp.Or(cmp.Compare(DumpRank(a.Ver), DumpRank(b.Ver)), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Ver, b.Ver)) > 0
}

// Users merges the rows of raw users into one row for each canonical user.
//
// The contract: grouped by canon, joindate is the least, last_modified the greatest,
// every other column the non-null value of the latest member that has one (latest by
// last_modified, null lowest, then dump_id, then raw user_id); column { merge } overrides
// per column. Key c of _rescued_data comes from the member that supplied c, or would have.
//
// Cast is called for each column of the payload, then Choose; then the rest holds.
type Users struct {
	schema *Schema
	rows   []Row // Raw is the canonical user, Key the raw one
	cols   []column.Column
	notes  map[noteKey]string
	issues map[int][]issue      // by row
	groups [][]int              // rows of each group, the latest first
	from   [][]column.SourceRow // by payload column: the supplying row of each group
}

// issue is an original that did not make it into its column.
type issue struct {
	col  int // payload index
	item column.Rescued
}

// noteKey is a row and the kind of a note with a column's ID.
type noteKey struct {
	row  int
	item string
}

// NewUsers begins to merge rows, which are sorted by canonical user and are whole groups.
// Raw is the canonical user and Key the raw one; notes has a value for each row.
func NewUsers(s *Schema, members []Row, notes *column.Column) *Users {
	u := &Users{schema: s, rows: members, cols: make([]column.Column, s.Rescued()), notes: map[noteKey]string{}, issues: map[int][]issue{}}
	for row := range notes.Codes {
		if notes.IsNull(row) {
			continue
		}
		items, err := column.SplitRescue(notes.Bytes(row))
		if err != nil {
			continue // we wrote them; their checksum was verified
		}
		for _, it := range items {
			u.noteItem(row, it)
		}
	}
	return u
}

// noteItem keeps a note, or turns a loser of spelling into an issue.
func (u *Users) noteItem(row int, it column.Rescued) {
	col, name := -1, it
	if id, field, ok := cutLoser(it.Name); ok {
		col, name = u.schema.ByID(id), column.Rescued{Name: field, Value: it.Value}
	} else if strings.HasPrefix(it.Name, spellingMark) {
		u.notes[noteKey{row, it.Name}] = string(it.Value)
		return
	} else {
		col = u.schema.NoteOf(it.Name)
	}
	if col >= 0 {
		u.issues[row] = append(u.issues[row], issue{col, name})
	}
}

// Cast casts the kept values of column i of the payload. src is given away. It returns
// how many values were rounded.
func (u *Users) Cast(i int, src *column.Column) (rounded int64) {
	c, dst := &u.schema.Payload[i], &u.cols[i]
	if c.Type == typeString && len(src.Dict.Invalid()) == 0 {
		*dst = *src
		return 0
	}
	dst.Type = c.Type
	dst.Reset()
	res := c.Cast(src, dst, u.origins(c))
	for _, f := range res.Fails {
		name := c.Delivered
		if n, ok := u.notes[noteKey{f.Row, spellingMark + c.ID}]; ok {
			name = n
		}
		u.issues[f.Row] = append(u.issues[f.Row], issue{i, column.Rescued{Name: name, Value: slices.Clone(f.Text)}})
	}
	return res.Rounded
}

// origins says which values of an id were delivered as something else.
func (u *Users) origins(c *Column) Origins {
	if !feed.IsID(c.ID) || len(u.notes) == 0 {
		return Origins{}
	}
	mark := floatMark + c.ID
	return Origins{NoID: func(row int) bool {
		_, ok := u.notes[noteKey{row, mark}]
		return ok
	}}
}

// Choose groups the rows and picks, for every column and group, the row that supplies
// the value.
func (u *Users) Choose() {
	u.group()
	u.from = make([][]column.SourceRow, len(u.cols))
	for c := range u.cols {
		how, selection := mergeOf(&u.schema.Payload[c]), make([]column.SourceRow, len(u.groups))
		for g, members := range u.groups {
			selection[g].Row = uint32(u.supplier(c, members, how))
		}
		u.from[c] = selection
	}
}

// group finds the rows of each canonical user and sorts them, the latest first.
func (u *Users) group() {
	modified := u.schema.ByID(feed.LastModified)
	later := func(a, b int) int {
		if modified >= 0 {
			if c := compareNullLowest(&u.cols[modified], b, a); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(DumpRank(u.rows[b].Ver), DumpRank(u.rows[a].Ver)), cmp.Compare(u.rows[b].Key, u.rows[a].Key))
	}
	for i := 0; i < len(u.rows); {
		members := []int{i}
		j := i + 1
		for ; j < len(u.rows) && u.rows[j].Raw == u.rows[i].Raw; j++ {
			members = append(members, j)
		}
		if len(members) > 1 {
			slices.SortFunc(members, later)
		}
		u.groups = append(u.groups, members)
		i = j
	}
}

// compareNullLowest compares two rows of a column, null lowest.
func compareNullLowest(c *column.Column, a, b int) int {
	switch an, bn := c.IsNull(a), c.IsNull(b); {
	case an && bn:
		return 0
	case an:
		return -1
	case bn:
		return 1
	}
	return column.CompareValues(c, a, c, b)
}

// mergeOf is how the values of a column become one: "min", "max" or "latest".
func mergeOf(c *Column) string {
	switch {
	case c.Merge != "":
		return c.Merge
	case c.ID == feed.JoinDate:
		return "min"
	case c.ID == feed.LastModified:
		return "max"
	}
	return "latest"
}

// supplier is the row of a group that supplies the value of a column: the latest that
// has one, or the one with the least or the greatest; where none has one, the latest that
// failed to have it, or the latest.
func (u *Users) supplier(c int, members []int, how string) int {
	if len(members) == 1 {
		return members[0]
	}
	col, best := &u.cols[c], -1
	for _, row := range members {
		if col.IsNull(row) {
			continue
		}
		if best < 0 {
			best = row
			continue
		}
		order := column.CompareValues(col, row, col, best)
		if how == "min" && order < 0 || how == "max" && order > 0 {
			best = row
		}
	}
	if best >= 0 {
		return best
	}
	for _, row := range members {
		if slices.ContainsFunc(u.issues[row], func(i issue) bool { return i.col == c }) {
			return row
		}
	}
	return members[0]
}

// Len returns the number of canonical users.
func (u *Users) Len() int { return len(u.groups) }

// User returns the canonical user of a group.
func (u *Users) User(group int) int64 { return u.rows[u.groups[group][0]].Raw }

// NewestRank returns the greatest rank of a dump among the members of a group.
func (u *Users) NewestRank(group int) int {
	rank := 0
	for _, row := range u.groups[group] {
		rank = max(rank, DumpRank(u.rows[row].Ver))
	}
	return rank
}

// Needed are the rows of a group that merging it with further rows of its user can need:
// those that supply a column, and one of the newest dump. Each supplier is the greatest of
// an order of all rows, so that no other row can ever supply what it supplies.
func (u *Users) Needed(group int) []int {
	newest := u.groups[group][0]
	for _, row := range u.groups[group] {
		if DumpRank(u.rows[row].Ver) > DumpRank(u.rows[newest].Ver) {
			newest = row
		}
	}
	out := []int{newest}
	for _, from := range u.from {
		out = append(out, int(from[group].Row))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Column returns the cast values of column i of the payload, of all rows, and the row
// that supplies the value of each group.
func (u *Users) Column(i int) (*column.Column, []column.SourceRow) { return &u.cols[i], u.from[i] }

// Rescued appends _rescued_data of each group to dst: of each column what its supplying
// row rescued.
func (u *Users) Rescued(dst *column.Column) {
	dst.Dict = column.NewDict()
	for g, members := range u.groups {
		var items []column.Rescued
		for _, row := range members {
			for _, is := range u.issues[row] {
				if int(u.from[is.col][g].Row) == row {
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
