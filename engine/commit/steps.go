package commit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/lake"
	"reconcile/sinks"
	"reconcile/state"
)

// Steps lists what makes the change visible: moves first, then removals of what no
// longer belongs to the table (C6), each with the digests before and after (C3).
func (c *Change) Steps() []state.Step {
	before := c.replaced()
	var steps []state.Step
	for _, p := range c.Parts {
		for i, f := range p.Record.Files {
			at := sinks.Place{Root: c.Table.Sinks[f.Sink].Root, Path: f.Path}
			if p.Staged[i] == "" {
				delete(before, at)
				continue
			}
			s := state.Step{Sink: at.Root, Staged: p.Staged[i], Path: f.Path, After: f.Digest, Size: f.Size}
			if b, ok := before[at]; ok {
				s.Before, s.BeforePin = b.Digest, b.Pin
				delete(before, at)
			}
			steps = append(steps, s)
		}
	}
	if c.keepsFiles() {
		return steps
	}
	for _, at := range slices.SortedFunc(maps.Keys(before), sinks.Place.Compare) {
		b := before[at]
		steps = append(steps, state.Step{Sink: at.Root, Path: b.Path, Before: b.Digest, BeforePin: b.Pin})
	}
	return steps
}

// replaced are the files that the change may replace or remove, as they are before.
func (c *Change) replaced() map[sinks.Place]state.File {
	before := map[sinks.Place]state.File{}
	for _, s := range c.Left {
		before[sinks.Place{Root: s.Sink, Path: s.Path}] = state.File{Path: s.Path, Digest: s.Before, Pin: s.BeforePin}
	}
	rewritten := c.rewritten()
	for _, p := range c.OldParts {
		if !c.Whole && !rewritten[p.Ordinal] {
			continue
		}
		for _, f := range p.Files {
			before[sinks.Place{Root: c.Old.Sinks[f.Sink].Root, Path: f.Path}] = f
		}
	}
	return before
}

// checkRemovals fails if steps remove other files of the table than the change says.
func (c *Change) checkRemovals(steps []state.Step) error {
	says, left := map[sinks.Place]bool{}, map[sinks.Place]bool{}
	for _, at := range c.Removals {
		says[at] = true
	}
	for _, s := range c.Left {
		left[sinks.Place{Root: s.Sink, Path: s.Path}] = true
	}
	for _, s := range steps {
		at := sinks.Place{Root: s.Sink, Path: s.Path}
		if s.Staged == "" && !says[at] && !left[at] {
			return fmt.Errorf("the result of its task keeps %s in %s, which the commit would remove", at.Path, at.Root)
		}
		if s.Staged == "" {
			delete(says, at)
		}
	}
	if stay := slices.SortedFunc(maps.Keys(says), sinks.Place.Compare); len(stay) > 0 {
		return fmt.Errorf("the result of its task removes %s in %s, which the commit would keep", stay[0].Path, stay[0].Root)
	}
	return nil
}

// keepsFiles reports whether the change touches no data at all.
func (c *Change) keepsFiles() bool { return !c.Whole && len(c.Parts) == 0 && len(c.Removed) == 0 }

// CanCarryOut fails if a move of a publish list cannot be carried out: a commit is made
// visible by renames, which end at a mount. It is asked before the commit: after it
// there is no way back.
func CanCarryOut(ctx context.Context, k *lake.Lake, steps []state.Step) error {
	to := map[string][]string{} // folders, by root
	seen := map[sinks.Place]bool{}
	for _, s := range steps {
		at := sinks.Place{Root: s.Sink, Path: path.Dir(s.Path)}
		if s.Staged != "" && !seen[at] {
			seen[at], to[s.Sink] = true, append(to[s.Sink], at.Path)
		}
	}
	for _, root := range slices.Sorted(maps.Keys(to)) {
		if err := k.CanPublish(ctx, root, to[root]); err != nil {
			return err
		}
	}
	return nil
}

// FillDigests reads the content of the files that are removed and of which no digest is
// known, so that the publish list can be repeated (C7).
func FillDigests(ctx context.Context, k *lake.Lake, steps []state.Step) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(stepsAtOnce)
	for i := range steps {
		s := &steps[i]
		if s.Before != "" || s.Staged != "" {
			continue
		}
		sk, err := k.Open(ctx, s.Sink)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() (err error) {
			s.Before, err = sk.Digest(gctx, s.Path, "")
			return err
		})
	}
	return g.Wait()
}
