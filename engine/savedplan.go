package engine

import (
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/state"
)

// compareWith compares a plan with the one that it was derived again from, whose steps
// count as those of p from then on.
func compareWith(p *planner.Session, from *plan.Plan) ([]plan.Difference, error) {
	digests, err := digestsOf(from)
	if err != nil {
		return nil, err
	}
	taken := map[string]int{}
	for _, t := range from.Tables {
		taken[t.Name] = stepsTaken(t, digests[t.Name], p.Snap.Tables[t.Name])
	}
	stale, err := plan.Compare(from, &p.Plan, taken)
	if err != nil {
		return nil, err
	}
	for _, t := range from.Tables {
		if n := taken[t.Name]; n > 0 && n == len(t.Steps) {
			leaveOut(p, t.Name)
		}
	}
	p.SavedDigests = digests
	return stale, nil
}

// digestsOf are the digests of the tables of a plan.
func digestsOf(p *plan.Plan) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range p.Tables {
		digest, err := t.Digest()
		if err != nil {
			return nil, err
		}
		out[t.Name] = digest
	}
	return out, nil
}

// stepsTaken is how many steps of a table in a plan its record shows to be committed.
func stepsTaken(t *plan.Table, digest string, now *state.Table) int {
	for i, s := range t.Steps {
		switch {
		case s.Kind == plan.StepRemove && now == nil:
			return i + 1
		case now != nil && now.Plan == digest && now.PlanStep == string(steps.TaskStep(s.Kind)):
			return i + 1
		}
	}
	return 0
}

// leaveOut has an apply do nothing about a table.
func leaveOut(p *planner.Session, table string) {
	for _, t := range p.Drafts {
		if t.Name == table {
			t.Action, t.Steps = plan.None, nil
		}
	}
	for _, t := range p.Tables {
		if t.Name == table {
			t.Action, t.Steps = plan.None, nil
		}
	}
}
