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

// ChecksOfStep are the checks that judge a step which takes some deliveries, and of which
// dumps: none that the table had before, or that were accepted.
func ChecksOfStep(p *Session, t *Table, pending []Delivery) []CheckedDumps {
	if t.Definition == nil || len(t.Definition.Checks) == 0 {
		return nil
	}
	fresh := newDeliveries(p, t, pending)
	var out []CheckedDumps
	for _, c := range t.Definition.Checks {
		of := CheckedDumps{Check: c}
		for _, d := range fresh {
			if c.JudgesSteps() && !acceptedFor(p, c.Name, t.Name, d) {
				of.Dumps = append(of.Dumps, d.Dump)
			}
		}
		if len(of.Dumps) > 0 {
			out = append(out, of)
		}
	}
	return out
}

// CheckedDumps is a check and the dumps that it judges, in their order.
type CheckedDumps struct {
	Check definition.Check
	Dumps []int64
}

// newDeliveries are those that were never applied.
func newDeliveries(p *Session, t *Table, pending []Delivery) []Delivery {
	had := map[int64]bool{}
	for _, a := range p.Heads.Applied(t.Name, 0) {
		had[a.Dump] = true
	}
	if t.Old != nil {
		for _, a := range t.Old.Applied {
			had[a.Dump] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(pending), func(d Delivery) bool {
		if was, ok := p.Snap.Accepted[state.Delivery{Table: checkedKey(t.Name), Dump: d.Dump}]; ok && was == d.Entry.Digest {
			return true
		}
		return d.Again || had[d.Dump]
	})
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
	for _, of := range ChecksOfStep(p, t, t.Pending) {
		c := &of.Check
		k := slices.IndexFunc(was.Failed, func(f state.HeldCheck) bool { return f.Name == c.Name && f.Text == c.Text() })
		if k >= 0 && !c.Warns {
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

// acceptChecks accepts the dumps that a held step was of, where -accept asks for it. What
// arrived since is judged, also where its id is smaller.
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
			if was.Dumps[d.Dump] == d.Entry.Digest {
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
		Reason: fmt.Sprintf("%s: the table keeps what it has until a later delivery passes; if it is right, %s takes it", f.Found(), AcceptFlag(f.Accept()))}
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
		for f, err := range FilesOf(p, d.Entry) {
			if err != nil {
				return "", err
			}
			in = append(in, f.Key, f.Size, f.Pin)
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
	if _, ok := t.Step(plan.StepTake); !ok {
		return nil
	}
	var out []plan.TableCheck
	for _, of := range ChecksOfStep(p, t, t.Pending) {
		c := &of.Check
		x := plan.TableCheck{Check: c.Name, Kind: string(c.Kind), Warns: c.Warns, Users: c.ReadsUsers()}
		if c.Kind == definition.Unique {
			x.Reads = slices.Clone(c.Columns)
		}
		out = append(out, x)
	}
	return out
}

// judgingChecks are the checks of a table that takes something: a plan is made for these.
func judgingChecks(t *Table) []definition.Check {
	if t.Definition == nil || len(t.Pending) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.Definition.Checks), func(c definition.Check) bool { return !c.JudgesSteps() })
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
