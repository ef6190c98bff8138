package planner

import (
	"slices"

	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/state"
)

// A full resync that trips stays pending for nights, and each plan judges it. What it was
// judged by is remembered, so that its rows and those below it are read once. The verdict
// depends on the deliveries alone, not on which of them the table has: so it holds for the
// plan after the apply that came to it.

// verdictInputs is all that the verdict of a full resync depends on.
type verdictInputs struct {
	Guard      definition.Guard
	Key        string
	Floor      int64
	Deliveries []verdictDelivery // from the floor up to the resync
}

// verdictDelivery is a delivery that the table has, or one that waits with the pins of its
// files: another file there can be read where the old one could not.
type verdictDelivery struct {
	Dump     int64
	Manifest string
	Pins     []string
}

// inputsOfVerdict is the digest of what the verdict of a resync depends on. has tells which
// dumps the table has; empty where that is not known of a file.
func inputsOfVerdict(p *Session, t *Table, at int, floor rules.Floor, has func(dump int64) bool) (string, error) {
	in := verdictInputs{Guard: t.Definition.Guard, Key: keyOf(t), Floor: int64(floor)}
	for _, d := range t.All[:at+1] {
		if !floor.Live(d.Dump) {
			continue
		}
		out := verdictDelivery{Dump: d.Dump, Manifest: d.Entry.Digest}
		for f, err := range FilesOf(p, d.Entry) {
			if err != nil {
				return "", err
			}
			if has(d.Dump) {
				break
			}
			if !f.seen {
				return "", nil
			}
			pin := f.Pin
			if f.err != nil {
				pin = "cannot be read"
			}
			out.Pins = append(out.Pins, pin)
		}
		in.Deliveries = append(in.Deliveries, out)
	}
	return plan.DigestValue(in)
}

// remembered is how a resync was judged before by the same; nil if it was not.
func (j *resyncJudge) remembered(at int) (*state.TrippedResync, error) {
	if j.t.Old == nil {
		return nil, nil
	}
	i := slices.IndexFunc(j.t.Old.Tripped, func(r state.TrippedResync) bool { return r.Dump == j.t.All[at].Dump })
	if i < 0 {
		return nil, nil
	}
	inputs, err := inputsOfVerdict(j.p, j.t, at, j.floor, j.t.Old.Has)
	if err != nil || inputs == "" || inputs != j.t.Old.Tripped[i].Inputs {
		return nil, err
	}
	return &j.t.Old.Tripped[i], nil
}

// Tripped is what to remember of the full resyncs of a table that tripped, for the plan that
// comes after rec was committed.
func Tripped(p *Session, t *Table, rec *state.Table) ([]state.TrippedResync, error) {
	var out []state.TrippedResync
	for _, r := range t.tripped {
		if rec.Has(r.Dump) {
			continue
		}
		inputs, err := inputsOfVerdict(p, t, r.at, r.floor, rec.Has)
		if err != nil {
			return nil, err
		}
		if r.Inputs = inputs; inputs != "" {
			out = append(out, r.TrippedResync)
		}
	}
	return out, nil
}
