package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/sinks"
	"reconcile/state"
)

// Each current.json says where the state is that writes the sink. A configuration that
// leads elsewhere is refused, as an apply there would begin a second state, or go on with
// an old copy: unless the state is there, and known to be no more where it was.

// statePlace returns the place of a state as somebody writes it: a path, relative to the
// configuration's folder, or a URL.
func (e *Engine) statePlace(name string) string {
	if strings.HasPrefix(name, "s3://") {
		return strings.TrimRight(name, "/")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(e.cfg.Dir, name)
	}
	return filepath.Join(config.Resolve(filepath.Dir(name)), filepath.Base(name))
}

// stateElsewhere reports whether a sink says that its state is at another place than the
// configuration does.
func (e *Engine) stateElsewhere(cur *sinks.Current) bool {
	return cur != nil && cur.State != "" && e.statePlace(cur.State) != e.statePlace(e.store.Place())
}

// checkStatePlace refuses to work with a state that is not where a sink says, unless it
// moved.
func (e *Engine) checkStatePlace(ctx context.Context, snap *state.Snapshot, root string, cur *sinks.Current) error {
	if !e.stateElsewhere(cur) || snap.Serial > 0 && snap.Lineage != cur.Lineage { // another state, which has its own error
		return nil
	}
	recorded, why := e.statePlace(cur.State), ""
	if snap.Serial > 0 {
		gone, err := e.stateGone(ctx, recorded, cur.Lineage)
		if gone {
			return nil
		}
		if why = ", which holds a state of lineage " + cur.Lineage + ", too"; err != nil {
			why = fmt.Sprintf(", of which nobody knows if it holds one still: %v; if that place is gone for good, -state-lost=%s goes on without it", err, recorded)
		}
	}
	return fmt.Errorf("the configuration says that the state is %s, but %s says that the state that writes it is %s%s: move it with `reconcile init -migrate-state`, or let the state block name the place where it is; nothing was changed",
		e.store.Place(), e.sinkName(root), recorded, why)
}

// sinkName names a sink in messages.
func (e *Engine) sinkName(root string) string {
	if e.declared(root) {
		return e.addressOf(root) + " at " + root
	}
	return "the sink at " + root
}

// mostMoves is how many moves of a state are followed.
const mostMoves = 16

// stateGone reports whether a place is known to hold no state of a lineage: none at all,
// another one, or one that was closed when it was moved to where the configuration says.
func (e *Engine) stateGone(ctx context.Context, place, lineage string) (bool, error) {
	if gone, known := e.vacant[place]; known {
		return gone, nil
	}
	at := place
	for range mostMoves {
		snap, err := e.loadAt(ctx, at)
		var moved *state.MovedError
		switch {
		case errors.As(err, &moved) && moved.To != "":
			if at = e.statePlace(moved.To); at != e.statePlace(e.store.Place()) {
				continue
			}
			e.vacant[place] = true
			return true, nil
		case err != nil && e.saidStateLost(place):
			e.vacant[place] = true
			return true, nil
		case err != nil:
			return false, err
		}
		e.vacant[place] = snap.Serial == 0 || snap.Lineage != lineage
		return e.vacant[place], snap.Close()
	}
	return false, fmt.Errorf("it was moved more than %d times from there on", mostMoves)
}

// loadAt reads the state at another place than the configuration's.
func (e *Engine) loadAt(ctx context.Context, place string) (*state.Snapshot, error) {
	st, err := e.stateAt(ctx, place)
	if err != nil {
		return nil, err
	}
	return st.Load(ctx)
}

// saidStateLost reports whether -state-lost names a place. It counts only while what is
// there cannot be read: a state that can is not lost.
func (e *Engine) saidStateLost(place string) bool {
	return slices.ContainsFunc(e.opts.StatesLost, func(name string) bool { return e.statePlace(name) == place })
}

// stateAt opens the state at another place than the configuration's. One on S3 is reached
// as the configured one or, if that is a file, as a sink.
func (e *Engine) stateAt(ctx context.Context, place string) (*state.Store, error) {
	t := e.opts.Tuning
	if !strings.HasPrefix(place, "s3://") {
		return state.Open(place, state.Options{Program: e.opts.Program, InlineLimit: t.Inline}), nil
	}
	c := e.s3Of(place)
	if e.cfg.StateS3 != nil {
		like := *e.cfg.StateS3
		like.Bucket, like.Prefix = c.Bucket, c.Prefix
		c = &like
	}
	return e.openRemoteState(ctx, place, c)
}

// checkRecorded is checkStatePlace for all configured sinks.
func (e *Engine) checkRecorded(ctx context.Context, snap *state.Snapshot) error {
	for _, s := range e.cfg.Sinks {
		if e.down[s.Path] != nil {
			continue
		}
		says, err := e.readSays(ctx, s.Path)
		if e.stopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		if err := e.checkStatePlace(ctx, snap, s.Path, says.current); err != nil {
			return err
		}
	}
	return nil
}
