package planner

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	if err := listManifests(ctx, p); err != nil {
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

// listManifests lists the manifests, and reads those that the state does not keep.
func listManifests(ctx context.Context, p *Session) (err error) {
	var known io.Reader
	if !p.Snap.Manifests.IsZero() {
		o, err := openManifests(ctx, p, p.Snap.Manifests)
		p.ManifestsBad = DamagedObject(err) != nil
		if err != nil && !p.ManifestsBad {
			return err
		}
		if err == nil {
			defer func() { err = errors.Join(err, o.Close()) }()
			known = o
		}
	}
	p.Listing, err = p.Source.ListKnown(ctx, known)
	return err
}

// keptManifests is what the state keeps of the manifests, as it is read.
type keptManifests struct {
	io.Reader
	io.Closer
}

// readAtOnce is how much of what the state keeps of the manifests is read at once.
const readAtOnce = 256 << 10

// openManifests opens what the state keeps of the manifests, and fails if it is damaged.
// What is large is read twice for that, and never in memory as a whole.
func openManifests(ctx context.Context, p *Session, ref state.Ref) (_ *keptManifests, err error) {
	o, err := p.Objects.OpenObject(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("the manifests that the state keeps: %w", err)
	}
	out := &keptManifests{Closer: o}
	if o.Size() > int64(p.Source.Lists()) {
		err = o.Verify(ctx)
		out.Reader = bufio.NewReaderSize(io.NewSectionReader(o, 0, o.Size()), readAtOnce)
	} else {
		var all []byte
		all, err = o.ReadAll(ctx)
		out.Reader = bytes.NewReader(all)
	}
	if err != nil {
		return nil, fmt.Errorf("the manifests that the state keeps: %w", errors.Join(err, o.Close()))
	}
	return out, nil
}
