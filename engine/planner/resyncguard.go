package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/keyset"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// The guards of a table, as holds name them.
const (
	guardRows  = "max_removed_rows"
	guardEmpty = "empty_resync"
)

// resyncJudge goes through the full resyncs of a table in the order of their dumps. It
// judges each against what counts below it: a resync that trips does not.
type resyncJudge struct {
	p       *Session
	t       *Table
	guard   definition.Guard
	applied []bool // of t.All
	any     bool   // whether there are rows is all that is asked
	space   keyset.Space
	floor   rules.Floor // the newest resync so far that counts
	brought *keyset.Set // its rows, where they were read
}

// errEnough ends the collecting of rows where one is as good as all of them.
var errEnough = errors.New("there are rows")

// judgeResyncs returns the holds of the full resyncs that trip a guard of their table, by
// dump. applied tells which of all deliveries the table has.
func judgeResyncs(ctx context.Context, p *Session, t *Table, applied []bool) (tripped map[int64]plan.Hold, err error) {
	j := &resyncJudge{p: p, t: t, guard: t.Definition.Guard, any: !t.Definition.Guard.CountsRows(), applied: applied, floor: rules.AllLive}
	todo := j.start()
	if len(todo) == 0 || !p.Locked && p.Publishing(t.Name) { // its files are on their way
		return nil, nil
	}
	if asksNoSink(p) && t.Old != nil {
		t.notes = append(t.notes, "guards of full resyncs are not checked, as -refresh=false reads no sink")
		return nil, nil
	}
	dir, remove, err := p.Scratch()
	if err != nil {
		return nil, err
	}
	defer remove()
	j.space = keyset.Space{Dir: dir, Rows: p.Budget.IndexEntries()}
	defer func() { err = errors.Join(err, j.brought.Close()) }()
	tripped = map[int64]plan.Hold{}
	for _, i := range todo {
		h, err := j.judge(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, t.All[i].Dump, err)
		}
		if h != nil {
			tripped[h.Dump] = *h
		}
	}
	return tripped, nil
}

// start finds the newest resync that counts whatever it brings, and returns the places of
// those above it, which are judged.
func (j *resyncJudge) start() (todo []int) {
	if !j.guard.JudgesResyncs() {
		return nil
	}
	kept := slices.DeleteFunc(keptResyncs(j.p, j.t), func(d rules.Dump) bool { return isUncounted(j.t, d.ID) && j.t.DeliveryOf(d.ID) >= 0 })
	j.floor = rules.Live(kept)
	for i, d := range j.t.All {
		if d.Entry.Incremental || d.Entry.Problem != "" || !j.floor.Before(d.Dump) {
			continue
		}
		if resyncPassed(j.p, j.t, d) {
			j.floor, todo = rules.Floor(d.Dump), nil
			continue
		}
		todo = append(todo, i)
	}
	return todo
}

// resyncPassed reports whether a full resync was applied or accepted before. Where the state says
// which manifest it was of, another one is judged.
func resyncPassed(p *Session, t *Table, d Delivery) bool {
	if was, ok := p.Snap.Accepted[state.Delivery{Table: t.Name, Dump: d.Dump}]; ok {
		return was == d.Entry.Digest
	}
	if isUncounted(t, d.Dump) {
		return false
	}
	return t.Old != nil && t.Old.Has(d.Dump) || slices.ContainsFunc(p.Heads.Applied(t.Name, 0), func(a state.Applied) bool { return a.Dump == d.Dump })
}

// isUncounted reports whether the table has a full resync that has been void ever since.
func isUncounted(t *Table, dump int64) bool {
	return t.Old != nil && slices.Contains(t.Old.Uncounted, dump)
}

// judge judges one resync, and makes it the newest that counts if it does not trip, or is
// accepted.
func (j *resyncJudge) judge(ctx context.Context, i int) (_ *plan.Hold, err error) {
	d := j.t.All[i]
	known, err := j.remembered(i)
	if err != nil {
		return nil, err
	}
	if known != nil && !slices.Contains(j.p.Ask.Accept, AcceptName(j.t.Name, d.Dump)) {
		j.t.tripped = append(j.t.tripped, trippedNow{*known, i, j.floor})
		return j.verdict(d, known.Below, known.Missing, known.Brings), nil
	}
	var bad *BadFileError
	brings, err := j.collect(ctx, func(c *keyset.Collector) (err error) {
		bad, err = j.addDelivery(ctx, c, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	below, err := j.collect(ctx, func(c *keyset.Collector) error {
		if j.any && brings.Len() > 0 { // it passes
			return nil
		}
		return j.addBelow(ctx, c, i)
	})
	if err != nil {
		return nil, errors.Join(err, brings.Close())
	}
	defer func() { err = errors.Join(err, below.Close()) }()
	missing, err := below.Missing(ctx, brings)
	if err != nil {
		return nil, errors.Join(err, brings.Close())
	}
	h := j.verdict(d, below.Len(), missing, brings.Len())
	if h != nil && bad != nil { // what is wrong is the file
		return &plan.Hold{Table: j.t.Name, Dump: d.Dump, File: bad.File, Reason: bad.reason(ctx, j.p.Source)}, brings.Close()
	}
	if h != nil && slices.Contains(j.p.Ask.Accept, h.Accept) {
		acceptResync(j.p, j.t.Name, d, h.Accept)
		h = nil
	}
	if h != nil {
		r := state.TrippedResync{Dump: d.Dump, Below: below.Len(), Missing: missing, Brings: brings.Len()}
		j.t.tripped = append(j.t.tripped, trippedNow{r, i, j.floor})
		return h, brings.Close()
	}
	err = j.brought.Close()
	j.floor, j.brought = rules.Floor(d.Dump), brings
	return nil, err
}

// verdict returns the hold of a resync that trips, nil if it does not.
func (j *resyncJudge) verdict(d Delivery, below, missing, brings int64) *plan.Hold {
	name := AcceptName(j.t.Name, d.Dump)
	h := &plan.Hold{Table: j.t.Name, Dump: d.Dump, Accept: name}
	const rest = "the table keeps what it has, and later dumps wait; if it is right, %s takes it"
	switch limit := j.guard.MaxRemovedRows; {
	case below == 0: // the first content
		return nil
	case brings == 0 && j.guard.HoldsEmpty:
		h.Guard = guardEmpty
		rows := "rows"
		if !j.any {
			rows = amount.Of(below, "row")
		}
		is := "is empty"
		if d.Entry.Files.Len() > 0 {
			is = "has no row with its keys"
		}
		h.Reason = fmt.Sprintf("this full resync %s, and the dumps below it give %s: "+rest, is, rows, AcceptFlag(name))
	case limit != nil && limit.IsExceeded(missing, below):
		h.Guard = guardRows
		h.Reason = fmt.Sprintf("of the %s that the dumps below give, this full resync leaves out %s, more than %s: "+rest, amount.Of(below, "row"), amount.Number(missing), limit, AcceptFlag(name))
	default:
		return nil
	}
	return h
}

// collect makes a set of what add adds.
func (j *resyncJudge) collect(ctx context.Context, add func(*keyset.Collector) error) (_ *keyset.Set, err error) {
	c := j.space.Collect(j.p.Budget.Workers())
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := add(c); err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return c.Seal(ctx)
}

// addBelow adds the rows that count below the delivery at a place.
func (j *resyncJudge) addBelow(ctx context.Context, c *keyset.Collector, at int) error {
	stored := j.fromState(j.t.All[at].Dump)
	if stored {
		if err := j.addStored(ctx, c, func(dump int64) bool { return j.floor.Live(dump) }); err != nil {
			return err
		}
	}
	gone := j.goneDumps()
	for i, d := range j.t.All[:at] {
		has := j.applied[i]
		delete(gone, d.Dump)
		switch {
		case !j.floor.Live(d.Dump) || has && stored || d.Entry.Problem != "":
		case !d.Entry.Incremental && int64(j.floor) != d.Dump: // it trips
		case int64(j.floor) == d.Dump && j.brought != nil:
			err := c.AddSet(ctx, j.brought)
			if err == nil && j.any && j.brought.Len() > 0 {
				err = errEnough
			}
			if err != nil {
				return err
			}
		default:
			bad, err := j.addDelivery(ctx, c, d)
			if err != nil {
				return err
			}
			if has && bad != nil {
				gone[d.Dump] = true
			}
		}
	}
	if stored || len(gone) == 0 || j.rereads() {
		return nil
	}
	return j.addStored(ctx, c, func(dump int64) bool { return gone[dump] && j.floor.Live(dump) && dump < j.t.All[at].Dump })
}

// fromState reports whether the rows of the table tell what the dumps that it has give
// below another one. They do not where it has greater ones: then a row of these can stand
// for one below. Nor do they where the table is made anew.
func (j *resyncJudge) fromState(below int64) bool {
	return j.t.Old != nil && !j.rereads() && !slices.ContainsFunc(j.t.Old.Applied, func(a state.Applied) bool { return a.Dump > below })
}

// rereads reports whether the table takes its dumps again from the source.
func (j *resyncJudge) rereads() bool {
	return j.t.Repair != "" || j.t.Change.Class == plan.ClassRebuild
}

// goneDumps are those that the table has; whoever finds one in the source takes it out.
func (j *resyncJudge) goneDumps() map[int64]bool {
	out := map[int64]bool{}
	if j.t.Old == nil {
		return out
	}
	for _, d := range lake.StandingDumps(j.t.Old) {
		out[d.ID] = !d.Lost && !d.Skipped
	}
	return out
}

func (j *resyncJudge) addStored(ctx context.Context, c *keyset.Collector, counts func(dump int64) bool) error {
	return j.p.Keys.EachStored(ctx, storedRows(j.t), func(raw, key, dump int64) error {
		if !counts(dump) {
			return nil
		}
		if err := c.Add(ctx, keyset.Row{Raw: raw, Key: key}); err != nil || !j.any {
			return err
		}
		return errEnough
	})
}

// keyOf is the key of a table beside its users; empty for users.
func keyOf(t *Table) string {
	if t.Kind == feed.KindUsers {
		return ""
	}
	return t.Key
}

// storedRows says where the rows of a table are, by the pins that the plan found.
func storedRows(t *Table) StoredRows {
	out := StoredRows{Table: t.Old}
	for _, part := range t.Parts {
		out.Shadow = append(out.Shadow, part.Shadow)
		for _, f := range part.Files {
			if f.Sink != t.readFrom {
				continue
			}
			for _, x := range t.touched {
				if x.file.Path == f.Path && x.file.Sink == f.Sink && x.digest == f.Digest {
					f.Pin = x.pin
				}
			}
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// addDelivery adds the rows of a delivery. A file that cannot be read brings none; bad is
// the first such file. Where any row will do, it ends with errEnough after a file with some.
func (j *resyncJudge) addDelivery(ctx context.Context, c *keyset.Collector, d Delivery) (bad *BadFileError, _ error) {
	for key, err := range d.Entry.Files.All() {
		if err != nil {
			return bad, err
		}
		rows, err := j.collect(ctx, func(c *keyset.Collector) error {
			return j.p.Keys.EachDelivered(ctx, keyOf(j.t), d.Dump, key, func(raw, key int64) error { return c.Add(ctx, keyset.Row{Raw: raw, Key: key}) })
		})
		if file := BadFile(err); file != nil && ctx.Err() == nil {
			bad = cmp.Or(bad, file)
			continue
		}
		if err == nil {
			err = errors.Join(c.AddSet(ctx, rows), rows.Close())
		}
		if err == nil && j.any && rows.Len() > 0 {
			err = errEnough
		}
		if err != nil {
			return bad, err
		}
	}
	return bad, nil
}

// acceptResync notes that -accept lets a delivery through, by a name.
func acceptResync(p *Session, table string, d Delivery, name string) {
	if slices.Contains(p.AcceptedNow, name) { // where a table is planned anew
		return
	}
	p.AcceptedNow = append(p.AcceptedNow, name)
	p.AcceptedDumps = append(p.AcceptedDumps, AcceptedDump{state.Delivery{Table: table, Dump: d.Dump}, d.Entry.Digest})
}

// Judged says which dumps of a table are to be known as accepted once a step of it is
// committed: of those that it gives up, as they are left out now, the resyncs that counted by
// guards, and all by checks. Those that it has are accepted without.
func Judged(p *Session, t *Table) map[state.Delivery]string {
	if t.Definition == nil || t.Old == nil {
		return nil
	}
	out := map[state.Delivery]string{}
	givenUp(p, t, out)
	if !t.Definition.Guard.JudgesResyncs() {
		return out
	}
	for _, a := range t.Old.Applied {
		at := state.Delivery{Table: t.Name, Dump: a.Dump}
		if _, known := p.Snap.Accepted[at]; !known && !a.Incremental && !isUncounted(t, a.Dump) && p.Ask.Withdrawn(p.Listing, a.Dump, t.Name) {
			out[at] = a.Digest
		}
	}
	return out
}
