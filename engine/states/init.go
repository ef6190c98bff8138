package states

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/internal/errclass"
	"reconcile/sinks"
	"reconcile/state"
)

// Inited is what Init found.
type Inited struct {
	State    string // its place
	Lineage  string
	Serial   uint64
	Local    bool // it is in a file, and nothing is to be done
	Tried    bool // the store was written to, and keeps conditions
	NotTried string
}

// Init looks whether the state can be read, is where the sinks say, and can be written.
// It leaves nothing behind.
func (k *Keeper) Init(ctx context.Context) (_ *Inited, err error) {
	snap, err := k.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if err := k.Lake.CheckHome(ctx, snap); err != nil {
		return nil, err
	}
	out := &Inited{State: k.Store.Place(), Lineage: snap.Lineage, Serial: snap.Serial}
	if out.Local = k.Config.StateS3 == nil; out.Local {
		out.NotTried = "a state in a file needs no preparation"
		return out, nil
	}
	err = k.Store.Try(ctx)
	if errors.Is(err, fs.ErrPermission) {
		out.NotTried = err.Error()
		return out, nil
	}
	out.Tried = err == nil
	return out, err
}

// StateMoved is what MigrateState did.
type StateMoved struct {
	From    string // empty if there was nothing to move
	To      string
	Lineage string
	Serial  uint64
	Objects int
	Bytes   int64
	// Unrecorded are sinks that could not be told. The next commit tells them.
	Unrecorded []string
}

// MigrateState moves the state to where the configuration says: from a place, or from
// where the sinks say that it is. A move that was killed is finished by starting it again.
func (k *Keeper) MigrateState(ctx context.Context, from string) (_ *StateMoved, err error) {
	out := &StateMoved{To: k.Store.Place()}
	if from == "" {
		if from, err = k.recordedPlace(ctx); err != nil || from == "" {
			return out, err
		}
	}
	if from = k.Home.Resolve(from); from == k.Home.Resolve(k.Store.Place()) {
		return nil, fmt.Errorf("the state is to be moved from %s to %s, which is the same place: let the state block name the new one, or give the old one with -from=PLACE", from, k.Store.Place())
	}
	src, err := k.Opener.At(ctx, from)
	if err != nil {
		return nil, err
	}
	a, b, err := state.LockBoth(ctx, src, k.Store, state.NewHolder("init"), k.Wait)
	if err != nil {
		return nil, k.withoutConnection(from, err)
	}
	ctx = b.Context(a.Context(ctx))
	defer func() {
		err = errors.Join(err, b.Unlock(), a.Unlock())
		if lost := context.Cause(ctx); errclass.Of(lost) == errclass.LeaseLost && !errors.Is(err, state.ErrUnknownOutcome) {
			err = lost
		}
	}()
	m, err := state.Migrate(ctx, state.Side{Store: src, Lock: a}, state.Side{Store: k.Store, Lock: b})
	if err != nil {
		return nil, err
	}
	out.From, out.Lineage, out.Serial, out.Objects, out.Bytes = from, m.Lineage, m.Serial, m.Objects, m.Bytes
	return out, k.recordPlace(ctx, b, out)
}

// withoutConnection says of a place on S3 that could not be used if the configuration has
// nothing by which to reach it.
func (k *Keeper) withoutConnection(place string, err error) error {
	onS3 := func(s *config.Sink) bool { return s.S3 != nil }
	if errors.Is(err, state.ErrLocked) || !strings.HasPrefix(place, "s3://") || k.Config.StateS3 != nil || slices.ContainsFunc(k.Config.Sinks, onS3) {
		return err
	}
	return fmt.Errorf("%w. Nothing in the configuration says how %s is reached, so that it is as the AWS SDK finds by itself: set AWS_REGION, AWS_PROFILE or AWS_ENDPOINT_URL_S3 for this command", err, place)
}

// recordedPlace returns the one other place at which sinks say that their state is, empty
// if they say that it is where the configuration does, or nothing was ever applied.
func (k *Keeper) recordedPlace(ctx context.Context) (string, error) {
	var places, silent []string
	for _, s := range k.Config.Sinks {
		says, err := k.Lake.Head(ctx, s.Path)
		if err = errors.Join(err, says.Damage); err != nil {
			return "", fmt.Errorf("%s: %w; -from=PLACE says where the state is", s.Address(), err)
		}
		switch cur := says.Current; {
		case cur != nil && cur.State == "":
			silent = append(silent, s.Address())
		case k.Home.Elsewhere(cur):
			places = append(places, k.Home.Resolve(cur.State))
		}
	}
	slices.Sort(places)
	switch places = slices.Compact(places); {
	case len(places) > 1:
		return "", fmt.Errorf("the sinks name several places of the state (%s): give the right one with -from=PLACE; nothing was changed", strings.Join(places, ", "))
	case len(places) == 1:
		return places[0], nil
	case len(silent) > 0:
		return "", fmt.Errorf("the current.json of %s does not say yet where the state is: give its place with -from=PLACE; nothing was changed", strings.Join(silent, ", "))
	}
	return "", nil
}

// recordPlace has the sinks of the state say where it is.
func (k *Keeper) recordPlace(ctx context.Context, l *state.Lock, m *StateMoved) error {
	for _, s := range k.Config.Sinks {
		says, err := k.Lake.Head(ctx, s.Path)
		if err == nil && (says.Current == nil || says.Current.Lineage != m.Lineage) {
			continue
		}
		if err == nil {
			err = k.announcer(l).Edit(ctx, s.Path, m.Lineage, func(cur *sinks.Current) (bool, error) {
				return cur.State == "" || k.Home.Elsewhere(cur), nil
			})
		}
		switch {
		case k.Lake.StopsTable(ctx, err):
			m.Unrecorded = append(m.Unrecorded, s.Address())
		case err != nil:
			return err
		}
	}
	return nil
}
