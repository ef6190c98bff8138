package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/model"
	"reconcile/engine/work"
	"reconcile/internal/feed"
)

// progressLog is what a command told of how far it is. What it tells never goes back, and
// never goes beyond what there is.
type progressLog struct {
	t   *testing.T
	all []work.Progress
}

func (l *progressLog) tell(p work.Progress) {
	was := l.last()
	if p.Done < was.Done || p.Share < was.Share || p.Share > 1 || p.Done > p.Total || p.RowsRead < was.RowsRead || p.BytesRead < was.BytesRead {
		l.t.Errorf("after %+v comes %+v", was, p)
	}
	l.all = append(l.all, p)
}

func (l *progressLog) last() work.Progress {
	if len(l.all) == 0 {
		return work.Progress{}
	}
	return l.all[len(l.all)-1]
}

// ended checks that all is done.
func (l *progressLog) ended() {
	l.t.Helper()
	if p := l.last(); len(l.all) > 0 && (p.Done != p.Total || p.Share != 1 && p.Total > 0) {
		l.t.Errorf("in the end %d of %d are done, the share is %v", p.Done, p.Total, p.Share)
	}
}

// farthest is by how much the share went on at most from one time to the next, and after
// what.
func (l *progressLog) farthest() (float64, work.Progress) {
	step, after := 0., work.Progress{}
	for i := 1; i < len(l.all); i++ {
		if d := l.all[i].Share - l.all[i-1].Share; d > step {
			step, after = d, l.all[i-1]
		}
	}
	return step, after
}

// phases lists what was being done of tables.
func (l *progressLog) phases() string {
	var out []string
	for _, p := range l.all {
		if s := fmt.Sprintf("%s %s", p.Table, p.Phase); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// progressDump is the n-th of a stream of dumps of many rows in several files.
func progressDump(n int, entry func(string, ...*model.File) model.Entry) *model.Dump {
	file := func(k int) *model.File {
		var rows [][]any
		for i := range 100 {
			at := 1000*n + 100*k + i
			rows = append(rows, row(at, at%50, fmt.Sprintf("2026-01-%02d", 1+at%10), fmt.Sprintf("value %d", at)))
		}
		return avroPart("event_id user_id time v:string", rows...)
	}
	var people [][]any
	for i := range 50 {
		people = append(people, row(i, fmt.Sprintf("user %d", i)))
	}
	return dumpOf(int64(n), entry("e", file(0), file(1), file(2), file(3)), more("users", avroPart("user_id v:string", people...)))
}

// progressTables are two tables, one of them with partitions, in one sink.
const progressTables = `
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

// withoutPartitions and withPond are the same without partitions, and with a second sink.
var (
	withoutPartitions = strings.Replace(progressTables, "partition_by = [date(time)]", "", 1)
	withPond          = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n" + strings.ReplaceAll(progressTables, "[sink.parquet.lake]", "[sink.parquet.lake, sink.parquet.pond]")
)

// Whatever an apply does, it tells how far it is in small steps, and all is done in the end.
func TestProgress(t *testing.T) {
	mapping := func(n int) *model.Dump {
		return dumpOf(int64(n), full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(3, 4))))
	}
	for _, c := range []struct {
		name     string
		prepare  func(a *bed)
		arrive   []*model.Dump
		farthest float64 // by which the share may go on at once, also where less proves to be left; 1 where something is given up
		phases   string  // that are seen of e
		nothing  bool
	}{
		{name: "a load", arrive: []*model.Dump{progressDump(2, full)}, farthest: 0.2, phases: "reading writing publishing"},
		{name: "a night", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{progressDump(2, more)}, farthest: 0.3, phases: "reading judging writing publishing"},
		{name: "a full resync", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{progressDump(2, full)}, farthest: 0.2, phases: "reading writing publishing"},
		{name: "a redelivery", prepare: func(a *bed) { a.run(progressDump(1, full), again(2, progressDump(1, more).Entries...)) }, arrive: []*model.Dump{again(3, progressDump(1, more).Entries...)}, farthest: 0.4, phases: "reading writing publishing"},
		{name: "a new mapping", prepare: func(a *bed) { a.run(progressDump(1, full)) }, arrive: []*model.Dump{mapping(2)}, farthest: 0.4, phases: "judging writing publishing"},
		{name: "other partitions", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.hcl = withoutPartitions
		}, farthest: 0.6, phases: "reading writing publishing"},
		{name: "a rebuild", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.opts.Replace = []string{"table.e"}
		}, farthest: 0.2, phases: "reading writing publishing"},
		{name: "two sinks", prepare: func(a *bed) { a.hcl = withPond }, arrive: []*model.Dump{progressDump(1, full)}, farthest: 0.2, phases: "reading writing publishing"},
		{name: "little memory", prepare: func(a *bed) { a.tuning.Memory = 1 << 12 }, arrive: []*model.Dump{progressDump(1, full), progressDump(2, more)}, farthest: 0.2, phases: "reading writing publishing"},
		{name: "nothing to do", prepare: func(a *bed) { a.run(progressDump(1, full)) }, nothing: true},
		{name: "a part file that holds its table", prepare: func(a *bed) {
			a.run(progressDump(1, full))
			a.arrive(progressDump(2, more), progressDump(3, more))
			cutShort(a, "sync_3/x/part-00003.avro")
		}, farthest: 1, phases: "reading judging writing publishing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newBed(t, progressTables)
			a.tuning.GroupRows = 10
			if c.prepare != nil {
				c.prepare(a)
			}
			a.arrive(c.arrive...)
			a.run()
			l := a.told
			if c.nothing {
				if len(l.all) > 0 {
					t.Errorf("it tells of %+v", l.all)
				}
				return
			}
			if by, after := l.farthest(); by > c.farthest {
				t.Errorf("of %d times the share went on by %.2f after %+v", len(l.all), by, after)
			}
			for _, phase := range strings.Fields(c.phases) {
				if !strings.Contains(l.phases(), "e "+phase) {
					t.Errorf("nothing is told of %s: %s", phase, l.phases())
				}
			}
		})
	}
}

// cutShort cuts a part file of a dump.
func cutShort(a *bed, key string) {
	a.t.Helper()
	path := filepath.Join(a.dir, "dumps", key)
	info, err := os.Stat(path)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-20); err != nil {
		a.t.Fatal(err)
	}
}

// The rows that are told are those of the table whose turn it is. Users that are looked
// through for those that are merged count once.
func TestProgressOfTables(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, append(progressDump(1, full).Entries, full("f", avroPart("event_id user_id", row(1, 10))), full("g", avroPart("event_id user_id", row(1, 10), row(2, 10))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(3, 4))))...))
	most, written := map[string]int64{}, int64(0)
	for _, p := range a.told.all {
		if p.Phase == exec.Reading {
			most[p.Table] = max(most[p.Table], p.Rows)
		} else if p.Table == feed.TableUsers && p.Phase == exec.Writing {
			written = max(written, p.Rows)
		}
	}
	if written != 50 {
		t.Errorf("%d rows of users are told to be written, there are 50", written)
	}
	for table, rows := range most {
		if limit := map[string]int64{"e": 400, "f": 1, "g": 2, "users": 50}[table]; rows > limit {
			t.Errorf("%d rows of %s are told, it has %d", rows, table, limit)
		}
	}
	if len(most) == 0 || a.told.last().RowsRead != 453 {
		t.Errorf("%d tables and %d rows are told", len(most), a.told.last().RowsRead)
	}
}

// What is said to be done at first comes to about what is done then, also where rows are much
// narrower or wider than usual: of a new table by a sample, of others by what they have.
func TestProgressForetellsRows(t *testing.T) {
	dump := func(n, rows, text int) *model.Dump {
		var all [][]any
		for i := range rows {
			at := 100_000*n + i
			all = append(all, row(at, at%500, fmt.Sprintf("2026-01-%02d", 1+at%10), strings.Repeat(fmt.Sprint(at), text)[:text]))
		}
		return dumpOf(int64(n), more("e", avroPart("event_id user_id time v:string", all...)))
	}
	for _, c := range []struct {
		name       string
		rows, text int
	}{{"narrow rows", 20_000, 1}, {"long texts", 1_000, 5_000}} {
		t.Run(c.name, func(t *testing.T) {
			a := newBed(t, progressTables)
			for n, what := range []string{"a load", "a night"} {
				a.run(dump(n+1, c.rows/(n+1), c.text)) // the second is no redelivery
				if said, done := a.told.all[0].Total, a.told.last().Done; said < done*3/4 || said > done*5/4 {
					t.Errorf("%s: %d of work are foretold, there were %d", what, said, done)
				}
			}
		})
	}
}
