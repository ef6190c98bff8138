package engine

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
)

// changes fails unless the configuration changes these settings of tables, each as
// "table: setting".
func (a *bed) changes(want ...string) {
	a.t.Helper()
	got := sortedKeys(settingsOf(a.configDiff().Entries))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		a.t.Errorf("the configuration changes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// onlyConfig applies what the configuration changes, and nothing else is left of it.
func (a *bed) onlyConfig() *Result {
	a.t.Helper()
	a.opts.ConfigOnly = true
	res, err := a.apply()
	if err != nil {
		a.t.Fatal(err)
	}
	a.changes()
	a.checkIdle()
	a.opts.ConfigOnly = false
	return res
}

// lakeWith is lakeTables with something more in the block of all tables.
func lakeWith(text string) string {
	return strings.Replace(lakeTables, `{ sinks = [sink.parquet.lake] }`, "{\n  sinks = [sink.parquet.lake]\n  "+text+"\n}", 1)
}

// What each kind of change is called, and that it is applied without what is pending.
func TestConfigOnlySettings(t *testing.T) {
	one := func(id int) *model.File {
		return avroPart("event_id user_id time total", row(id, 10, "2026-01-05", "4.5"))
	}
	source := func(more string) func(a *bed) {
		return func(a *bed) {
			a.prelude = strings.Replace(a.prelude, `{ path = "../dumps" }`, "{\n  path = \"../dumps\"\n"+more+"\n}", 1)
		}
	}
	column := func(text string) func(a *bed) {
		return func(a *bed) {
			a.hcl = lakeWith("column \"total\" { " + text + " }")
		}
	}
	for name, c := range map[string]struct {
		change func(a *bed)
		want   []string
		rows   string // event ids of e and f afterwards
	}{
		"nothing":   {func(*bed) {}, nil, "1,2 1,2"},
		"type":      {column(`type = "double"`), []string{"e: column total: type: double, it was string", "f: column total: type: double, it was string"}, "1,2 1,2"},
		"as":        {column(`as = "sum"`), []string{"e: column total: as: sum, it was total", "e: column total: as: sum, it was with other spellings", "f: column total: as: sum, it was total", "f: column total: as: sum, it was with other spellings"}, "1,2 1,2"},
		"skip":      {source("skip_dump \"2\" {\n tables = [\"e\"]\n reason = \"bad\"\n}"), []string{`e: skip_dump "2": skipped, it was applied`}, "1 1,2"},
		"back":      {source("until_dump = 1"), []string{"e: until_dump: 1", "f: until_dump: 1"}, "1 1"},
		"later":     {source("until_dump = 2"), nil, "1,2 1,2"},
		"partition": {func(a *bed) { a.hcl = lakeWith("partition_by = [date(time)]") }, []string{"e: partition_by: [date(time)], it was []", "f: partition_by: [date(time)], it was []"}, "1,2 1,2"},
		"left out":  {func(a *bed) { a.hcl = strings.Replace(lakeTables, `table "*"`, `ignore "f" {}`+"\n"+`table "*"`, 1) }, []string{"f: table: left out, it was taken"}, "1,2 "},
		"forgotten": {func(a *bed) { a.hcl = lakeTables + `removed "f" { destroy = false }` }, []string{"f: table: forgotten, it was taken"}, "1,2 1,2"},
		"new sink": {func(a *bed) {
			a.prelude += "sink \"parquet\" \"more\" { path = \"../more\" }\n"
			a.hcl = strings.Replace(lakeTables, `"*" { sinks = [sink.parquet.lake] }`, `"*" { sinks = [sink.parquet.lake, sink.parquet.more] }`, 1)
		}, []string{"e: sinks of MORE: in it, it was not in it", "f: sinks of MORE: in it, it was not in it"}, "1,2 1,2"},
		"mapping": {source("skip_dump \"2\" {\n tables = [\"user_migrations\"]\n reason = \"bad\"\n}"), nil, "1,2 1,2"},
		"unapplied": {func(a *bed) {
			a.hcl = lakeTables + "table \"later\" { sinks = [sink.parquet.lake] }\nmask \"m\" {\n columns = [\"nowhere\"]\n method = \"null\"\n}"
		}, nil, "1,2 1,2"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, lakeTables)
			a.run(dumpOf(1, full("e", one(1)), full("f", one(1))))
			a.run(dumpOf(2, more("e", one(2)), more("f", one(2)), full("user_migrations", avroPart("from_user_id to_user_id", row(10, 9)))))
			a.arrive(dumpOf(3, more("e", one(3)), more("f", one(3))))
			c.change(a)
			for i := range c.want {
				c.want[i] = strings.ReplaceAll(c.want[i], "MORE", filepath.Join(a.dir, "more"))
			}
			a.changes(c.want...)
			a.onlyConfig()
			ids := func(folder string) string {
				var out []string
				for _, r := range a.got(folder, "event_id user_id") {
					id, user, _ := strings.Cut(r, " ")
					if user != "9" {
						t.Errorf("the row %s of %s is not of the mapping where it stood", r, folder)
					}
					out = append(out, id)
				}
				return strings.Join(out, ",")
			}
			if got := ids("e") + " " + ids("f"); got != c.rows {
				t.Errorf("afterwards the tables have %q instead of %q", got, c.rows)
			}
		})
	}
}

// A rebuild of a change needs its dumps: where a file is gone the table is held, where the
// dump is the apply is refused.
func TestConfigOnlyRebuildWithoutDumps(t *testing.T) {
	a := newBed(t, lakeWith("column \"total\" { type = \"double\" }"))
	a.run(dumpOf(1, full("e", avroPart("event_id user_id total", row(1, 10, "4.5")))))
	a.removeTree("dumps/sync_1")
	a.hcl = lakeTables
	a.changes("e: column total: type: string, it was double")
	a.opts.ConfigOnly = true
	res, err := a.apply()
	if err != nil {
		t.Fatal(err)
	}
	a.held(res, "e 1 the manifest lists this file, but it is not there -accept-loss=e")
	a.removeTree("dumps/manifests/sync_1.json")
	if res, err := a.apply(); err == nil || !strings.Contains(err.Error(), "-accept-loss=e") {
		t.Errorf("the apply ends with %v, %+v", err, res)
	}
	a.want("e", "event_id total", "1 4.5")
}

// Tables that -target left behind stay at the dumps and the mapping where they stand, and a
// file that has grown is for the next apply of all.
func TestConfigOnlyOfTablesBehind(t *testing.T) {
	for name, c := range map[string]struct{ table, e, f string }{
		"rewritten": {"partition_by = [date(time)]", "1 9,2 9", "1 8,2 8,3 8"},
		"back":      {"", "1 9", "1 8"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, lakeTables)
			part := func(id int) *model.File { return avroPart("event_id user_id time", row(id, 10, "2026-01-05")) }
			grows := unfinished(1, "event_id user_id time", row(2, 10, "2026-01-05"), row(7, 10, "2026-01-05"))
			a.run(dumpOf(1, full("e", part(1)), full("f", part(1)), full("user_migrations", avroPart("from_user_id to_user_id", row(10, 9)))))
			a.run(dumpOf(2, more("e", grows), more("f", part(2))))
			a.opts.Targets = []string{"table.f"}
			a.run(dumpOf(3, more("e", part(3)), more("f", part(3)), full("user_migrations", avroPart("from_user_id to_user_id", row(10, 8)))))
			a.opts.Targets = nil
			a.show(grows, 0)
			a.hcl = lakeWith(c.table)
			if until := int64(1); name == "back" {
				a.until = &until
			}
			a.onlyConfig()
			a.want("e", "event_id user_id", strings.Split(c.e, ",")...)
			a.want("f", "event_id user_id", strings.Split(c.f, ",")...)
			a.run()
			a.check()
		})
	}
}
