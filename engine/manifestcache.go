package engine

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

// listSource lists the source. What the state keeps of the manifests is only to spare
// reading them: where it is damaged they are read, and the next apply keeps them anew.
func listSource(ctx context.Context, p *Plan) (err error) {
	var known []byte
	if !p.snap.Manifests.IsZero() {
		known, err = loadManifests(ctx, p.objects, p.snap.Manifests)
		p.manifestsBad = damagedObject(err) != nil
		if err != nil && !p.manifestsBad {
			return err
		}
	}
	if p.listing, err = p.source.ListKnown(ctx, known); err != nil {
		return err
	}
	if p.ask.OnlyDumps != nil {
		p.dropOthers(p.ask.OnlyDumps)
	}
	for _, d := range p.listing.Dumps {
		p.Dumps = append(p.Dumps, d.ID)
	}
	for _, pr := range p.listing.Problems {
		if pr.HasDump {
			p.Dumps = append(p.Dumps, pr.Dump)
		}
	}
	slices.Sort(p.Dumps)
	p.Dumps = slices.Compact(p.Dumps)
	return nil
}

// dropOthers leaves only some dumps in the listing. What has no id cannot be one of them.
func (p *Plan) dropOthers(only map[int64]bool) {
	p.listing.Dumps = slices.DeleteFunc(p.listing.Dumps, func(d *dump.Dump) bool { return !only[d.ID] })
	p.listing.Problems = slices.DeleteFunc(p.listing.Problems, func(pr dump.Problem) bool { return !pr.HasDump || !only[pr.Dump] })
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
