package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/checks"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/internal/feed"
	"reconcile/state"
)

// checker has the checks of the tables of one apply judge what their steps stage.
type checker struct {
	plan     *planner.Session // the run's own
	lock     *state.Lock
	declared *lake.Declared
	lake     *lake.Lake
}

// judge judges what a step staged; nil if there is nothing to judge.
func (c *checker) judge(ctx context.Context, t *planner.Table, s *steps.Step, d *exec.Done) (*checks.Verdict, error) {
	if !s.Takes() {
		return nil, nil
	}
	var subjects []checks.Subject
	reads := false
	for _, of := range planner.ChecksOfStep(c.plan, t, s.Pending) {
		dumps := slices.DeleteFunc(of.Dumps, func(id int64) bool { return !s.Task.Live(id) })
		if len(dumps) > 0 {
			subjects = append(subjects, checks.Subject{Check: of.Check, Dumps: dumps})
			reads = reads || of.Check.ReadsUsers()
		}
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	step := &checks.Step{Task: s.Task, Done: d, Env: s.Env, DumpRows: s.DumpRows()}
	if reads {
		snap, err := c.declared.LoadTables(ctx, c.lock, feed.TableUsers)
		if err != nil {
			return nil, err
		}
		if step.Users, err = c.users(ctx, snap); err != nil {
			return nil, err
		}
	}
	return step.Judge(ctx, subjects)
}

// users opens the table of users as a view of the state has it; of none nothing is known.
func (c *checker) users(ctx context.Context, snap *state.Snapshot) (checks.Users, error) {
	users := snap.Tables[feed.TableUsers]
	if users == nil {
		return checks.Users{}, nil
	}
	canon, err := c.plan.ClosureOf(ctx, users.Mapping)
	if err != nil {
		return checks.Users{}, err
	}
	sk, err := c.lake.Open(ctx, users.Sinks[0].Root)
	if err != nil {
		return checks.Users{}, err
	}
	var files []exec.File
	for _, p := range snap.Partitions[feed.TableUsers] {
		for _, f := range p.Files {
			if f.Sink == 0 {
				files = append(files, exec.File{Path: f.Path, Pin: f.Pin})
			}
		}
	}
	return checks.Users{Canon: canon.Canon, Open: checks.OpenUsers(sk, files)}, nil
}

// holdsOf are the holds of the checks that a step does not pass.
func holdsOf(v *checks.Verdict) []plan.Hold {
	var out []plan.Hold
	for i := range v.Failed {
		if !v.Failed[i].Warns {
			out = append(out, planner.HoldOfCheck(&v.Failed[i]))
		}
	}
	return out
}

// remember notes what checks found of a step that they hold, so that it is not staged again
// while nothing of it changes.
func (c *checker) remember(ctx context.Context, t *planner.Table, v *checks.Verdict) error {
	record := &state.HeldStep{Dump: v.Dump, Dumps: map[int64]string{}}
	for _, d := range t.Pending {
		record.Dumps[d.Dump] = d.Entry.Digest
	}
	for _, f := range v.Failed {
		if !f.Warns {
			record.Failed = append(record.Failed, state.HeldCheck{Name: f.Check, Text: f.Text, Failed: f.Failed, Judged: f.Judged})
		}
	}
	for _, of := range t.Definition.Checks {
		if slices.Contains(v.Judged, of.Name) {
			record.Judged = append(record.Judged, state.HeldCheck{Name: of.Name, Text: of.Text()})
		}
	}
	snap, err := c.declared.LoadTables(ctx, c.lock, feed.TableUsers)
	if err != nil {
		return err
	}
	record.Inputs, err = planner.HeldInputs(ctx, c.plan, t, planner.UsersCommit(snap))
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	return c.lock.Update(ctx, func(tx *state.Tx) error { return state.PutHeldStep(tx, t.Name, record) })
}

// forgetSteps drops what is remembered of held steps of tables that are not published any
// more.
func (c *checker) forgetSteps(ctx context.Context) error {
	var gone []string
	for name := range c.plan.Snap.HeldSteps {
		i := slices.IndexFunc(c.plan.Drafts, func(t *planner.Table) bool { return t.Name == name })
		if i < 0 || c.plan.Drafts[i].Definition == nil {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	slices.Sort(gone)
	return c.lock.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, name := range gone {
			errs = append(errs, state.PutHeldStep(tx, name, nil))
		}
		return errors.Join(errs...)
	})
}

// usersFirst moves the table of users to the front where checks of other tables look for its
// rows: what a dump brings of both is judged together.
func usersFirst(tables []*planner.Table) {
	i := slices.IndexFunc(tables, func(t *planner.Table) bool { return t.Name == feed.TableUsers })
	if i > 0 && planner.UsersFirst(tables) {
		users := tables[i]
		copy(tables[1:i+1], tables[:i])
		tables[0] = users
	}
}

// judgedChecks are the checks that are to be known as having judged a table: those that
// judged the step, at its newest dump, and those that did before.
func judgedChecks(t *planner.Table, was []state.JudgedCheck, v *checks.Verdict) []state.JudgedCheck {
	var out []state.JudgedCheck
	for _, c := range t.Definition.Checks {
		if v != nil && slices.Contains(v.Judged, c.Name) {
			out = append(out, state.JudgedCheck{Name: c.Name, Text: c.Text(), Dump: v.Dump})
			continue
		}
		i := slices.IndexFunc(was, func(x state.JudgedCheck) bool { return x.Name == c.Name && x.Text == c.Text() })
		if i >= 0 {
			out = append(out, was[i])
		}
	}
	return out
}
