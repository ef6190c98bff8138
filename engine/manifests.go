package engine

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
)

// holdManifests turns what cannot be read, and what changed after it was
// applied, into holds, and drops those dumps from the listing. A change that is
// accepted stays in it.
func holdManifests(p *Plan) {
	for _, pr := range p.listing.Problems {
		if pr.HasDump && p.ask.Later(pr.Dump) {
			continue
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: pr.Dump, File: strings.Join(pr.Manifests, ", "), Reason: pr.Reason + "; " + pr.Hint})
	}
	p.listing.Dumps = slices.DeleteFunc(p.listing.Dumps, func(d *dump.Dump) bool {
		was, ok := p.snap.Dumps[d.ID]
		if !ok || was.Digest == d.Digest || p.ask.Later(d.ID) {
			return false
		}
		if slices.Contains(p.ask.AcceptManifest, d.ID) {
			p.Accepted = append(p.Accepted, d.ID)
			return false
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: d.ID, File: d.Manifest,
			Reason: fmt.Sprintf("the manifest changed after it was applied (as %s); -accept-manifest=%d plans the rebuild", was.Manifest, d.ID)})
		p.names.held = append(p.names.held, d)
		return true
	})
}
