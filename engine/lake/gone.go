package lake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/internal/errclass"
	"reconcile/internal/shell"
	"reconcile/state"
)

// A sink in which the state lists files, and where neither current.json nor any of these
// is, is not there: a disk that is not mounted, another bucket. To take that for drift
// would fill the wrong place.

// GoneError says that a sink is not there. Its tables are held, and the hold of the sink
// says why.
type GoneError struct{ Root string }

func (g *GoneError) Error() string { return "the sink at " + g.Root + " is not there" }

// ErrorClass implements errclass.Classed.
func (g *GoneError) ErrorClass() (class errclass.Class, about string) {
	return errclass.SinkMissing, g.Root
}

// NoteGone notes that a sink is not there.
func (k *Lake) NoteGone(root string) { k.entry(root).gone = &GoneError{root} }

// NoteLost notes that a sink that is said to be lost really is, and so is rewritten.
func (k *Lake) NoteLost(root string) { k.entry(root).lost = true }

// Lost reports whether a sink is lost, and so is rewritten.
func (k *Lake) Lost(root string) bool { return k.lookUp(root).lost }

// GoneText says of a sink that is not there what can be done. tables are those that the
// state has in it.
func (k *Lake) GoneText(root string, tables []string) string {
	text := fmt.Sprintf("the sink is not there: the state %s lists files in it, and neither _reconcile/current.json nor any of these files exists; its tables stay as they are (%s); mount it, or correct its path; if it was moved, %s; if it is lost for good, ",
		k.o.Home.Place, strings.Join(tables, ", "), shell.Word("-moved-sink="+root+"=NEW"))
	if k.o.Declared.Has(root) {
		return text + shell.Word("-sink-lost="+root) + " writes it anew, from other sinks or from the source"
	}
	return text + shell.Word("-forget-sink="+root) + " lets it go, as the configuration no longer has it"
}

// IsGone reports whether nothing is in a sink of what the state lists there.
func (k *Lake) IsGone(ctx context.Context, snap *state.Snapshot, root string) (bool, error) {
	head, err := k.Head(ctx, root)
	if err != nil || head.Current != nil || head.Damage != nil {
		return false, err
	}
	listed, staged := filesListed(snap, root)
	if len(listed)+len(staged) == 0 {
		return false, nil
	}
	sk := k.Sink(root)
	for _, path := range staged {
		if there, err := sk.Exists(ctx, path); there || err != nil {
			return false, err
		}
	}
	var folders []string
	for path := range listed {
		folder, _, _ := strings.Cut(path, "/")
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		files, err := sk.List(ctx, folder)
		if err != nil {
			return false, err
		}
		for _, o := range files {
			if listed[o.Path] {
				return false, nil
			}
		}
	}
	return true, nil
}

// filesListed are the data files that the state has in a sink, with those that open
// publish lists replace or remove, and what is staged for these.
func filesListed(snap *state.Snapshot, root string) (listed map[string]bool, staged []string) {
	listed = map[string]bool{}
	for name, t := range snap.Tables {
		at := t.SinkAt(root)
		for _, p := range snap.Partitions[name] {
			for _, f := range p.Files {
				if f.Sink == at {
					listed[f.Path] = true
				}
			}
		}
	}
	for _, p := range snap.Publishes {
		for _, s := range p.Steps {
			if s.Sink != root {
				continue
			}
			listed[s.Path] = true
			if s.Staged != "" {
				staged = append(staged, s.Staged)
			}
		}
	}
	return listed, staged
}

// WithoutLost takes the sinks that are not there and said to be lost out of a publish
// list that is to be finished, and of its roots. It fails with a GoneError if another one
// is not there.
func (k *Lake) WithoutLost(ctx context.Context, snap *state.Snapshot, p *state.Publish, roots []string) (*state.Publish, []string, error) {
	out := *p
	for _, root := range slices.Clone(roots) {
		is, err := k.IsGone(ctx, snap, root)
		if err != nil {
			return nil, nil, err
		}
		if is && !k.o.Declared.SaidLost(root) {
			return nil, nil, &GoneError{root}
		}
		if is {
			k.NoteLost(root)
			at := func(s state.Step) bool { return s.Sink == root }
			roots = slices.DeleteFunc(slices.Clone(roots), func(r string) bool { return r == root })
			out.Steps = slices.DeleteFunc(slices.Clone(out.Steps), at)
		}
	}
	return &out, roots, nil
}
