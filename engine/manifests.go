package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/state"
)

// holdManifests turns what cannot be read, and what changed after it was
// applied, into holds, and drops those dumps from the listing. A change that is
// accepted stays in it.
func (e *Engine) holdManifests(p *Plan) {
	for _, pr := range p.listing.Problems {
		if pr.HasDump && e.later(pr.Dump) {
			continue
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: pr.Dump, File: strings.Join(pr.Manifests, ", "), Reason: pr.Reason + "; " + pr.Hint})
	}
	p.listing.Dumps = slices.DeleteFunc(p.listing.Dumps, func(d *dump.Dump) bool {
		was, ok := p.snap.Dumps[d.ID]
		if !ok || was.Digest == d.Digest || e.later(d.ID) {
			return false
		}
		if slices.Contains(e.opts.AcceptManifest, d.ID) {
			p.Accepted = append(p.Accepted, d.ID)
			return false
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: d.ID, File: d.Manifest,
			Reason: fmt.Sprintf("the manifest changed after it was applied (as %s); -accept-manifest=%d plans the rebuild", was.Manifest, d.ID)})
		p.names.held = append(p.names.held, d)
		return true
	})
}

// acceptManifests notes that the manifests that the plan accepted are the ones
// to go by. What they change of a table shows by what the table has applied, so
// that it is planned also if this apply does not come to it.
func acceptManifests(ctx context.Context, l *state.Lock, p *Plan) error {
	if len(p.Accepted) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, id := range p.Accepted {
			errs = append(errs, putDump(tx, p.listing.Dump(id)))
		}
		return errors.Join(errs...)
	})
}

// skipped reports whether a skip_dump block leaves a table out of a dump.
func (e *Engine) skipped(id int64, table string) bool {
	for _, s := range e.cfg.Skips {
		if s.Dump == id && slices.ContainsFunc(s.Tables, func(t string) bool { return t == table || t == "*" }) {
			return true
		}
	}
	return false
}

// leftOut reports whether the configuration leaves a table out of a dump: the dump is
// skipped, or above until_dump.
func (e *Engine) leftOut(id int64, table string) bool { return e.later(id) || e.skipped(id, table) }

// withdrawn reports whether a dump that a table took no longer brings it: it is
// left out, or an accepted manifest does not list the table any more. A dump that
// is gone from the source is not withdrawn.
func (e *Engine) withdrawn(p *Plan, id int64, table string) bool {
	d := p.listing.Dump(id)
	return e.leftOut(id, table) || d != nil && d.Entry(table) == nil
}
