package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// TestLaterUser: per raw user the row of the greatest (dump_id, last_modified with null
// lowest, version).
func TestLaterUser(t *testing.T) {
	row := func(rank int, modified int64, at int) Row {
		ver, err := Version(rank, 0, at)
		if err != nil {
			t.Fatal(err)
		}
		return Row{Ver: ver, Key: modified}
	}
	ascending := []Row{row(0, -1<<63, 0), row(0, -1<<63, 1), row(0, 5, 0), row(0, 5, 3), row(0, 6, 0), row(1, -1<<63, 0), row(1, 4, 9)}
	for i, a := range ascending {
		for j, b := range ascending {
			if LaterUser(a, b) != (i > j) {
				t.Errorf("row %d is later than row %d: %v", i, j, !(i > j))
			}
		}
	}
}

func usersSchema(blocks ...definition.Block) *Schema {
	table := &definition.Table{Name: feed.TableUsers, Kind: feed.KindUsers, Key: feed.UserID, OnSchemaChange: definition.Evolve, Blocks: blocks}
	var brought []Delivered
	for _, name := range []string{"user_id", "joindate", "last_modified", "plan", "visits", "session_id"} {
		brought = append(brought, Delivered{Name: name, Dump: 1, Listed: true})
	}
	return NewSchema(table, feed.KindUsers, feed.UserID, nil, brought, AllLive, false)
}

// member is a kept row: canonical user, raw user, rank of its dump, and its values as
// texts by column, "-" for null; notes are marked by NUL.
type member struct {
	user, raw int64
	rank      int
	values    string // joindate last_modified plan visits session_id
	notes     []column.Rescued
}

func mergeMembers(t *testing.T, s *Schema, members []member) []string {
	t.Helper()
	u := chosen(t, s, members)
	rescued := column.Column{}
	u.Rescued(&rescued)
	var out []string
	for g := range u.Len() {
		line := fmt.Sprintf("%d/%d", u.User(g), u.NewestRank(g))
		for i := range s.Rescued() {
			c, selection := u.Column(i)
			line += " " + text(c, int(selection[g].Row))
		}
		out = append(out, line+" "+text(&rescued, g))
	}
	return out
}

// chosen merges members.
func chosen(t *testing.T, s *Schema, members []member) *Users {
	t.Helper()
	var meta []Row
	notes := column.Column{Dict: column.NewDict()}
	srcs := make([]column.Column, s.Rescued())
	for i := range srcs {
		srcs[i].Reset()
	}
	for _, m := range members {
		ver, err := Version(m.rank, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		meta = append(meta, Row{Raw: m.user, Key: m.raw, Ver: ver})
		if len(m.notes) == 0 {
			notes.AppendNulls(1)
		} else {
			notes.AppendBytes(column.AppendRescue(nil, m.notes))
		}
		for i, v := range strings.Fields(m.values) {
			if v == "-" {
				srcs[i].AppendNulls(1)
			} else {
				srcs[i].AppendBytes([]byte(v))
			}
		}
	}
	u := NewUsers(s, meta, &notes)
	for i := range srcs {
		u.Cast(i, &srcs[i])
	}
	u.Choose()
	return u
}

func text(c *column.Column, row int) string {
	if c.IsNull(row) {
		return "-"
	}
	return string(column.AppendText(nil, c, row))
}

// TestUsers has the rules of the contract for one row of a canonical user.
func TestUsers(t *testing.T) {
	double := column.Type{ID: column.Int64}
	typed := definition.Block{Name: "visits", Type: &double}
	for _, c := range []struct {
		name    string
		blocks  []definition.Block
		members []member
		want    []string
	}{
		{"one member", nil, []member{{1, 1, 3, "1000000000 1200000000 pro 5 7", nil}},
			[]string{"1/3 2001-09-09T01:46:40Z 2008-01-10T21:20:00Z pro 5 7 -"}},
		{"joindate is the least, last_modified the greatest, others of the latest", nil,
			[]member{{1, 1, 0, "1100000000 1200000000 old 5 7", nil}, {1, 2, 0, "1000000000 1300000000 new - -", nil}},
			[]string{"1/0 2001-09-09T01:46:40Z 2011-03-13T07:06:40Z new 5 7 -"}},
		{"null last_modified is lowest", nil,
			[]member{{1, 1, 0, "- 1200000000 a - -", nil}, {1, 2, 1, "- - b 2 -", nil}},
			[]string{"1/1 - 2008-01-10T21:20:00Z a 2 - -"}},
		{"then the dump", nil, []member{{1, 2, 0, "- - a - -", nil}, {1, 1, 1, "- - b - -", nil}}, []string{"1/1 - - b - - -"}},
		{"then the raw user", nil, []member{{1, 1, 0, "- - a - -", nil}, {1, 2, 0, "- - b - -", nil}}, []string{"1/0 - - b - - -"}},
		{"merge overrides", []definition.Block{{Name: "plan", Merge: "min"}, {Name: "visits", Merge: "max"}, {Name: "joindate", Merge: "latest"}},
			[]member{{1, 1, 0, "1000000000 1300000000 b 1 -", nil}, {1, 2, 0, "900000000 1200000000 a 2 -", nil}},
			[]string{"1/0 2001-09-09T01:46:40Z 2011-03-13T07:06:40Z a 2 - -"}},
		{"what does not cast counts as null, and is not rescued where another supplies", []definition.Block{typed},
			[]member{{1, 1, 0, "- 1300000000 - x -", nil}, {1, 2, 0, "- 1200000000 - 4 -", nil}},
			[]string{"1/0 - 2011-03-13T07:06:40Z - 4 - -"}},
		{"where none has one, the latest that failed", []definition.Block{typed},
			[]member{{1, 1, 0, "- 1200000000 - x -", []column.Rescued{SpellingNote("visits", "Visits")}}, {1, 2, 0, "- 1300000000 - - -", nil}},
			[]string{`1/0 - 2011-03-13T07:06:40Z - - - {"Visits":"x"}`}},
		{"a float is no id", nil, []member{{1, 1, 0, "- - - - 7", []column.Rescued{NoIDNote("session_id")}}}, []string{`1/0 - - - - - {"session_id":"7"}`}},
		{"a loser of spelling is rescued with the value of its column", nil,
			[]member{{1, 1, 0, "- - a - -", []column.Rescued{{Name: "PLAN", Value: []byte("lost")}}}, {1, 2, 0, "- - b - -", nil}, {2, 3, 0, "- - c - -", []column.Rescued{{Name: LoserName("plan", "Pl_n"), Value: []byte("gone")}}}},
			[]string{"1/0 - - b - - -", `2/0 - - c - - {"Pl_n":"gone"}`}},
	} {
		if d := cmp.Diff(c.want, mergeMembers(t, usersSchema(c.blocks...), c.members)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// TestNeeded: of the rows of a user those that are needed stand for all of them, whatever
// rows come.
func TestNeeded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	double := column.Type{ID: column.Int64}
	s := usersSchema(definition.Block{Name: "visits", Type: &double}, definition.Block{Name: "plan", Merge: "min"})
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	left := 0
	for range 2000 {
		var all, some []member
		for raw := range 1 + r.IntN(30) {
			m := member{user: 1, raw: int64(raw), rank: r.IntN(4), values: strings.Join([]string{pick("-", "900000000", "1000000000"),
				pick("-", "1200000000", "1300000000"), pick("-", "a", "b", "c"), pick("-", "-", "x", "4"), pick("-", "-", "7")}, " ")}
			if r.IntN(3) == 0 {
				m.notes = []column.Rescued{NoIDNote("session_id"), {Name: "PLAN", Value: fmt.Append(nil, raw)}}
			}
			all, some = append(all, m), append(some, m)
			if r.IntN(4) > 0 {
				continue
			}
			var needed []member
			for _, row := range chosen(t, s, some).Needed(0) {
				needed = append(needed, some[row])
			}
			some = needed
		}
		left = max(left, len(some))
		if d := cmp.Diff(mergeMembers(t, s, all), mergeMembers(t, s, some)); d != "" {
			t.Fatalf("of %v are left %v (-all +needed):\n%s", all, some, d)
		}
	}
	if left < 5 {
		t.Errorf("no more than %d rows were ever left: the test tells nothing", left)
	}
}

// TestCast has what the contract says of ids, of the timestamps and of masked columns.
func TestCast(t *testing.T) {
	id, at := KeyColumn(feed.SessionID), timeColumn(feed.Time, column.UnitAuto)
	masked := Column{ID: feed.Time, Mask: definition.MaskHMAC}
	for _, c := range []struct {
		name  string
		col   *Column
		texts string
		from  Origins
		want  string
		fails int
	}{
		{"ids", &id, "5 x 1.0 -7", Origins{}, "5 - - -7", 2},
		{"an id that is none", &id, "5 6", Origins{NoID: func(row int) bool { return row == 1 }}, "5 -", 1},
		{"times", &at, "1000000000 x 0", Origins{}, "2001-09-09T01:46:40Z - -", 1},
		{"a raw zero of a logical type", &at, "1970-01-01 1000000000", Origins{Zero: func(row int) bool { return row == 0 }}, "- 2001-09-09T01:46:40Z", 0},
		{"a masked column", &masked, "abc x", Origins{}, "abc x", 0},
	} {
		src, dst := column.Column{Dict: column.NewDict()}, column.Column{}
		for _, v := range strings.Fields(c.texts) {
			src.AppendBytes([]byte(v))
		}
		dst.Type = c.col.Type
		dst.Reset()
		res := c.col.Cast(&src, &dst, c.from)
		var got []string
		for row := range dst.Len() {
			got = append(got, text(&dst, row))
		}
		if strings.Join(got, " ") != c.want || len(res.Fails) != c.fails {
			t.Errorf("%s: %q and %d that did not cast", c.name, got, len(res.Fails))
		}
	}
}
