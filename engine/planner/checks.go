package planner

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// A check judges what a step stages, so a plan cannot tell what it will find. What it found
// of a step that it holds the state remembers: while nothing of that changed, the step is
// not planned again.

// checkedKey is what stands for a table's dumps that were applied once, where checks are
// not to judge them again, and checkKey for those that were accepted for one check.
func checkedKey(table string) string { return "\x00checked/" + table }

func checkKey(check, table string) string { return "\x00check/" + check + "/" + table }

// DumpsToJudge are the dumps of deliveries that a check judges, in their order: none that
// the table had before, or that were accepted.
func DumpsToJudge(p *Session, t *Table, c *definition.Check, pending []Delivery) []int64 {
	var out []int64
	for _, d := range pending {
		if !d.Again && !passedChecks(p, t, d) && !acceptedFor(p, c.Name, t.Name, d) {
			out = append(out, d.Dump)
		}
	}
	return out
}

// passedChecks reports whether a dump was applied before.
func passedChecks(p *Session, t *Table, d Delivery) bool {
	if was, ok := p.Snap.Accepted[state.Delivery{Table: checkedKey(t.Name), Dump: d.Dump}]; ok {
		return was == d.Entry.Digest
	}
	has := func(a state.Applied) bool { return a.Dump == d.Dump }
	return t.Old != nil && slices.ContainsFunc(t.Old.Applied, has) || slices.ContainsFunc(p.Heads.Applied(t.Name, 0), has)
}

func acceptedFor(p *Session, check, table string, d Delivery) bool {
	at := state.Delivery{Table: checkKey(check, table), Dump: d.Dump}
	return p.Snap.Accepted[at] == d.Entry.Digest ||
		slices.ContainsFunc(p.AcceptedDumps, func(a AcceptedDump) bool { return a.Delivery == at && a.Digest == d.Entry.Digest })
}

// planHeldStep takes the pending dumps and the mapping out of the plan of a table that checks
// hold, as long as they would find the same.
func planHeldStep(ctx context.Context, p *Session, t *Table) error {
	was := p.Snap.HeldSteps[t.Name]
	if was == nil || len(t.Pending) == 0 {
		return nil
	}
	acceptChecks(p, t, was)
	inputs, err := HeldInputs(ctx, p, t, UsersCommit(p.Snap))
	if err != nil || inputs != was.Inputs {
		return err
	}
	var holds []plan.Hold
	for i := range t.Definition.Checks {
		c := &t.Definition.Checks[i]
		k := slices.IndexFunc(was.Failed, func(f state.HeldCheck) bool { return f.Name == c.Name && f.Text == c.Text() })
		if k >= 0 && !c.Warns && len(DumpsToJudge(p, t, c, t.Pending)) > 0 {
			holds = append(holds, checkHold(t.Name, c, was.Dump, was.Failed[k].Failed, was.Failed[k].Judged))
		}
	}
	if len(holds) == 0 {
		return nil
	}
	p.Holds = append(p.Holds, holds...)
	t.Cut(t.Pending[0].Dump)
	t.Dumps, t.NewColumns, t.remap, t.Rekeyed = nil, nil, false, 0
	return nil
}

// acceptChecks accepts the pending dumps that a held step was of, where -accept asks for it.
func acceptChecks(p *Session, t *Table, was *state.HeldStep) {
	for _, f := range was.Failed {
		name := AcceptName(plan.CheckAddress(f.Name), was.Dump)
		if !slices.Contains(p.Ask.Accept, name) {
			continue
		}
		if !slices.Contains(p.AcceptedNow, name) {
			p.AcceptedNow = append(p.AcceptedNow, name)
		}
		for _, d := range t.Pending {
			if d.Dump <= was.Dump {
				p.AcceptedDumps = append(p.AcceptedDumps, AcceptedDump{state.Delivery{Table: checkKey(f.Name, t.Name), Dump: d.Dump}, d.Entry.Digest})
			}
		}
	}
}

// checkHold is the hold of a table by a check.
func checkHold(table string, c *definition.Check, dump, failed, judged int64) plan.Hold {
	f := plan.FailedCheck{Check: c.Name, Table: table, Kind: string(c.Kind), Text: c.Text(), Dump: dump, Failed: failed, Judged: judged}
	return HoldOfCheck(&f)
}

// HoldOfCheck is the hold of a table by a check that failed.
func HoldOfCheck(f *plan.FailedCheck) plan.Hold {
	return plan.Hold{Table: f.Table, Dump: f.Dump, Guard: plan.CheckAddress(f.Check), Accept: f.Accept(),
		Reason: fmt.Sprintf("%s: the table keeps what it has until a later delivery passes; if it is right, -accept=%s takes it", f.Found(), f.Accept())}
}

// HeldInputs is the digest of what checks judge of a step: while it is the same, they find
// the same. users is the commit at which the table of users stands.
func HeldInputs(ctx context.Context, p *Session, t *Table, users uint64) (string, error) {
	if err := probeFiles(ctx, p, t.Pending); err != nil {
		return "", err
	}
	content := *t.Definition
	content.Guard = definition.Guard{}
	in := []any{content}
	for _, d := range t.Pending {
		in = append(in, d.Dump, d.Entry.Digest, d.Again)
		for _, f := range d.Entry.Files {
			in = append(in, f.Key, p.Seen.Files[f.Key].Obj.Size, p.Seen.Files[f.Key].Obj.Pin)
		}
	}
	if p.Standing != nil {
		in = append(in, p.Standing.Dump, p.Standing.Digest)
	}
	if checksUsers(t) {
		in = append(in, users)
		for _, d := range p.Listing.Dumps {
			if en := d.Entry(feed.TableUsers); en != nil && !p.Ask.LeftOut(d.ID, feed.TableUsers) {
				in = append(in, d.ID, en.Digest)
			}
		}
	}
	return plan.DigestValue(in)
}

// checksUsers reports whether a check of the table reads the table of users.
func checksUsers(t *Table) bool {
	return t.Definition != nil && slices.ContainsFunc(t.Definition.Checks, func(c definition.Check) bool { return c.ReadsUsers() })
}

// UsersCommit is the commit at which the table of users stands.
func UsersCommit(snap *state.Snapshot) uint64 {
	if users := snap.Tables[feed.TableUsers]; users != nil {
		return users.Commit
	}
	return 0
}

// UsersFirst reports whether the table of users is to be applied before the others, as checks
// of one of them look for its rows.
func UsersFirst(tables []*Table) bool { return slices.ContainsFunc(tables, checksUsers) }

// stepChecks are the checks that judge what a table takes.
func stepChecks(p *Session, t *Table) []plan.TableCheck {
	if _, ok := t.Step(plan.StepTake); !ok || t.Definition == nil {
		return nil
	}
	var out []plan.TableCheck
	for i := range t.Definition.Checks {
		c := &t.Definition.Checks[i]
		if !c.JudgesSteps() || len(DumpsToJudge(p, t, c, t.Pending)) == 0 {
			continue
		}
		x := plan.TableCheck{Check: c.Name, Kind: string(c.Kind), Warns: c.Warns, Users: c.ReadsUsers()}
		if c.Kind == definition.Unique {
			x.Reads = slices.Clone(c.Columns)
		}
		out = append(out, x)
	}
	return out
}

// unjudged lists the checks of a table that judged nothing of it since they were declared.
func unjudged(p *Session, t *Table) []plan.Unjudged {
	if t.Definition == nil {
		return nil
	}
	var out []plan.Unjudged
	for i := range t.Definition.Checks {
		c := &t.Definition.Checks[i]
		if c.JudgesSteps() && !p.Snap.JudgedBy(p.Snap.Tables[t.Name], t.Name, c.Name, c.Text()) {
			out = append(out, plan.Unjudged{Check: c.Name, Table: t.Name})
		}
	}
	return out
}

// givenUp are the dumps of a table that go as it goes back: if they come again, checks do
// not judge them.
func givenUp(p *Session, t *Table, out map[state.Delivery]string) {
	if !slices.ContainsFunc(t.Definition.Checks, func(c definition.Check) bool { return c.JudgesSteps() }) {
		return
	}
	for _, id := range p.Ask.goesBack(t.Old) {
		i := slices.IndexFunc(t.Old.Applied, func(a state.Applied) bool { return a.Dump == id })
		out[state.Delivery{Table: checkedKey(t.Name), Dump: id}] = t.Old.Applied[i].Digest
	}
}
