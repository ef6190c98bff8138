package planner

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
)

// HoldManifests turns what cannot be read, and what changed after it was
// applied, into holds, and drops those dumps from the listing. A change that is
// accepted stays in it.
func HoldManifests(p *Session) {
	for _, pr := range p.Listing.Problems {
		if pr.HasDump && p.Ask.Later(pr.Dump) {
			continue
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: pr.Dump, File: strings.Join(pr.Manifests, ", "), Reason: pr.Reason + "; " + pr.Hint})
	}
	p.Listing = without(p.Listing, func(d *dump.Dump) bool {
		was, ok := p.Snap.Dumps[d.ID]
		if !ok || was.Digest == d.Digest || p.Ask.Later(d.ID) {
			return false
		}
		if slices.Contains(p.Ask.AcceptManifest, d.ID) {
			p.Accepted = append(p.Accepted, d.ID)
			return false
		}
		p.Holds = append(p.Holds, plan.Hold{Dump: d.ID, File: d.Manifest,
			Reason: fmt.Sprintf("the manifest changed after it was applied (as %s); -accept-manifest=%d plans the rebuild", was.Manifest, d.ID)})
		p.Names.held = append(p.Names.held, d)
		return true
	})
}
