package engine

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/internal/failpoint"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

var flagBackups = flag.Int("backups", 8, "random worlds in which states are put back from backups")

// TestStatesFromBackups puts older states beside newer lakes, at random moments, and
// removes dumps from the source: no row may go without a flag that says so, no commit
// number may be used twice, and what a table says that it holds it holds.
func TestStatesFromBackups(t *testing.T) {
	for i := range *flagBackups {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			newBackupWorld(t, seed).live()
		})
	}
}

// backupWorld is a harness with what its lakes have said so far.
type backupWorld struct {
	*bed
	r       *rand.Rand
	lakes   []string
	coming  []*model.Dump // those to come
	gone    map[int64]bool
	backups []func()
	commits map[uint64]string                        // what each commit number was used for
	said    map[string]map[string]sinks.CurrentTable // by lake, table
	let     []string                                 // tables that were let lose dumps by applies that did not end
	lost    map[string][]int64                       // dumps that a table was let lose
}

func newBackupWorld(t *testing.T, seed int64) *backupWorld {
	r := rand.New(rand.NewSource(seed))
	w := &backupWorld{r: r, gone: map[int64]bool{}, commits: map[uint64]string{}, said: map[string]map[string]sinks.CurrentTable{}, lost: map[string][]int64{}}
	in, partition := "sink.parquet.lake", []string{"[]", "[date(time)]"}[r.Intn(2)]
	w.lakes = []string{"lake"}
	conf := ""
	if r.Intn(3) == 0 {
		w.lakes = append(w.lakes, "pond")
		conf, in = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n", in+", sink.parquet.pond"
	}
	for _, name := range []string{"*", "users", "user_migrations"} {
		by := ""
		if name == "*" {
			by = "\n  partition_by = " + partition
		}
		conf += fmt.Sprintf("table %q {\n  sinks = [%s]%s\n}\n", name, in, by)
	}
	w.bed = newBed(t, conf)
	w.opts.AllowDestroy = false
	w.coming = model.Random(r, model.GenOptions{Tame: true, Dumps: 6 + r.Intn(4)}).Dumps
	for _, lake := range w.lakes {
		w.said[lake] = map[string]sinks.CurrentTable{}
	}
	return w
}

// live lets things happen.
func (w *backupWorld) live() {
	for range 30 {
		switch w.r.Intn(8) {
		case 0:
			w.applied()
			w.keepBackup()
		case 1:
			if len(w.backups) > 0 {
				w.backups[w.r.Intn(len(w.backups))]()
			}
		case 2:
			w.loseDump()
		case 3:
			w.interrupted()
			if w.r.Intn(2) == 0 {
				w.keepBackup()
			}
		case 4:
			w.flags()
			w.applied()
		default:
			if len(w.coming) > 0 {
				w.arrive(w.coming[0])
				w.coming = w.coming[1:]
			}
			w.applied()
		}
		w.opts.Repair, w.opts.Targets, w.opts.AcceptLoss = false, nil, nil
	}
	w.arrive(w.coming...)
	w.opts.Repair, w.opts.AcceptLoss = true, w.tables()
	w.applied()
	w.opts.Repair, w.opts.AcceptLoss = false, nil
	if res := w.applied(); res != nil && len(res.Holds) > 0 {
		w.t.Fatalf("still held: %+v", res.Holds)
	}
	w.complete()
	w.checkIdle()
}

// keepBackup makes a backup of the state, if there is one yet.
func (w *backupWorld) keepBackup() {
	if _, err := os.Stat(filepath.Join(w.dir, "state", "state.db")); err == nil {
		if w.r.Intn(2) == 0 {
			w.backups = append(w.backups, w.saved())
			return
		}
		w.backups = append(w.backups, w.backup())
	}
}

// flags gives an apply those flags that let it go on from an older state, or some.
func (w *backupWorld) flags() {
	w.opts.Repair = w.r.Intn(4) > 0
	if w.r.Intn(2) == 0 {
		w.opts.AcceptLoss = w.tables()
	}
	if known := w.tables(); w.r.Intn(2) == 0 && len(known) > 0 {
		w.opts.Targets = []string{"table." + known[w.r.Intn(len(known))]}
	}
}

// tables lists what the lakes have.
func (w *backupWorld) tables() []string {
	var out []string
	for _, tables := range w.said {
		for name := range tables {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// loseDump removes a dump from the source that arrived, as a bucket does with old ones.
func (w *backupWorld) loseDump() {
	if len(w.arrived) == 0 || len(w.gone) > 2 {
		return
	}
	d := w.arrived[w.r.Intn(len(w.arrived))]
	w.gone[d.ID] = true
	if err := os.RemoveAll(filepath.Join(w.dir, "dumps", "manifests", fmt.Sprintf("sync_%d.json", d.ID))); err != nil {
		w.t.Fatal(err) // its files stay: other manifests can list them
	}
}

// interrupted lets an apply fail at a step, if it comes by that.
func (w *backupWorld) interrupted() {
	points := []failpoint.Name{failpoint.PublishIncomplete, failpoint.PublishMoveBefore, failpoint.PublishMoveAfter, failpoint.PublishRemoveBefore,
		failpoint.PublishComplete, failpoint.PublishClearBefore, failpoint.StateCommitAfter}
	var err error
	if w.fails, err = failpoint.Parse(fmt.Sprintf("%s=error@%d", points[w.r.Intn(len(points))], 1+w.r.Intn(3))); err != nil {
		w.t.Fatal(err)
	}
	if w.r.Intn(2) == 0 {
		w.flags()
	}
	w.let = append(w.let, w.opts.AcceptLoss...)
	_, _ = w.apply()
	w.fails = nil
	w.look(true)
}

// applied is an apply that has to succeed; nil if a flag names no table.
func (w *backupWorld) applied() *Result {
	w.t.Helper()
	w.tuning = tiny(w.r)
	res, err := w.apply()
	if err != nil && strings.Contains(err.Error(), "no such table") {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, tr := range res.Tables {
		if tr.Err != nil {
			w.t.Fatalf("table %s: %v", tr.Name, tr.Err)
		}
	}
	w.look(false)
	return res
}

// look compares what the lakes say with what they said, and with what they hold.
// Between the steps of a commit that was interrupted they hold something between.
func (w *backupWorld) look(between bool) {
	w.t.Helper()
	for _, lake := range w.lakes {
		root := filepath.Join(w.dir, lake)
		cur, _, err := w.engine().lake.Sink(root).Current(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if cur == nil {
			continue
		}
		for name, was := range w.said[lake] {
			w.compareSaid(name, was, cur.Tables[name])
		}
		w.said[lake] = map[string]sinks.CurrentTable{}
		for name, now := range cur.Tables {
			w.said[lake][name] = now
			w.number(name, now)
			if !between && now.Complete {
				w.holds(root, name, now)
			}
		}
	}
}

// number notes what a commit number is used for.
func (w *backupWorld) number(table string, now sinks.CurrentTable) {
	w.t.Helper()
	mapping := "none"
	if now.Mapping != nil {
		mapping = fmt.Sprint(*now.Mapping)
	}
	use := fmt.Sprint(table, now.Dumps, mapping)
	if now.Commit == 0 { // a table that is being made
		return
	}
	if was, ok := w.commits[now.Commit]; ok && was != use {
		w.t.Fatalf("commit %d is %s, it was %s", now.Commit, use, was)
	}
	w.commits[now.Commit] = use
}

// compareSaid checks that no live dump of a table went without a flag.
func (w *backupWorld) compareSaid(table string, was, now sinks.CurrentTable) {
	w.t.Helper()
	if now.Commit < was.Commit && now.Commit > 0 {
		w.t.Fatalf("table %s goes back from commit %d to %d", table, was.Commit, now.Commit)
	}
	floor := w.floor(table, slices.Concat(was.Dumps, now.Dumps))
	for _, d := range was.Dumps {
		if table == feed.TableMapping || d < floor || slices.Contains(now.Dumps, d) {
			continue
		}
		if !w.mayLose(table) || !w.gone[d] {
			w.t.Fatalf("table %s lost dump %d (gone: %v); it had %v and has %v", table, d, w.gone[d], was.Dumps, now.Dumps)
		}
		w.lost[table] = append(w.lost[table], d)
	}
	if was.Mapping != nil && (now.Mapping == nil || *now.Mapping < *was.Mapping) && !w.mayLose(table) {
		w.t.Fatalf("table %s goes back from the mapping of dump %d", table, *was.Mapping)
	}
}

// mayLose reports whether a flag lets a table lose dumps, or did in an apply that the
// next one finishes.
func (w *backupWorld) mayLose(table string) bool {
	return slices.Contains(w.opts.AcceptLoss, table) || slices.Contains(w.let, table)
}

// floor is the newest full resync among dumps.
func (w *backupWorld) floor(table string, dumps []int64) int64 {
	floor := int64(-1 << 63)
	for _, d := range w.arrived {
		for _, e := range d.Entries {
			if e.Table == table && e.Incremental != nil && !*e.Incremental && slices.Contains(dumps, d.ID) {
				floor = max(floor, d.ID)
			}
		}
	}
	return floor
}

// holds compares what a lake holds of a table with what the model makes of the dumps
// and the mapping that it names.
func (w *backupWorld) holds(root, table string, says sinks.CurrentTable) {
	w.t.Helper()
	var set []*model.Dump
	var mapping *model.Dump
	for _, d := range w.arrived {
		switch {
		case slices.Contains(says.Dumps, d.ID):
			set = append(set, d)
		case slices.Contains(w.lost[table], d.ID):
			set = append(set, withoutRows(d))
		}
		if says.Mapping != nil && *says.Mapping == d.ID {
			mapping = d
		}
	}
	cfg := w.config()
	def, _ := cfg.Table(table, w.delivered(table))
	if def == nil {
		w.t.Fatalf("no block takes %s", table)
	}
	want, err := model.Expect(set, mapping, model.FromDefinition(def, cfg.MaskKey), table)
	if err != nil {
		w.t.Fatal(table, err)
	}
	got, err := reader.Read(filepath.Join(root, says.Folder), table, want)
	if err != nil {
		w.t.Fatal(table, err)
	}
	diff := want.Diff(got.Rows)
	if len(w.lost[table]) == 0 {
		diff = append(diff, want.DiffColumns(got.Columns)...)
	}
	if len(diff) > 0 {
		w.t.Fatalf("table %s in %s does not hold what it says, dumps %v (without %v):\n%s", table, root, says.Dumps, w.lost[table], strings.Join(diff, "\n"))
	}
}

// withoutRows is a dump of which only the manifest is left.
func withoutRows(d *model.Dump) *model.Dump {
	out := *d
	out.Entries = slices.Clone(d.Entries)
	for i := range out.Entries {
		out.Entries[i].Files = nil
	}
	return &out
}

// complete checks that every table has all that the source still has.
func (w *backupWorld) complete() {
	w.t.Helper()
	for _, lake := range w.lakes {
		for name, says := range w.said[lake] {
			if name == feed.TableMapping {
				continue
			}
			floor := w.floor(name, slices.Concat(says.Dumps, w.lost[name]))
			for _, d := range w.arrived {
				lists := slices.ContainsFunc(d.Entries, func(e model.Entry) bool { return e.Table == name })
				if lists && !w.gone[d.ID] && d.ID >= floor && !slices.Contains(says.Dumps, d.ID) {
					w.t.Fatalf("table %s lacks dump %d: it has %v", name, d.ID, says.Dumps)
				}
			}
		}
	}
}
