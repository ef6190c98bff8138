package health

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/planner"
	"reconcile/internal/blob"
	"reconcile/internal/feed"
	"reconcile/internal/textlist"
	"reconcile/state"
)

var now = time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)

const testConfig = `
source "local" { path = "dumps" }
sink "parquet" "lake" { path = "lake" }
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
ignore "ignored" {}
`

// loadConfig loads a configuration.
func loadConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, diags := config.Load(dir, config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return cfg
}

// site makes the input of a judgement from lines, of which ages are those at now:
//
//	dump ID AGE TABLE[:HOW]...               a manifest; a table can come full, bad, keyless or empty
//	fields TABLE FIELD...                    what a file of a table has
//	broken ID AGE                            a manifest that cannot be read
//	changed ID                               a dump whose manifest changed after it was applied
//	report AGE STATUS [start=AGE] [next=AGE] a sync report; an age of "-" is no time
//	synced                                   the report of a sync that succeeded and has manifests
//	junk NAME                                a report that says nothing
//	table NAME ID...                         a table of the state with its dumps
//	at NAME ID                               the mapping that it stands at
//	mapping ID                               the mapping of the state
//	hold TABLE ID [guard]                    what the state remembers of a hold
//	held TABLE ID AGE                        a hold that an apply dated; a table of "-" is a dump's, by its manifest
//	behind TABLE                             -target left something of it
//	limit CHECK TABLE AGE
func site(t *testing.T, text, lines string) Input {
	t.Helper()
	s := &siteParser{in: Input{Ask: &planner.Request{Config: loadConfig(t, text)}, Listing: &dump.Listing{}, Reports: &dump.SyncReports{},
		Snap: &state.Snapshot{Tables: map[string]*state.Table{}, Dumps: map[int64]*state.Dump{}}}}
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			if err := s.line(words); err != nil {
				t.Fatalf("%s: %v", strings.TrimSpace(line), err)
			}
		}
	}
	slices.SortFunc(s.in.Listing.Dumps, func(a, b *dump.Dump) int { return int(a.ID - b.ID) })
	slices.SortStableFunc(s.in.Reports.Reports, func(a, b dump.SyncReport) int { return b.Finish.Compare(a.Finish) })
	return s.in
}

type siteParser struct{ in Input }

func ago(age string) time.Time {
	if age == "-" {
		return time.Time{}
	}
	d, err := time.ParseDuration(age)
	if err != nil {
		panic(err)
	}
	return now.Add(-d)
}

func (s *siteParser) line(words []string) error {
	id := int64(0)
	if len(words) > 1 {
		id, _ = strconv.ParseInt(words[1], 10, 64)
	}
	switch in := &s.in; words[0] {
	case "dump":
		in.Listing.Dumps = append(in.Listing.Dumps, newDump(id, ago(words[2]), words[3:]))
	case "broken":
		in.Listing.Problems = append(in.Listing.Problems, dump.Problem{Manifests: []string{fmt.Sprintf("manifests/%d.json", id)}, Dump: id, HasDump: true,
			Reason: "it is broken", Hint: "mend it", Changed: ago(words[2])})
	case "changed":
		in.Snap.Dumps[id] = &state.Dump{ID: id, Manifest: "manifests/old.json", Digest: "another"}
	case "report":
		in.Reports.All++
		r := dump.SyncReport{Key: fmt.Sprintf("sync_reports/%d.json", in.Reports.All), Finish: ago(words[1]), Status: words[2], Succeeded: words[2] == "succeeded"}
		for _, w := range words[3:] {
			if age, ok := strings.CutPrefix(w, "start="); ok {
				r.Start = ago(age)
			} else if age, ok := strings.CutPrefix(w, "next="); ok {
				r.Next = ago(age)
			}
		}
		in.Reports.Reports = append(in.Reports.Reports, r)
	case "synced":
		return s.line(strings.Fields("report 10h succeeded start=1000h next=-14h"))
	case "junk":
		in.Reports.All++
		in.Reports.Broken = append(in.Reports.Broken, dump.BrokenReport{Key: words[1], Reason: "it is empty"})
	case "table":
		rec := &state.Table{Name: words[1], Kind: feed.KindEvents, Key: feed.EventID, Commit: 7}
		if words[1] == feed.TableMapping {
			rec.Kind, rec.Key = feed.KindMapping, feed.FromUserID
		}
		for _, w := range words[2:] {
			n, _ := strconv.ParseInt(w, 10, 64)
			rec.Applied = append(rec.Applied, state.Applied{Dump: n, Incremental: true})
			rec.LastDelivery = n
		}
		in.Snap.Tables[words[1]] = rec
	case "at":
		n, _ := strconv.ParseInt(words[2], 10, 64)
		in.Snap.Tables[words[1]].HasMapping, in.Snap.Tables[words[1]].MappingDump = true, n
	case "mapping":
		in.Snap.Mapping = &state.Mapping{Dump: id}
	case "hold":
		n, _ := strconv.ParseInt(words[2], 10, 64)
		h := state.Hold{Table: words[1], Dump: n, File: "part.avro", Reason: "it is damaged"}
		if len(words) > 3 {
			h.Guard = words[3]
		}
		in.Snap.Holds = append(in.Snap.Holds, h)
	case "fields":
		if in.Fields == nil {
			in.Fields = map[string][]string{}
		}
		in.Fields[words[1]] = words[2:]
	case "held":
		n, _ := strconv.ParseInt(words[2], 10, 64)
		h := state.HeldSince{Table: words[1], Dump: n, File: "part.avro", Reason: "it is missing", Since: ago(words[3]).UnixMilli()}
		if h.Table == "-" {
			h.Table, h.File = "", fmt.Sprintf("manifests/%d.json", n)
		}
		in.Snap.Waiting.Holds = append(in.Snap.Waiting.Holds, h)
	case "behind":
		in.Snap.Waiting.Tables = append(in.Snap.Waiting.Tables, state.WaitingTable{Table: words[1], Behind: true})
	case "limit":
		d, err := time.ParseDuration(words[3])
		in.Limits = append(in.Limits, Limit{Check: words[1], Table: words[2], MaxAge: d})
		return err
	default:
		return fmt.Errorf("there is no line %s", words[0])
	}
	return nil
}

// oneFile is a list of one file.
func oneFile() textlist.List {
	w := textlist.New(0, nil).NewWriter()
	w.Add("part")
	l, _ := w.List() // in memory
	return l
}

func newDump(id int64, at time.Time, tables []string) *dump.Dump {
	d := &dump.Dump{ID: id, Manifest: fmt.Sprintf("manifests/%d.json", id), Digest: "digest", Object: blob.Object{ModTime: at}}
	for _, w := range tables {
		name, how, _ := strings.Cut(w, ":")
		en := &dump.Entry{Name: name, Incremental: how != "full", HasColumns: true, Columns: []string{feed.UserID, feed.EventID}, Files: oneFile()}
		switch how {
		case "bad":
			en.Problem = "it is malformed"
		case "keyless":
			en.Columns = []string{"city"}
		case "empty":
			en.HasColumns, en.Columns, en.Files = false, nil, textlist.List{}
		}
		d.Entries = append(d.Entries, en)
	}
	slices.SortFunc(d.Entries, func(a, b *dump.Entry) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// problems writes the problems of a judgement, one a line.
func problems(h *Health) []string {
	var out []string
	for _, p := range h.Problems {
		words := []string{string(p.Kind)}
		if p.Check != "" {
			words = append(words, "check="+p.Check)
		}
		if p.Dump != nil {
			words = append(words, fmt.Sprint("dump=", *p.Dump))
		}
		if len(p.Tables) > 0 {
			words = append(words, "tables="+strings.Join(p.Tables, ","))
		}
		age := "never"
		if !p.Since.IsZero() {
			age = p.Age.String()
		}
		out = append(out, strings.Join(append(words, age, "limit", p.Limit.String()), " "))
	}
	return out
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		lines  string
		maxAge time.Duration
		want   []string
	}{
		"all is well": {lines: `
			report 10h succeeded start=11h next=-14h
			dump 1 34h a b
			dump 2 10h a b
			table a 1 2
			table b 1 2`},
		"the next sync is 6 hours late, to the second": {lines: `
			report 30h succeeded start=31h next=6h
			dump 1 30h`},
		"the next sync is later than that": {lines: `
			report 30h succeeded start=31h next=6h1s
			dump 1 30h`, want: []string{"late 30h0m0s limit 29h59m59s"}},
		"a weekly sync is no daily one": {lines: `
			report 160h succeeded start=161h next=-8h
			dump 1 160h`},
		"no report says when the next sync is due": {lines: `
			report 31h succeeded start=32h
			dump 1 31h`, want: []string{"late 31h0m0s limit 30h0m0s"}},
		"the next sync was due before the last one ended": {lines: `
			report 29h succeeded start=30h next=40h
			dump 1 29h`},
		"-max-age is shorter": {maxAge: 2 * time.Hour, lines: `
			report 3h succeeded start=4h next=-14h
			dump 1 3h`, want: []string{"late 3h0m0s limit 2h0m0s"}},
		"-max-age is longer": {maxAge: 100 * time.Hour, lines: `
			report 90h succeeded start=91h next=60h
			dump 1 90h`},
		"failures after a success do not make it older": {lines: `
			report 1h failed
			report 10h succeeded start=11h next=-14h
			report 40h succeeded start=41h
			dump 1 10h`},
		"one of the reports is under way": {lines: `
			report - running start=10m
			report 10h succeeded start=11h next=-14h
			dump 1 10h`},
		"nothing but failures": {lines: `
			report 1h failed
			report 3h failed
			dump 1 10m`, want: []string{"late never limit 30h0m0s"}},
		"nothing but broken reports": {lines: `
			junk a.json
			dump 1 10m`, want: []string{"late never limit 30h0m0s"}},
		"without reports the manifests tell": {lines: `
			dump 1 80h
			dump 2 29h`},
		"without reports the newest manifest is old": {lines: `
			dump 3 31h
			dump 4 80h`, want: []string{"late 31h0m0s limit 30h0m0s"}},
		"without reports a broken manifest is one": {lines: `
			dump 1 80h
			broken 2 10h`},
		"nothing ever came": {want: []string{"late never limit 30h0m0s"}},
		"a clock that is behind": {lines: `
			report -10m succeeded start=5m next=-24h
			dump 1 -10m`},

		"succeeded without a manifest": {lines: `
			report 61m succeeded start=90m next=-24h
			dump 1 25h`, want: []string{"no_manifest 1h1m0s limit 1h0m0s"}},
		"succeeded without a manifest, a moment ago": {lines: `
			report 59m succeeded start=90m next=-24h
			dump 1 25h`},
		"its manifest came while the sync ran": {lines: `
			report 5h succeeded start=7h next=-19h
			dump 1 6h`},
		"its manifest is of the second in which it began": {lines: `
			report 5h succeeded start=6h59m59s100ms next=-19h
			dump 1 7h`},
		"its manifest cannot be read": {lines: `
			report 5h succeeded start=7h next=-19h
			broken 1 6h`},
		"syncs every hour, and none has a manifest": {lines: `
			report 30m succeeded start=40m next=-30m
			report 90m succeeded start=100m next=30m
			report 150m succeeded start=160m next=90m
			dump 1 5h`, want: []string{"no_manifest 1h30m0s limit 1h0m0s"}},
		"a manifest that never came was followed by another": {lines: `
			report 30m succeeded start=40m next=-24h
			report 90m succeeded start=100m
			dump 1 5h
			dump 2 30m`},
		"without a start, the sync before tells": {lines: `
			report 2h succeeded next=-24h
			report 26h succeeded
			dump 1 27h`, want: []string{"no_manifest 2h0m0s limit 1h0m0s"}},
		"without a start, and a manifest since": {lines: `
			report 2h succeeded next=-24h
			report 26h succeeded
			dump 1 25h`},

		"a manifest that waits for the night": {lines: `
			synced
			dump 1 10h a
			table b`},
		"a manifest that nobody took": {lines: `
			synced
			dump 1 31h a b
			dump 2 10h a b
			table b 2
			table a 1`, want: []string{"unapplied dump=1 tables=b 31h0m0s limit 30h0m0s"}},
		"several tables lack several dumps": {lines: `
			synced
			dump 1 50h a b c
			dump 2 40h a b c
			table a 1
			table c`, want: []string{"unapplied dump=1 tables=b,c 50h0m0s limit 30h0m0s", "unapplied dump=2 tables=a 40h0m0s limit 30h0m0s"}},
		"a late dump is as old as its manifest": {lines: `
			synced
			dump 1 10h a
			dump 2 50h a
			table a 2`},
		"of several dumps the one that arrived first counts": {lines: `
			synced
			dump 1 10h a
			dump 2 50h a
			dump 3 40h a`, want: []string{"unapplied dump=2 tables=a 50h0m0s limit 30h0m0s"}},
		"dumps that are left out, and tables that nobody wants": {config: strings.Replace(testConfig, `source "local" { path = "dumps" }`, `source "local" {
			path = "dumps"
			until_dump = 4
			skip_dump "2" {
				tables = ["a"]
				reason = "test"
			}
			}`, 1), lines: `
			synced
			dump 2 50h a
			dump 4 50h ignored _event_metadata
			dump 5 50h a
			broken 6 50h
			dump 7 10h a
			table a`},
		"the mapping waits for too long": {lines: `
			synced
			dump 1 60h user_migrations
			dump 2 40h user_migrations
			mapping 1`, want: []string{"unapplied dump=2 tables=user_migrations 40h0m0s limit 30h0m0s"}},
		"of mappings that wait, only the newest counts": {lines: `
			synced
			dump 1 60h user_migrations
			dump 2 40h user_migrations
			dump 3 10h user_migrations`},
		"a late mapping is void": {lines: `
			synced
			dump 1 60h user_migrations
			dump 2 40h user_migrations
			mapping 2`},
		"a dump without anything": {lines: `
			synced
			dump 1 60h users:empty
			dump 2 10h`},

		"a table whose keys no manifest lists": {lines: `
			synced
			dump 1 31h event:keyless properties:keyless unread:keyless users:keyless ignored:keyless
			fields event city user_id event_id
			fields properties city`, want: []string{"unapplied dump=1 tables=event,unread,users 31h0m0s limit 30h0m0s"}},

		"held for too long": {lines: `
			synced
			dump 1 50h a
			dump 2 40h a
			dump 3 10h a
			table a 1
			hold a 2`, want: []string{"unapplied dump=2 tables=a 40h0m0s limit 30h0m0s", "held dump=2 tables=a 40h0m0s limit 30h0m0s"}},
		"held since last night": {lines: `
			synced
			dump 1 50h a
			dump 2 10h a
			table a 1
			hold a 2`},
		"held since an apply met it": {lines: `
			synced
			dump 1 50h a
			dump 2 29h a b
			dump 3 40h b
			table a 1
			table b 2
			hold a 2
			held a 2 31h
			held b 3 29h`, want: []string{"unapplied dump=3 tables=b 40h0m0s limit 30h0m0s", "held dump=2 tables=a 31h0m0s limit 30h0m0s"}},
		"a dump of which an apply met that it cannot be read": {lines: `
			synced
			dump 1 10h
			broken 2 50h
			broken 3 50h
			held - 2 29h`, want: []string{"held dump=3 50h0m0s limit 30h0m0s"}},
		"a table that -target left behind a mapping": {lines: `
			synced
			dump 1 60h a b user_migrations
			dump 2 50h user_migrations
			dump 3 10h user_migrations
			table a 1
			table b 1
			at a 1
			at b 3
			behind a
			mapping 3`, want: []string{"unapplied dump=2 tables=a 50h0m0s limit 30h0m0s"}},
		"a table that a mapping does not touch": {lines: `
			synced
			dump 1 60h a user_migrations
			dump 2 50h user_migrations
			table a 1
			at a 1
			mapping 2`},
		"a guard holds the mapping": {lines: `
			synced
			dump 1 60h user_migrations
			dump 2 40h user_migrations
			hold user_migrations 2 max_mappings_removed
			mapping 1`, want: []string{"unapplied dump=2 tables=user_migrations 40h0m0s limit 30h0m0s", "held dump=2 tables=user_migrations 40h0m0s limit 30h0m0s"}},
		"a manifest that cannot be read": {lines: `
			synced
			dump 1 10h
			broken 2 31h
			broken 3 29h`, want: []string{"held dump=2 31h0m0s limit 30h0m0s"}},
		"a manifest that changed": {lines: `
			synced
			dump 1 31h a
			changed 1
			table a 1`, want: []string{"held dump=1 31h0m0s limit 30h0m0s"}},
		"a malformed entry": {lines: `
			synced
			dump 1 31h a:bad b
			table b 1`, want: []string{"unapplied dump=1 tables=a 31h0m0s limit 30h0m0s", "held dump=1 tables=a 31h0m0s limit 30h0m0s"}},
		"a malformed entry that a resync makes void": {lines: `
			synced
			dump 1 31h a:bad
			dump 2 10h a:full`, want: []string{"unapplied dump=1 tables=a 31h0m0s limit 30h0m0s"}},
		"a malformed entry of a table that nobody wants": {lines: `
			synced
			dump 1 31h ignored:bad
			dump 2 10h`},

		"checks of freshness": {lines: `
			synced
			dump 1 50h a b user_migrations
			dump 2 10h b
			table a 1
			table b 1 2
			table gone 5
			mapping 1
			limit fresh b 36h
			limit fresh a 36h
			limit fresh gone 36h
			limit maps user_migrations 36h
			limit none never 1h`, want: []string{
			"freshness check=fresh dump=1 tables=a 50h0m0s limit 36h0m0s",
			"freshness check=fresh dump=5 tables=gone never limit 36h0m0s",
			"freshness check=maps dump=1 tables=user_migrations 50h0m0s limit 36h0m0s",
			"freshness check=none tables=never never limit 1h0m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.config == "" {
				c.config = testConfig
			}
			in := site(t, c.config, c.lines)
			in.MaxAge = c.maxAge
			if diff := cmp.Diff(c.want, problems(Judge(in, now))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestTablesAreDescribed says what is known of each table.
func TestTablesAreDescribed(t *testing.T) {
	h := Judge(site(t, strings.Replace(testConfig, "ignore", `table "user_migrations" { sinks = [sink.parquet.lake] }
		table "left" {
		  inherit = false
		  sinks = [sink.parquet.lake]
		}
		ignore`, 1), `
		synced
		dump 1 50h a b user_migrations left
		dump 2 40h a user_migrations
		dump 3 30h ignored
		dump 4 10h a new users:empty
		broken 5 5h
		table a 1 2
		table b 1
		table gone 7
		table ignored 1
		table user_migrations
		at a 2
		at user_migrations 1
		mapping 2`), now)
	delivered := func(d *Delivered) string {
		switch {
		case d == nil:
			return "none"
		case d.At.IsZero():
			return fmt.Sprint(d.Dump)
		}
		return fmt.Sprint(d.Dump, " ", now.Sub(d.At))
	}
	var got []string
	for _, x := range h.Tables {
		text := fmt.Sprintf("%s commit %d last %s, %d unapplied since %s", x.Name, x.Commit, delivered(x.Last), x.Unapplied, delivered(x.Oldest))
		if x.Mapping != nil {
			text += fmt.Sprint(", mapping ", *x.Mapping)
		}
		got = append(got, text)
	}
	want := []string{
		"a commit 7 last 4 10h0m0s, 1 unapplied since 4 10h0m0s, mapping 2",
		"b commit 7 last 1 50h0m0s, 0 unapplied since none",
		"gone commit 7 last 7, 0 unapplied since none",
		"left commit 0 last 1 50h0m0s, 1 unapplied since 1 50h0m0s",
		"new commit 0 last 4 10h0m0s, 1 unapplied since 4 10h0m0s",
		"user_migrations commit 7 last 2 40h0m0s, 1 unapplied since 2 40h0m0s, mapping 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if h.Newest == nil || h.Newest.Dump != 4 || *h.Mapping.InForce != 2 || delivered(h.Mapping.Last) != "2 40h0m0s" || h.Mapping.Waiting != nil {
		t.Errorf("newest %v, mapping %+v", h.Newest, h.Mapping)
	}
}

// stops writes which tables stopped arriving.
func stops(h *Health) []string {
	var out []string
	for _, x := range h.Tables {
		if x.Stopped != nil {
			out = append(out, fmt.Sprintf("%s %d of %d", x.Name, x.Stopped.Missing, x.Stopped.Usual))
		}
	}
	if s := h.Mapping.Stopped; s != nil {
		out = append(out, fmt.Sprintf("mapping %d of %d", s.Missing, s.Usual))
	}
	return out
}

// TestTablesThatStopped: a table is expected as often as it came before.
func TestTablesThatStopped(t *testing.T) {
	for name, c := range map[string]struct {
		dumps string // the tables of each dump
		want  []string
	}{
		"each night, and last night":       {"a a a", nil},
		"each night, not last night":       {"a a a -", []string{"a 1 of 1"}},
		"it stays so":                      {"a a a - - -", []string{"a 3 of 1"}},
		"each second night":                {"a - a - a -", nil},
		"each second night, and not again": {"a - a - a - -", []string{"a 2 of 2"}},
		"now and then":                     {"a - - - - a a - - -", nil},
		"once":                             {"a - - - - -", nil},
		"the mapping too":                  {"a,user_migrations a,user_migrations a", []string{"mapping 1 of 1"}},
		"nobody wants it":                  {"ignored ignored a", nil},
		"a gap of long ago does not count": {"a - - - - - " + strings.Repeat("a ", 31) + "-", []string{"a 1 of 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var lines strings.Builder
			for i, tables := range strings.Fields(c.dumps) {
				fmt.Fprintf(&lines, "dump %d 1h %s\n", i+1, strings.ReplaceAll(strings.Trim(tables, "-"), ",", " "))
			}
			if diff := cmp.Diff(c.want, stops(Judge(site(t, testConfig, lines.String()), now))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
