package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/state"
)

// Manifests stay for ever, and a source behind a network has a request for each to
// pay and to wait for. What they said is kept in the state by the first commit of
// an apply; the next plan reads the new ones, and those that may have changed.

// ListSource lists the source. What the state keeps of the manifests is only to spare
// reading them: where it is damaged they are read, and the next apply stores them again.
func ListSource(ctx context.Context, p *Session) (err error) {
	var known []byte
	if !p.Snap.Manifests.IsZero() {
		known, err = loadManifests(ctx, p.Objects, p.Snap.Manifests)
		p.ManifestsBad = DamagedObject(err) != nil
		if err != nil && !p.ManifestsBad {
			return err
		}
	}
	if p.Listing, err = p.Source.ListKnown(ctx, known); err != nil {
		return err
	}
	if p.Ask.OnlyDumps != nil {
		p.dropOthers()
	}
	for _, d := range p.Listing.Dumps {
		p.Dumps = append(p.Dumps, d.ID)
	}
	for _, pr := range p.Listing.Problems {
		if pr.HasDump {
			p.Dumps = append(p.Dumps, pr.Dump)
		}
	}
	slices.Sort(p.Dumps)
	p.Dumps = slices.Compact(p.Dumps)
	return nil
}

// dropOthers leaves only the dumps in the listing that the plan is to be of. What has no id
// cannot be one of them.
func (p *Session) dropOthers() {
	p.Listing = without(p.Listing, func(d *dump.Dump) bool { return !p.Ask.Counts(d.ID) })
	p.Listing.Problems = slices.DeleteFunc(slices.Clone(p.Listing.Problems), func(pr dump.Problem) bool { return !pr.HasDump || !p.Ask.Counts(pr.Dump) })
}

// without returns a listing that lacks some of the dumps of another one, which stays as it
// is.
func without(l *dump.Listing, drop func(*dump.Dump) bool) *dump.Listing {
	out := *l
	out.Dumps = slices.DeleteFunc(slices.Clone(l.Dumps), drop)
	return &out
}

func loadManifests(ctx context.Context, store Objects, ref state.Ref) (known []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the manifests that the state keeps: %w", err)
		}
	}()
	o, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return o.ReadAll(ctx)
}
