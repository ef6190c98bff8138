package planner

import (
	"context"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// mappingJudge goes through the delivered mappings in the order of their dumps, to
// find the newest that counts and those that are held. It has two in memory at a
// time.
type mappingJudge struct {
	p     *Session
	guard mappingGuard
	have  *state.Mapping // that of the state; nil if there is none, or it is withdrawn
	dumps []mappingEntry // ascending
	now   []int64        // the dumps that this command accepts
	// corrected says that the dump of have brings another mapping now.
	corrected bool

	counts  *judgedMapping // nil: none does
	bad     []plan.Hold    // newer ones that cannot be read
	tripped []trippedMapping
}

type trippedMapping struct {
	mappingEntry
	hold plan.Hold
}

// judgeMappings judges what was delivered beyond have, the mapping of the state. What
// -accept names counts only where it would be held else.
func judgeMappings(ctx context.Context, p *Session, have *state.Mapping) (*mappingJudge, error) {
	j := &mappingJudge{p: p, have: have, guard: mappingGuardOf(p.Ask)}
	for _, d := range p.Listing.Dumps {
		if en := d.Entry(feed.TableMapping); en != nil && !p.Ask.LeftOut(d.ID, feed.TableMapping) {
			j.dumps = append(j.dumps, mappingEntry{d.ID, en})
			j.corrected = j.corrected || j.corrects(mappingEntry{d.ID, en})
		}
	}
	if err := j.judge(ctx); err != nil {
		return nil, err
	}
	for _, t := range j.tripped {
		if slices.Contains(p.Ask.Accept, t.hold.Accept) {
			j.now = append(j.now, t.Dump)
			p.AcceptedNow = append(p.AcceptedNow, t.hold.Accept)
			p.AcceptedMappings = append(p.AcceptedMappings, t.mappingEntry)
		}
	}
	if len(j.now) == 0 {
		return j, nil
	}
	return j, j.judge(ctx)
}

// judge goes through all that is newer than the newest mapping that is not judged
// again.
func (j *mappingJudge) judge(ctx context.Context) error {
	j.counts, j.bad, j.tripped = nil, nil, nil
	next, err := j.start(ctx)
	if err != nil {
		return err
	}
	for _, d := range j.dumps[next:] {
		if err := j.one(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// start makes the newest mapping count that is not judged again, and returns the
// place of the dump behind it.
func (j *mappingJudge) start(ctx context.Context) (next int, err error) {
	stands := j.have != nil && !j.corrected
	for i, d := range slices.Backward(j.dumps) {
		if stands && d.Dump <= j.have.Dump {
			return i + 1, j.stay(ctx)
		}
		if !j.unjudged(d) {
			continue
		}
		read, held, err := j.read(ctx, d)
		if err != nil || held == nil {
			j.count(read)
			return i + 1, err
		}
	}
	if stands {
		err = j.stay(ctx)
	}
	return 0, err
}

// one judges what one dump brings.
func (j *mappingJudge) one(ctx context.Context, d mappingEntry) error {
	read, bad, err := j.read(ctx, d)
	if err != nil {
		return err
	}
	var tripped *plan.Hold
	if bad == nil && !j.unjudged(d) {
		if tripped, err = j.trips(ctx, d, read); err != nil {
			return err
		}
	}
	if bad == nil && tripped == nil {
		j.count(read)
		return nil
	}
	if j.corrects(d) { // the tables keep what they show
		if err := j.stay(ctx); err != nil {
			return err
		}
	}
	if bad != nil {
		j.bad = append(j.bad, *bad)
	} else {
		j.tripped = append(j.tripped, trippedMapping{d, *tripped})
	}
	return nil
}

// trips returns the hold of a mapping that lacks too much of the one below it, nil
// if it does not.
func (j *mappingJudge) trips(ctx context.Context, d mappingEntry, read *MappingRead) (*plan.Hold, error) {
	base := j.counts
	if base == nil && j.corrects(d) && j.p.mappingAcceptedBelow(d.Dump) {
		// What was below is gone from the source: what it was itself has to do.
		m, err := LoadMapping(ctx, j.p.Objects, j.have.Ref)
		if err != nil {
			return nil, err
		}
		base = &judgedMapping{dump: d.Dump, mapping: m}
	}
	if base == nil {
		return nil, nil
	}
	removed, trips := j.guard.trips(base.mapping, read.Mapping)
	if !trips {
		return nil, nil
	}
	h := j.guard.hold(d, base, removed)
	return &h, nil
}

// unjudged reports whether a mapping counts as it is.
func (j *mappingJudge) unjudged(d mappingEntry) bool {
	return slices.Contains(j.now, d.Dump) || j.p.mappingAccepted(d)
}

// corrects reports whether a dump brings another mapping than it did when the state
// took its mapping.
func (j *mappingJudge) corrects(d mappingEntry) bool {
	return j.have != nil && d.Dump == j.have.Dump && d.Entry.Digest != j.have.Digest
}

// read reads what one dump brings, or returns why it cannot be read.
func (j *mappingJudge) read(ctx context.Context, d mappingEntry) (*MappingRead, *plan.Hold, error) {
	read, err := ReadMappingOf(ctx, j.p, d.Dump, d.Entry)
	if bad := BadFile(err); bad != nil && ctx.Err() == nil {
		return nil, &plan.Hold{Table: feed.TableMapping, Dump: d.Dump, File: bad.File, Reason: bad.reason(ctx, j.p.Source)}, nil
	}
	return read, nil, err
}

// count makes a mapping count, and void what was held before it.
func (j *mappingJudge) count(read *MappingRead) {
	j.counts, j.bad, j.tripped = nil, nil, nil
	if read != nil {
		j.counts = &judgedMapping{dump: read.Dump, mapping: read.Mapping, read: read}
	}
}

// stay makes the mapping of the state count, as its files are now.
func (j *mappingJudge) stay(ctx context.Context) error {
	again, held, err := compareMapping(ctx, j.p, j.have)
	if err != nil {
		return err
	}
	j.count(again)
	if held != nil {
		j.bad = append(j.bad, *held)
	}
	if again != nil {
		return nil
	}
	m, err := LoadMapping(ctx, j.p.Objects, j.have.Ref)
	if err != nil {
		return err
	}
	j.counts = &judgedMapping{dump: j.have.Dump, mapping: m}
	j.p.Closures[j.have.Ref.Digest] = m.Closure(j.p.Budget.Workers())
	return nil
}
