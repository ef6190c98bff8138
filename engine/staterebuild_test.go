package engine

import (
	"context"
	"errors"
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
	"reconcile/engine/plan"
	"reconcile/engine/published"
	"reconcile/engine/rebuild"
	"reconcile/internal/failpoint"
	"reconcile/state"
)

var flagRebuilds = flag.Int("rebuilds", 12, "random worlds that lose their state")

// rebuild is what the command does: lock, plan, rebuild the state.
func (h *harness) rebuild() (*rebuild.Plan, *rebuild.Rebuilt, error) {
	ctx := context.Background()
	if h.fails != nil {
		ctx = failpoint.With(ctx, h.fails)
	}
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	e := h.engine()
	l, err := e.store.LockOver(ctx, state.NewHolder("test"), 0)
	if err != nil {
		return nil, nil, err
	}
	defer l.Unlock()
	r := e.Rebuilder()
	sr, err := r.Plan(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	out, err := r.Rebuild(ctx, l, sr)
	return sr, out, err
}

// loseState removes the state.
func (h *harness) loseState() {
	h.t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, "state")); err != nil {
		h.t.Fatal(err)
	}
}

// lakeFiles lists the data files of the lake, with sizes and times.
func (h *harness) lakeFiles() []string {
	return slices.DeleteFunc(h.tree(), func(line string) bool { return !strings.Contains(line, ".parquet ") })
}

// TestLostStates loses the state of random worlds after some applies. What is rebuilt is
// what was there, no data file is written, and later applies and changes of the
// configuration go on from it as the model says.
func TestLostStates(t *testing.T) {
	for i := range *flagRebuilds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, inFolders, func(h *harness, r *rand.Rand) {
				if r.Intn(2) == 0 {
					h.rebuiltAsWas()
				}
			})
		})
	}
}

// rebuiltAsWas loses the state, rebuilds it, and checks that nothing else changed.
func (h *harness) rebuiltAsWas() {
	h.t.Helper()
	before := h.lakeFiles()
	h.loseState()
	_, out, err := h.rebuild()
	if errors.Is(err, published.ErrNone) {
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if after := h.lakeFiles(); !slices.Equal(before, after) {
		h.t.Fatalf("the rebuild wrote:\n%s\nbefore\n%s\n%+v", strings.Join(after, "\n"), strings.Join(before, "\n"), out.Tables)
	}
	h.check()
	if _, err := h.apply(); err != nil { // holds and judged masks are remembered again
		h.t.Fatal(err)
	}
	if after := h.lakeFiles(); !slices.Equal(before, after) {
		h.t.Fatalf("the apply after the rebuild wrote:\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	h.check()
	h.checkIdle()
}

// TestContractStandIns: where dumps are gone, published rows stand in for theirs; what is
// rebuilt reads as before, and later dumps and mappings act on what is left.
func TestContractStandIns(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id v", row(1, 10, "a"), row(2, 11, "b"), row(3, 12, "c"))),
		full("users", avroPart("user_id v last_modified", row(10, "u10", "1000"), row(11, "u11", "3000"), row(12, "u12", "2000"))),
		more("user_migrations", avroPart("from_user_id to_user_id", row(11, 10)))))
	a.run(dumpOf(2, more("e", avroPart("event_id user_id v w", row(3, 12, "c2", "w"), row(4, 10, "d", "x"))),
		more("users", avroPart("user_id v last_modified", row(12, "u12b", "2500"), row(13, "u13", "1")))))
	before := a.lakeFiles()
	a.forgetDump("1")
	a.loseState()
	if _, _, err := a.rebuild(); err == nil || !strings.Contains(err.Error(), "-accept-loss=e") || !strings.Contains(err.Error(), "dump 1") || !errors.Is(err, plan.ErrRefused) {
		t.Fatal(err)
	}
	a.opts.AcceptLoss = []string{"e", "users", "user_migrations"}
	_, out, err := a.rebuild()
	if err != nil {
		t.Fatal(err)
	}
	if after := a.lakeFiles(); !slices.Equal(before, after) {
		t.Errorf("the rebuild wrote %+v\nbefore %q\nafter  %q", out.Tables, before, after)
	}
	a.opts.AcceptLoss = nil
	a.held(a.run())
	a.want("e", "event_id user_id v w _dump_id", "1 10 a - 1", "2 10 b - 1", "3 12 c2 w 2", "4 10 d x 2")
	a.want("users", "user_id v _dump_id", "10 u11 1", "12 u12b 2", "13 u13 2")
	a.checkIdle()

	// The merge is taken back, another is made, and rows that stood in are replaced.
	a.held(a.run(dumpOf(3, more("e", avroPart("event_id user_id v", row(1, 10, "a3"))),
		more("users", avroPart("user_id v last_modified", row(10, "u10c", "4000"))),
		more("user_migrations", avroPart("from_user_id to_user_id", row(12, 13))))))
	a.want("e", "event_id user_id v _dump_id", "1 10 a3 3", "2 11 b 1", "3 13 c2 2", "4 10 d 2")
	a.want("users", "user_id v", "10 u10c", "13 u12b")
	a.checkIdle()
}

// TestStandInsOfWorlds takes dumps away from random worlds, and then their state. What is
// rebuilt reads as before; when the dumps are back, all is what the model says.
func TestStandInsOfWorlds(t *testing.T) {
	for i := range *flagRebuilds {
		seed := (*flagSeed + int64(i)) * 60 // tame, without faults, nothing that grows and no guards
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, inFolders, func(h *harness, r *rand.Rand) {
				if r.Intn(2) == 0 {
					h.standsIn(r)
				}
			})
		})
	}
}

// standsIn rebuilds the state without some dumps, and brings these back.
func (h *harness) standsIn(r *rand.Rand) {
	h.t.Helper()
	manifests, aside := filepath.Join(h.dir, "dumps", "manifests"), h.t.TempDir()
	list, err := os.ReadDir(manifests)
	if err != nil {
		h.t.Fatal(err)
	}
	var gone []string
	for _, d := range list {
		if r.Intn(2) == 0 {
			gone = append(gone, d.Name())
		}
	}
	move := func(from, to string) {
		for _, name := range gone {
			if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	before := h.rowsOf()
	move(manifests, aside)
	h.loseState()
	h.opts.AcceptLoss = h.lakeTables()
	_, out, err := h.rebuild()
	h.opts.AcceptLoss = nil
	if err != nil {
		h.t.Fatal(err)
	}
	if after := h.rowsOf(); !slices.Equal(before, after) {
		h.t.Fatalf("without %q there are\n%s\ninstead of\n%s\n%+v", gone, strings.Join(lacks(before, after), "\n"), strings.Join(lacks(after, before), "\n"), out.Tables)
	}
	move(aside, manifests)
	if _, err := h.apply(); err != nil {
		h.t.Fatal(err)
	}
	h.check()
	h.checkIdle()
}

// lakeTables lists the tables that the lake has.
func (h *harness) lakeTables() []string {
	h.t.Helper()
	e := h.engine()
	roots := e.lake.Roots()
	if len(roots) == 0 {
		return nil
	}
	cur, _, err := e.lake.Sink(roots[0]).Current(context.Background()) // there is one
	if err != nil || cur == nil {
		return nil
	}
	return sortedKeys(cur.Tables)
}

// rowsOf lists all rows of the lake as text.
func (h *harness) rowsOf() []string {
	h.t.Helper()
	var out []string
	for _, name := range h.lakeTables() {
		cfg, _ := h.config().Table(name, h.delivered(name))
		got, err := reader.Read(filepath.Join(h.lake(), cfg.Folder), name, &model.Table{})
		if err != nil {
			h.t.Fatal(err)
		}
		rows, columns := got.Rows, got.Columns
		slices.Sort(columns)
		for _, key := range sortedKeys(rows) {
			line := name + " " + key + " in " + rows[key].Partition
			for _, c := range columns {
				if v := rows[key].Values[c]; v != nil {
					line += fmt.Sprintf(" %s=%q", c, *v)
				}
			}
			out = append(out, line)
		}
	}
	return out
}

// lacks lists what is in b and not in a.
func lacks(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(b), func(line string) bool { return slices.Contains(a, line) })
}
