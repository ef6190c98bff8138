package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/cmd/reconcile/internal/markdown/markdowntest"
	"reconcile/engine/model"
	"reconcile/internal/amount"
)

var flagExitWorlds = flag.Int("exitworlds", 5, "random exports of which the exit codes of plans are compared with what they print")

// exitBed is a folder where the program runs on a random export.
type exitBed struct {
	t   *testing.T
	dir string
	met map[string]int
}

// run runs the program and returns its exit code and what it prints.
func (b *exitBed) run(args ...string) (int, string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("reconcile", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	code := cmd.ProcessState.ExitCode()
	if code == exitError {
		b.t.Fatalf("reconcile %s: %s%s", args, &out, &errs)
	}
	return code, out.String()
}

func (b *exitBed) configure(r *rand.Rand) {
	b.t.Helper()
	tables := strings.Replace(model.RandomConfig(r), "sinks = [sink.parquet.lake]\n", "sinks = [sink.parquet.lake]\n  guard {\n    max_removed_rows = \"20%\"\n    empty_resync = \"hold\"\n  }\n", 1)
	if r.Intn(2) == 0 {
		tables = strings.ReplaceAll(tables, `"k1"`, `"k2"`)
	}
	text := "source \"local\" { path = \"dumps\" }\nsink \"parquet\" \"lake\" { path = \"lake\" }\n" + tables
	if err := os.WriteFile(filepath.Join(b.dir, "main.hcl"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// TestExitCodesOfPlans plays random exports under changing configurations: the exit codes of
// plans are what they print, in each form, and those that an apply ends with.
func TestExitCodesOfPlans(t *testing.T) {
	met := map[string]int{}
	for seed := range int64(*flagExitWorlds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(39 + *flagSeed + seed))
			w := model.Random(r, model.GenOptions{Tame: seed%3 == 0, Faults: float64(seed%2) * 0.1})
			b := &exitBed{t: t, dir: t.TempDir(), met: met}
			b.configure(r)
			if err := os.MkdirAll(filepath.Join(b.dir, "dumps", "manifests"), 0o700); err != nil {
				t.Fatal(err)
			}
			r.Shuffle(len(w.Dumps), func(i, j int) { w.Dumps[i], w.Dumps[j] = w.Dumps[j], w.Dumps[i] })
			for len(w.Dumps) > 0 {
				n := 1 + r.Intn(min(3, len(w.Dumps)))
				for _, d := range w.Dumps[:n] {
					if err := d.Write(filepath.Join(b.dir, "dumps")); err != nil {
						t.Fatal(err)
					}
				}
				w.Dumps = w.Dumps[n:]
				if r.Intn(3) == 0 {
					b.configure(r)
				}
				b.step(false)
			}
			b.step(false)
			b.drift()
		})
	}
	for _, what := range []string{"changes", "nothing", "held", "held by a guard", "changes and held by a guard"} {
		if met[what] == 0 {
			t.Errorf("no plan was of: %s", what)
		}
	}
}

// printedPlan is what a plan prints in all forms.
type printedPlan struct {
	Changes            bool
	Add, Destroy, Held int
	Change             int
	Guards             int `json:"held_by_guards"`
}

// step compares what the plans of now say, applies, and looks for drift. What drifted is
// not mended while it is held.
func (b *exitBed) step(drifted bool) {
	b.t.Helper()
	code, text := b.run("plan", "-out=x.plan")
	detailed, _ := b.run("plan", "-detailed-exitcode")
	_, lines := b.run("show", "-json", "x.plan")
	lines = strings.TrimSpace(lines)
	var p printedPlan
	if err := json.Unmarshal([]byte(lines[strings.LastIndex(lines, "\n")+1:]), &p); err != nil {
		b.t.Fatal(err)
	}
	text, _, _ = strings.Cut(text, "\n\nSaved the plan")
	last := text[strings.LastIndex(text, "\n")+1:]
	b.checkText(text, last, p)
	want := map[bool]int{true: exitPartial}[p.Held > 0]
	if p.Guards > 0 {
		want = exitGuarded
	}
	if code != want {
		b.t.Errorf("a plan ended with %d, want %d: %s", code, want, last)
	}
	if p.Changes {
		want = exitChanges
	}
	if detailed != want {
		b.t.Errorf("a plan with -detailed-exitcode ended with %d, want %d: %s", detailed, want, last)
	}
	_, page := b.run("show", "-markdown", "x.plan")
	if h := markdowntest.Read(b.t, page).Headings; !slices.Equal(h, []string{last}) {
		b.t.Errorf("the title is %q, the last line %q", h, last)
	}
	for what, is := range map[string]bool{"changes": p.Changes, "nothing": !p.Changes && p.Held == 0, "held": p.Held > 0, "held by a guard": p.Guards > 0, "changes and held by a guard": p.Changes && p.Guards > 0} {
		if is {
			b.met[what]++
		}
	}
	applied, _ := b.run("apply", "-auto-approve", "-allow-destroy")
	if applied != code && (code != exitDone || applied != exitPartial) { // an apply reads rows, and can find more
		b.t.Errorf("the plan ended with %d, and its apply with %d: %s", code, applied, last)
	}
	if got, out := b.run("plan", "-refresh-only", "-detailed-exitcode"); got != exitDone && (!drifted || p.Held == 0) {
		b.t.Errorf("a check for drift ended with %d: %s", got, out)
	}
}

// checkText wants the text of a plan to have as many steps and holds as its last line and
// its last record say.
func (b *exitBed) checkText(text, last string, p printedPlan) {
	b.t.Helper()
	steps := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^ *(\+|~|-/\+|-|\.) table\.`).FindAllStringSubmatch(text, -1) {
		steps[m[1]]++
	}
	noted := 0
	add, change, destroy := steps["+"], steps["~"]+steps["-/+"]+steps["."], steps["-"]
	if m := regexp.MustCompile(`, (\d+) only to note`).FindStringSubmatch(last); m != nil {
		noted, _ = strconv.Atoi(m[1])
	}
	if add != p.Add || change+noted != p.Change || destroy != p.Destroy || p.Changes != strings.HasPrefix(last, "Plan:") {
		b.t.Errorf("%v are printed, the record is %+v: %s", steps, p, last)
	}
	if want := fmt.Sprintf("Plan: %s to add, %d to change, %d to destroy", amount.Of(add, "table"), change, destroy); p.Changes && !strings.HasPrefix(last, want) {
		b.t.Errorf("%v are printed, the last line is %q", steps, last)
	}
	held := fmt.Sprintf("%d held", p.Held)
	if p.Guards > 0 {
		held += fmt.Sprintf(" (%d by a guard)", p.Guards)
	}
	if strings.Contains(last, "held") != (p.Held > 0) || p.Held > 0 && !strings.Contains(last, held) {
		b.t.Errorf("%+v is held, the last line is %q", p, last)
	}
}

// drift takes a file away: only then is there drift, and a plan has changes or holds.
func (b *exitBed) drift() {
	b.t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(b.dir, "lake"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		return
	}
	if err := os.Remove(files[len(files)/2]); err != nil {
		b.t.Fatal(err)
	}
	if got, out := b.run("plan", "-refresh-only", "-detailed-exitcode"); got != exitChanges || !strings.Contains(out, "Drift in 1 table.") {
		b.t.Errorf("a check for drift ended with %d: %s", got, out)
	}
	b.step(true)
}
