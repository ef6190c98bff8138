package engine

import (
	"fmt"
	"strings"
	"time"

	"reconcile/engine/model"
	"reconcile/internal/feed"
)

// The export of the tests that interrupt and damage: few rows, and every kind
// of step in them. Dump 2 moves the only row of a day away, so that a partition
// goes; dump 3 delivers pageviews again; dump 4 has nothing but another mapping.

const killConfig = `
table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

// killSecret is a value that a mask of these tests hides.
const killSecret = "jane.doe.of.the.secret@example.org"

// killText is a nullable string of Avro.
var killText = []any{"null", "string"}

func killEvent(id int64, user any, day int, path string) []any {
	at := time.Date(2026, 1, day, int(id%24), 0, 0, 0, time.UTC).UnixMilli()
	return []any{user, id, id / 3, fmt.Sprint(at), path, killSecret}
}

func killEvents(dump int64, table, key string, inc bool, parts ...[][]any) model.Entry {
	e := model.Entry{Table: table, Incremental: model.Bool(inc), Columns: []string{"user_id", key, "visit_id", "time", "path", "email"}}
	for i, rows := range parts {
		e.Files = append(e.Files, &model.File{
			Key: fmt.Sprintf("sync_%d/_heap_table_name=%s/part-%05d.avro", dump, table, i), BlockRows: 2, Codec: "snappy", Rows: rows,
			Fields: []model.Field{{Name: "user_id", Type: []any{"null", "long"}}, {Name: key, Type: "long"}, {Name: "visit_id", Type: "long"},
				{Name: "time", Type: killText}, {Name: "path", Type: killText}, {Name: "email", Type: killText}},
		})
	}
	return e
}

func killUsers(dump int64, inc bool, rows ...[]any) model.Entry {
	return model.Entry{Table: feed.TableUsers, Incremental: model.Bool(inc), Columns: []string{"user_id", "joindate", "last_modified", "plan", "email"},
		Files: []*model.File{{
			Key: fmt.Sprintf("sync_%d/_heap_table_name=users/part-00000.avro", dump), BlockRows: 2, Rows: rows,
			Fields: []model.Field{{Name: "user_id", Type: "long"}, {Name: "joindate", Type: killText}, {Name: "last_modified", Type: killText},
				{Name: "plan", Type: killText}, {Name: "email", Type: killText}},
		}}}
}

func killMapping(dump int64, pairs ...[2]int64) model.Entry {
	f := &model.File{Key: fmt.Sprintf("sync_%d/_heap_table_name=user_migrations/part-00000.avro", dump),
		Fields: []model.Field{{Name: "from_user_id", Type: "long"}, {Name: "to_user_id", Type: "long"}, {Name: "time", Type: killText}}}
	for _, p := range pairs {
		f.Rows = append(f.Rows, []any{p[0], p[1], nil})
	}
	return model.Entry{Table: feed.TableMapping, Incremental: model.Bool(false), Columns: []string{"from_user_id", "to_user_id", "time"}, Files: []*model.File{f}}
}

func killUser(id int64, day int, plan any) []any {
	return []any{id, "2026-01-01", fmt.Sprintf("2026-01-%02d", day), plan, killSecret}
}

// killDumps returns dumps 1 to 4.
func killDumps() []*model.Dump {
	rows := func(r ...[]any) [][]any { return r }
	e := killEvent
	return []*model.Dump{
		{ID: 1, Entries: []model.Entry{
			killEvents(1, "pageviews", "event_id", true,
				rows(e(1, int64(1), 1, "/a"), e(2, int64(2), 2, "/b"), e(3, int64(2), 2, "/c"), e(4, int64(3), 3, "/d")),
				rows(e(4, int64(4), 3, "/d"), e(5, int64(5), 3, "/e"), e(6, int64(6), 4, "/f"), e(7, nil, 4, "/no user"))),
			killEvents(1, "sessions", "session_id", true, rows(e(50, int64(1), 1, "/s"), e(51, int64(2), 1, "/s"), e(52, int64(3), 2, "/s"))),
			killUsers(1, true, killUser(1, 2, "free"), killUser(2, 3, nil), killUser(3, 1, "pro")),
			killMapping(1, [2]int64{2, 1}),
		}},
		{ID: 2, Entries: []model.Entry{
			killEvents(2, "pageviews", "event_id", true,
				rows(e(1, int64(1), 2, "/moved"), e(4, int64(3), 3, "/d2"), e(8, int64(4), 5, "/g"), e(3, int64(2), 2, "/c")),
				rows(e(9, int64(7), 2, "/h"), e(10, nil, 2, "/nobody"))),
			killEvents(2, "sessions", "session_id", true, rows(e(51, int64(2), 2, "/s2"), e(53, int64(1), 2, "/s"))),
			killUsers(2, true, killUser(2, 9, "team"), killUser(4, 4, nil)),
			killMapping(2, [2]int64{2, 1}, [2]int64{4, 3}),
		}},
		{ID: 3, Entries: []model.Entry{
			killEvents(3, "pageviews", "event_id", false,
				rows(e(2, int64(2), 2, "/b3"), e(4, int64(3), 6, "/d3"), e(11, int64(1), 6, "/n"))),
			killUsers(3, false, killUser(1, 9, "pro"), killUser(2, 10, nil)),
		}},
		{ID: 4, Entries: []model.Entry{killMapping(4, [2]int64{4, 3}, [2]int64{3, 1}, [2]int64{6, 5})}},
	}
}

// killRedelivery delivers dump 2 again, with another mapping if there are pairs.
func killRedelivery(pairs ...[2]int64) *model.Dump {
	entries := killDumps()[1].Entries
	if len(pairs) > 0 {
		entries[3] = killMapping(2, pairs...)
	}
	return again(3, entries...)
}

// killGrowing is a third dump whose files are not complete when it is applied. Of
// sessions another file stands there.
func killGrowing() *model.Dump {
	e := killEvent
	d := &model.Dump{ID: 3, Entries: []model.Entry{
		killEvents(3, "pageviews", "event_id", true,
			[][]any{e(2, int64(2), 2, "/b3"), e(4, int64(3), 6, "/d3"), e(11, int64(1), 6, "/n"), e(12, nil, 2, "/nobody"), e(1, int64(1), 3, "/moved")}),
		killEvents(3, "sessions", "session_id", true, [][]any{e(51, int64(2), 3, "/s3"), e(54, int64(3), 2, "/s"), e(52, int64(3), 2, "/s3")}),
		killUsers(3, true, killUser(1, 9, "pro"), killUser(2, 10, nil), killUser(5, 1, "free"), killUser(1, 9, "team")),
		killMapping(3, [2]int64{2, 1}, [2]int64{4, 3}, [2]int64{6, 5}),
	}}
	for i := range d.Entries {
		f := d.Entries[i].Files[0]
		f.BlockRows, f.Rest, f.Draft = 1, 2, d.Entries[i].Table == "sessions"
		if d.Entries[i].Table == feed.TableMapping {
			f.Rest = 1 // of users without sessions: these are rebuilt under the mapping before
		}
	}
	return d
}

// killCase is a step that is interrupted or whose state is damaged: what is
// there before it, and what arrives or changes.
type killCase struct {
	name          string
	tuning        Tuning
	before, after int         // number of dumps that have arrived
	hcl, then     string      // the configuration before and after
	gone          string      // folder of a sink that the case loses and forgets
	third         *model.Dump // nil for that of killDumps; its files are complete after the case
	until         *int64      // until_dump after the case
}

func killCases() []killCase {
	small := Tuning{GroupRows: 2, SpillGroup: 2, HashBits: 8, Inline: 1, IndexRuns: 1, AppendAt: 1, CutAt: 1}
	spill, inline := small, small
	spill.Memory, inline.Inline = 1, 0
	byDate := strings.Replace(killConfig, "[year(time), month(time), day(time)]", "[date(time)]", 1)
	without := killConfig + "ignore \"sessions\" {}\n"
	masked := killConfig + "mask \"pii\" {\n  tables = [\"*\"]\n  columns = [\"email\"]\n  method = \"null\"\n}\n"
	// Pageviews are in both sinks, all else only in the one that goes.
	old := strings.ReplaceAll(killConfig, "sink.parquet.lake", "sink.parquet.old") + "sink \"parquet\" \"old\" { path = \"../old\" }\n" +
		"table \"pageviews\" { sinks = [sink.parquet.old, sink.parquet.lake] }\n"
	// The same tables in another sink, of another form, and in both.
	other := strings.ReplaceAll(killConfig, "sink.parquet.lake", "sink.parquet.other") + "sink \"parquet\" \"other\" {\n  path = \"../other\"\n  compression = \"snappy\"\n}\n"
	both := strings.ReplaceAll(other, "[sink.parquet.other]", "[sink.parquet.other, sink.parquet.lake]")
	two := int64(2)
	return []killCase{
		{"first", spill, 0, 2, killConfig, killConfig, "", nil, nil},
		{"delta", small, 1, 2, killConfig, killConfig, "", nil, nil},
		{"spilled", spill, 1, 2, killConfig, killConfig, "", nil, nil},
		{"inline", inline, 1, 2, killConfig, killConfig, "", nil, nil},
		{"resync", small, 2, 3, killConfig, killConfig, "", nil, nil},
		{"mapping", small, 3, 4, killConfig, killConfig, "", nil, nil},
		{"repartition", spill, 2, 2, killConfig, byDate, "", nil, nil},
		{"removal", small, 2, 2, killConfig, without, "", nil, nil},
		{"mask", small, 2, 2, killConfig, masked, "", nil, nil},
		{"rebuild", spill, 2, 2, masked, killConfig, "", nil, nil},
		{"forget", small, 2, 2, old, killConfig, "old", nil, nil},
		{"redelivery", small, 2, 3, killConfig, killConfig, "", killRedelivery(), nil},
		{"redelivery and mapping", small, 2, 3, killConfig, killConfig, "", killRedelivery([2]int64{3, 1}, [2]int64{6, 5}), nil},
		{"growing", small, 3, 3, killConfig, killConfig, "", killGrowing(), nil},
		{"sink added", small, 2, 2, other, both, "", nil, nil},
		{"sink left", small, 2, 2, both, other, "", nil, nil},
		{"back", small, 4, 4, killConfig, killConfig, "", nil, &two},
	}
}
