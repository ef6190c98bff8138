package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planfile"
	"reconcile/engine/planner"
	"reconcile/internal/failpoint"
	"reconcile/state"
)

var flagSavedPlans = flag.Int("savedplans", 8, "random worlds whose dumps are applied by saved plans")

// errStale says that a saved plan was refused.
var errStale = errors.New("the saved plan is stale")

// TestSavedPlanProperty applies random exports by saved plans, with nights, late dumps, other
// configurations, copied and changed source files between the plan and its apply, which fails
// at random points and is done again. A plan either does exactly what it says, which the model
// of its dumps tells, or is refused, and nothing is applied. What does not concern it refuses
// none.
func TestSavedPlanProperty(t *testing.T) {
	var mu sync.Mutex
	var all savedCounts
	t.Cleanup(func() {
		t.Logf("%+v", all)
		if *flagSavedPlans >= 8 && (all.done == 0 || all.refused == 0 || all.resumed == 0) {
			t.Errorf("the worlds were dull: %+v", all)
		}
	})
	for i := range *flagSavedPlans {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := &savedWorld{harness: newHarness(t, ""), r: rand.New(rand.NewSource(seed))}
			w.play(seed)
			mu.Lock()
			defer mu.Unlock()
			all.add(w.savedCounts)
		})
	}
}

// savedCounts count what became of saved plans.
type savedCounts struct{ done, refused, resumed int }

func (c *savedCounts) add(o savedCounts) {
	c.done, c.refused, c.resumed = c.done+o.done, c.refused+o.refused, c.resumed+o.resumed
}

// savedWorld is an export that is applied by saved plans.
type savedWorld struct {
	*harness
	r    *rand.Rand
	left []*model.Dump // that did not arrive yet
	savedCounts
}

func (w *savedWorld) play(seed int64) {
	opt := model.GenOptions{Dumps: 10, Events: 1, Rows: 6, KeepMappings: true, Tame: seed%2 == 0}
	world := model.Random(w.r, opt)
	w.hcl, w.left = model.RandomConfig(w.r), slices.Clone(world.Dumps)
	if seed%3 > 0 {
		w.r.Shuffle(len(w.left), func(i, j int) { w.left[i], w.left[j] = w.left[j], w.left[i] })
	}
	var older []byte // a plan of an earlier round
	for len(w.left) > 0 {
		w.deliver()
		w.tuning = tiny(w.r)
		file := w.save()
		if older != nil && w.r.Intn(3) == 0 {
			w.attempt(older)
		}
		w.round(file)
		older = file
	}
	w.must()
}

// deliver has some more dumps arrive.
func (w *savedWorld) deliver() {
	n := min(len(w.left), 1+w.r.Intn(2))
	w.arrive(w.left[:n]...)
	w.left = w.left[n:]
}

// round applies a saved plan after something has happened.
func (w *savedWorld) round(file []byte) {
	w.t.Helper()
	switch w.r.Intn(7) {
	case 0: // at once
		w.finish(file)
	case 1, 2: // what came since stays pending
		w.deliver()
		w.finish(file)
	case 3:
		w.copySource()
		w.finish(file)
	case 4:
		w.changeFile(file)
		w.finish(file)
	case 5: // a night
		w.deliver()
		w.must()
		w.attempt(file)
	case 6:
		w.hcl = model.RandomConfig(w.r)
		w.attempt(file)
		w.must()
	}
}

// save makes a plan and returns the file of it.
func (w *savedWorld) save() []byte {
	w.t.Helper()
	w.opts.Inputs = true
	p, err := w.engine().Plan(w.t.Context())
	w.opts.Inputs = false
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	digest, err := w.config().Digest()
	if err != nil {
		w.t.Fatal(err)
	}
	var file bytes.Buffer
	if err := planfile.Encode(&file, &planfile.File{Program: "0.1.0", Config: digest, Plan: &p.Plan}); err != nil {
		w.t.Fatal(err)
	}
	return file.Bytes()
}

// open reads a file.
func (w *savedWorld) open(file []byte) *plan.Plan {
	w.t.Helper()
	saved, err := planfile.Decode(file)
	if err != nil {
		w.t.Fatal(err)
	}
	return saved.Plan
}

// finish applies a saved plan that nothing speaks against, at times after applies that
// failed, checks that exactly that was done, and that nothing is left of it to do.
func (w *savedWorld) finish(file []byte) {
	w.t.Helper()
	for range w.r.Intn(3) {
		points := failpoint.All()
		w.fails = nil
		set, err := failpoint.Parse(fmt.Sprintf("%s=error@%d", points[w.r.Intn(len(points))], 1+w.r.Intn(4)))
		if err != nil {
			w.t.Fatal(err)
		}
		w.fails = set
		_, err = w.applySaved(file)
		w.fails = nil
		if err != nil && !errors.Is(err, failpoint.ErrInjected) {
			w.t.Fatal(err)
		}
		if err != nil {
			w.resumed++
		}
		if w.r.Intn(3) == 0 && len(w.left) > 0 { // a late dump does not concern it
			w.deliver()
		}
	}
	if _, err := w.applySaved(file); err != nil {
		w.t.Fatalf("nothing speaks against the plan: %v", err)
	}
	w.done++
	w.checkDone(file)
	before := w.tree()
	res, err := w.applySaved(file)
	if err != nil || len(res.Tables) > 0 {
		w.t.Fatalf("the plan was done, and an apply of it did %+v: %v", res, err)
	}
	if after := w.tree(); !slices.Equal(before, after) {
		w.t.Fatalf("the plan was done, and an apply of it wrote:\nbefore %q\nafter  %q", before, after)
	}
}

// attempt applies a saved plan that may be stale: it does what it says, or nothing.
func (w *savedWorld) attempt(file []byte) {
	w.t.Helper()
	before := w.tree()
	_, err := w.applySaved(file)
	switch {
	case err == nil:
		w.checkDone(file)
	case !errors.Is(err, errStale) && !errors.Is(err, plan.ErrOtherState):
		w.t.Fatal(err)
	default:
		w.refused++
		if after := w.tree(); !slices.Equal(before, after) {
			w.t.Fatalf("the plan was refused, and wrote:\nbefore %q\nafter  %q", before, after)
		}
	}
}

// checkDone checks that what the steps of a plan were about is what its dumps give.
func (w *savedWorld) checkDone(file []byte) {
	w.t.Helper()
	p, all := w.open(file), w.arrived
	w.arrived = slices.DeleteFunc(slices.Clone(all), func(d *model.Dump) bool { return !slices.Contains(p.Dumps, d.ID) })
	w.check()
	w.arrived = all
}

// copySource has the files of the source be copies, as on another host.
func (w *savedWorld) copySource() {
	w.t.Helper()
	from := filepath.Join(w.dir, "dumps")
	if err := os.Rename(from, from+".old"); err != nil {
		w.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-r", from+".old", from).CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	if err := os.RemoveAll(from + ".old"); err != nil {
		w.t.Fatal(err)
	}
}

// changeFile changes a part file that a plan reads, which refuses the plan, and puts it back.
func (w *savedWorld) changeFile(file []byte) {
	w.t.Helper()
	var names []string
	for _, t := range w.open(file).Tables {
		if t.Action == plan.None {
			continue
		}
		for _, d := range t.Inputs.Pending {
			for _, f := range d.Files {
				names = append(names, f.File)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	name := filepath.Join(w.dir, "dumps", names[w.r.Intn(len(names))])
	data, err := os.ReadFile(name)
	if err != nil {
		w.t.Fatal(err)
	}
	other := bytes.Clone(data)
	other[w.r.Intn(len(other))] ^= 1
	if err := os.WriteFile(name, other, 0o644); err != nil {
		w.t.Fatal(err)
	}
	before := w.tree()
	if _, err := w.applySaved(file); !errors.Is(err, errStale) {
		w.t.Fatalf("a part file of the plan is another, %s: %v", name, err)
	}
	w.refused++
	if after := w.tree(); !slices.Equal(before, after) {
		w.t.Fatalf("the plan was refused, and wrote:\nbefore %q\nafter  %q", before, after)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// applySaved is what the command does with a file.
func (w *savedWorld) applySaved(file []byte) (*Result, error) {
	w.t.Helper()
	ctx := context.Background()
	if w.fails != nil {
		ctx = failpoint.With(ctx, w.fails)
	}
	return enginetest.Apply(ctx, &savedEngine{w.engine(), w.open(file)})
}

// savedEngine applies a saved plan.
type savedEngine struct {
	*Engine
	from *plan.Plan
}

// PlanLocked makes the saved plan again.
func (e *savedEngine) PlanLocked(ctx context.Context, l *state.Lock) (*planner.Session, error) {
	p, stale, err := e.Rederive(ctx, l, e.from)
	if err == nil && len(stale) > 0 {
		return nil, errors.Join(fmt.Errorf("%w: %v", errStale, stale), p.Close())
	}
	return p, err
}
