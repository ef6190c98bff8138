package lake

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/internal/shell"
	"reconcile/sinks"
	"reconcile/state"
)

// Each current.json says where the state is that writes the sink. A configuration that
// leads elsewhere is refused, as an apply there would begin a second state, or go on with
// an old copy: unless the state is there, and known to be no more where it was.

// Home is the place of the state, by which is judged what sinks say of where it is. One
// goroutine uses it at a time.
type Home struct {
	// Place is that of the state by the configuration.
	Place string
	// Dir is the folder that relative paths are relative to.
	Dir string
	// Lost are places that are said to be gone for good, as somebody writes them.
	Lost []string
	// Open opens the state at another place.
	Open func(ctx context.Context, place string) (*state.Store, error)

	vacant map[string]bool // whether places are known to hold no state of the lineage
}

// Resolve returns the place of a state as somebody writes it: a path, or a URL.
func (h *Home) Resolve(name string) string {
	if strings.HasPrefix(name, "s3://") {
		return strings.TrimRight(name, "/")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(h.Dir, name)
	}
	return filepath.Join(config.Resolve(filepath.Dir(name)), filepath.Base(name))
}

// Is reports whether a place, as somebody writes it, is that of the configuration.
func (h *Home) Is(place string) bool { return h.Resolve(place) == h.Resolve(h.Place) }

// Elsewhere reports whether a sink says that its state is at another place than the
// configuration does.
func (h *Home) Elsewhere(cur *sinks.Current) bool {
	return cur != nil && cur.State != "" && !h.Is(cur.State)
}

// SaidLost reports whether a place, which Resolve gave, is said to be lost. It counts only
// while what is there cannot be read: a state that can is not lost.
func (h *Home) SaidLost(place string) bool {
	return slices.ContainsFunc(h.Lost, func(name string) bool { return h.Resolve(name) == place })
}

// Load reads the state at another place than the configuration's.
func (h *Home) Load(ctx context.Context, place string) (*state.Snapshot, error) {
	st, err := h.Open(ctx, place)
	if err != nil {
		return nil, err
	}
	return st.Load(ctx)
}

// mostMoves is how many moves of a state are followed.
const mostMoves = 16

// left reports whether a place is known to hold no state of a lineage: none at all,
// another one, or one that was closed when it was moved to where the configuration says.
func (h *Home) left(ctx context.Context, place, lineage string) (bool, error) {
	if vacant, known := h.vacant[place]; known {
		return vacant, nil
	}
	if h.vacant == nil {
		h.vacant = map[string]bool{}
	}
	at := place
	for range mostMoves {
		snap, err := h.Load(ctx, at)
		var moved *state.MovedError
		switch {
		case errors.As(err, &moved) && moved.To != "":
			if at = h.Resolve(moved.To); !h.Is(at) {
				continue
			}
			h.vacant[place] = true
			return true, nil
		case err != nil && h.SaidLost(place):
			h.vacant[place] = true
			return true, nil
		case err != nil:
			return false, err
		}
		h.vacant[place] = snap.Serial == 0 || snap.Lineage != lineage
		return h.vacant[place], snap.Close()
	}
	return false, fmt.Errorf("it was moved more than %d times from there on", mostMoves)
}

// Check refuses to work with a state that is not where a sink says, unless it moved.
// sink names the sink in messages.
func (h *Home) Check(ctx context.Context, snap *state.Snapshot, sink string, cur *sinks.Current) error {
	if !h.Elsewhere(cur) || snap.Serial > 0 && snap.Lineage != cur.Lineage { // another state, which has its own error
		return nil
	}
	recorded, why := h.Resolve(cur.State), ""
	if snap.Serial > 0 {
		left, err := h.left(ctx, recorded, cur.Lineage)
		if left {
			return nil
		}
		if why = ", which holds a state of lineage " + cur.Lineage + ", too"; err != nil {
			why = fmt.Sprintf(", of which nobody knows if it holds one still: %v; if that place is gone for good, %s goes on without it", err, shell.Word("-state-lost="+recorded))
		}
	}
	return fmt.Errorf("the configuration says that the state is %s, but %s says that the state that writes it is %s%s: move it with `reconcile init -migrate-state`, or let the state block name the place where it is; nothing was changed",
		h.Place, sink, recorded, why)
}

// CheckHome is Home.Check for all sinks of the configuration that can be reached.
func (k *Lake) CheckHome(ctx context.Context, snap *state.Snapshot) error {
	return k.EachHead(ctx, func(root string, head Head) error {
		return k.o.Home.Check(ctx, snap, k.o.Declared.Name(root), head.Current)
	})
}
