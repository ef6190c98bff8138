package export

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is a set that tests can read.
func small(t *testing.T, change func(*Options)) Options {
	t.Helper()
	o, err := Set("quarter", 0.001)
	if err != nil {
		t.Fatal(err)
	}
	o.FileRows = 700
	if change != nil {
		change(&o)
	}
	return o
}

func write(t *testing.T, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dumps")
	if _, err := Write(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func addNight(t *testing.T, dir string, n Night) int {
	t.Helper()
	s, err := AddNight(dir, n)
	if err != nil {
		t.Fatal(err)
	}
	return int(s.Dump)
}

// contents maps the names of a folder's files to their bytes.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.Walk(dir, func(name string, fi os.FileInfo, err error) error {
		if err != nil || fi.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		out[strings.TrimPrefix(name, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEqualOptionsMakeEqualBytes(t *testing.T) {
	make := func(procs int) map[string]string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		dir := write(t, small(t, func(o *Options) { o.Old, o.Tables, o.TableEvents = 0.1, 2, 90 }))
		addNight(t, dir, Night{Events: 100, Old: 0.2, Migrations: 2, Recent: true})
		addNight(t, dir, Night{Again: true})
		addNight(t, dir, Night{Events: 50, Users: -1, Migrations: 3})
		return contents(t, dir)
	}
	one, four := make(1), make(4)
	if len(one) == 0 || !cmp.Equal(one, four) {
		t.Error("with one and with four processors the exports differ")
	}
	other := write(t, small(t, func(o *Options) { o.Seed = 2 }))
	if cmp.Equal(one, contents(t, other)) {
		t.Error("another seed makes the same export")
	}
}

func TestCountsAreThoseAskedFor(t *testing.T) {
	o := small(t, func(o *Options) { o.Tables, o.TableEvents, o.Clicks, o.Comments = 2, 90, 80, 70 })
	dir := write(t, o)
	for _, tt := range []struct {
		table, key string
		want       int
	}{
		{"pageviews", "event_id", o.Events}, {"sessions", "session_id", o.Sessions}, {"users", "user_id", o.Users + o.Newcomers},
		{"event_01", "event_id", 90}, {"event_02", "event_id", 90},
		{"clicks", "event_id", 80}, {"comments", "event_id", 70},
	} {
		lines := all(t, dir, o.Dumps, tt.table)
		if got := distinct(lines, tt.key); got != tt.want {
			t.Errorf("%s: %d distinct rows, want %d", tt.table, got, tt.want)
		}
		if tt.table == "pageviews" {
			again := float64(o.Events*(o.Dumps-1)/o.Dumps) * o.Overlap
			if got := float64(len(lines) - o.Events); math.Abs(got-again) > 5 {
				t.Errorf("%v events came again, want about %v", got, again)
			}
			if len(lines[0]) != o.Columns {
				t.Errorf("%d columns, want %d", len(lines[0]), o.Columns)
			}
		}
	}
	if got := len(delivered(t, dir, o.Dumps, mappingTable)); got != o.Migrations {
		t.Errorf("%d users mapped, want %d", got, o.Migrations)
	}
	for id := 1; id <= o.Dumps; id++ {
		if got := readManifest(t, dir, id).Tables[0].Incremental; got != (id > 1) {
			t.Errorf("dump %d: incremental is %v", id, got)
		}
	}
}

func TestOrders(t *testing.T) {
	for _, order := range []string{Sorted, Shuffled, Random} {
		t.Run(order, func(t *testing.T) {
			o := small(t, func(o *Options) { o.Order, o.Overlap = order, 0 })
			dir := write(t, o)
			for id := 1; id <= o.Dumps; id++ {
				var times []int64
				for _, l := range delivered(t, dir, id, "pageviews") {
					times = append(times, (l.millis(t)-startTime)/msPerDay)
				}
				if got, want := slices.IsSorted(times), order == Sorted; got != want {
					t.Errorf("dump %d: sorted is %v", id, got)
				}
				days := slices.Max(times) - slices.Min(times) + 1
				part := int64(o.Days / o.Dumps)
				if order == Random && days != int64(o.Days) || order != Random && days > part+1 {
					t.Errorf("dump %d spreads over %d of %d days", id, days, o.Days)
				}
			}
		})
	}
}

func TestOldEvents(t *testing.T) {
	o := small(t, func(o *Options) { o.Order, o.Overlap, o.Old, o.Dumps = Shuffled, 0, 0.25, 2 })
	dir := write(t, o)
	id := addNight(t, dir, Night{Events: 1000, Old: 0.5})
	for _, tt := range []struct {
		dump   int
		before float64 // day
		want   float64 // share
	}{{2, 45, 0.25 * 2 / 3}, {id, 88, 0.5 * 88 / 90}} {
		old, lines := 0, delivered(t, dir, tt.dump, "pageviews")
		for _, l := range lines {
			if float64(l.millis(t)-startTime) < tt.before*msPerDay {
				old++
			}
		}
		if got := float64(old) / float64(len(lines)); math.Abs(got-tt.want) > 0.05 {
			t.Errorf("dump %d: %.3f are old, want %.3f", tt.dump, got, tt.want)
		}
	}
}

func TestNewcomersAreSeenInTheLastDaysOnly(t *testing.T) {
	o := small(t, func(o *Options) { o.Newcomers = 40 })
	dir := write(t, o)
	id := addNight(t, dir, Night{Events: 400, Migrations: 30, Recent: true})
	mapped := map[int64]bool{}
	for _, l := range delivered(t, dir, id, mappingTable)[o.Migrations:] {
		mapped[l.id("from_user_id")] = true
	}
	if len(mapped) != 30 {
		t.Fatalf("%d newly mapped, want 30", len(mapped))
	}
	seen := 0
	for _, l := range all(t, dir, id, "pageviews") {
		if !mapped[l.id("user_id")] {
			continue
		}
		seen++
		if day := (l.millis(t) - startTime) / msPerDay; day < int64(o.Days-2) {
			t.Errorf("a newcomer on day %d", day)
		}
	}
	if seen < 30 {
		t.Errorf("newcomers have %d events", seen)
	}
}

func TestMigrationsOfOldUsersReachFarBack(t *testing.T) {
	o := small(t, nil)
	dir := write(t, o)
	id := addNight(t, dir, Night{Users: -1, Migrations: 50})
	if m := readManifest(t, dir, id); len(m.Tables) != 1 || m.Tables[0].Name != mappingTable {
		t.Errorf("a night without events and users lists %v", m.Tables)
	}
	moved := map[any]bool{}
	lines := delivered(t, dir, id, mappingTable)
	for _, l := range lines[len(lines)-50:] {
		moved[l["from_user_id"]] = true
	}
	days := map[int64]bool{}
	for _, e := range all(t, dir, o.Dumps, "pageviews") {
		if moved[e["user_id"]] {
			days[(e.millis(t)-startTime)/msPerDay] = true
		}
	}
	if len(days) < o.Days/2 {
		t.Errorf("their events are of %d days", len(days))
	}
}

func TestUsersAgain(t *testing.T) {
	o := small(t, nil)
	dir := write(t, o)
	id := addNight(t, dir, Night{Users: 123})
	if got := distinct(delivered(t, dir, id, "users"), "user_id"); got != 123 {
		t.Errorf("%d users came again, want 123", got)
	}
}

func TestAgain(t *testing.T) {
	o := small(t, nil)
	dir := write(t, o)
	id := addNight(t, dir, Night{Again: true})
	for _, table := range []string{"pageviews", "sessions", "users", mappingTable} {
		if diff := cmp.Diff(delivered(t, dir, o.Dumps, table), delivered(t, dir, id, table)); diff != "" {
			t.Errorf("%s: %s", table, diff)
		}
	}
	full := write(t, small(t, func(o *Options) { o.Dumps = 1 }))
	if _, err := AddNight(full, Night{Again: true}); err == nil {
		t.Error("a full dump was delivered again")
	}
}

func TestRemoveNight(t *testing.T) {
	dir := write(t, small(t, nil))
	before := contents(t, dir)
	addNight(t, dir, Night{Events: 30, Migrations: 1})
	addNight(t, dir, Night{Again: true})
	for range 2 {
		if err := RemoveNight(dir); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Error(diff)
	}
	if err := RemoveNight(dir); err == nil {
		t.Error("removed a night that is not there")
	}
}

func TestSets(t *testing.T) {
	for _, name := range SetNames() {
		for _, scale := range []float64{1, 0.001} {
			if _, err := Set(name, scale); err != nil {
				t.Errorf("%s at %v: %v", name, scale, err)
			}
		}
	}
	for _, wrong := range []func() (Options, error){
		func() (Options, error) { return Set("none", 1) }, func() (Options, error) { return Set("quarter", 0) },
		func() (Options, error) { return Set("quarter", 1.5) }, func() (Options, error) { return Set("quarter", math.NaN()) },
	} {
		if o, err := wrong(); err == nil {
			t.Errorf("no error, but %+v", o)
		}
	}
}

func TestCheck(t *testing.T) {
	for i, change := range []func(*Options){
		func(o *Options) { o.Old = 2 }, func(o *Options) { o.Order = "none" }, func(o *Options) { o.Newcomers = -1 },
		func(o *Options) { o.Migrations = o.Users }, func(o *Options) { o.Overlap = math.NaN() }, func(o *Options) { o.Codec = "zip" },
	} {
		o := small(t, change)
		if _, err := Write(t.TempDir(), o); err == nil {
			t.Error(fmt.Sprint("wrong options number ", i, " are no error"))
		}
	}
}
