package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/state"
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
			Reason: fmt.Sprintf("the manifest changed after it was applied (as %s): %s", was.Manifest, changedManifest(p, d))})
		p.Names.held = append(p.Names.held, d)
		return true
	})
}

// changedManifest says what the changed manifest of an applied dump means for what was
// applied of it, and how to take it.
func changedManifest(p *Session, d *dump.Dump) string {
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(p.Snap.Tables)) {
		applied := slices.IndexFunc(p.Snap.Tables[name].Applied, func(a state.Applied) bool { return a.Dump == d.ID && !a.Skipped })
		if applied >= 0 && !listsAs(d, name, p.Snap.Tables[name].Applied[applied].Digest) {
			differ = append(differ, name)
		}
	}
	if m := p.Snap.Mapping; m != nil && m.Dump == d.ID && p.Snap.Tables[feed.TableMapping] == nil && !listsAs(d, feed.TableMapping, m.Digest) {
		differ = append(differ, feed.TableMapping)
	}
	if len(differ) == 0 {
		return fmt.Sprintf("what the tables have of it is listed as before; -accept-manifest=%d takes the new manifest", d.ID)
	}
	return fmt.Sprintf("it lists %s differently, or no longer; -accept-manifest=%d plans the rebuild, and the manifest as it was ends the hold", strings.Join(amount.Few(differ), ", "), d.ID)
}

// listsAs reports whether a manifest lists a table with that meaning.
func listsAs(d *dump.Dump, table, digest string) bool {
	e := d.Entry(table)
	return e != nil && e.Digest == digest
}
