package planner

import (
	"context"
	"errors"
	"iter"
	"slices"

	"reconcile/internal/errclass"
	"reconcile/state"
)

// DamagedObject returns the object of the state that made something fail, nil if it
// was not one.
func DamagedObject(err error) *state.ObjectError {
	if errclass.Of(err) != errclass.Damaged {
		return nil
	}
	var bad *state.ObjectError
	_ = errors.As(err, &bad) // it is none where the state as a whole is damaged
	return bad
}

// ObjectUse is what a table has an object for.
type ObjectUse string

// What a table has objects for.
const (
	UseMapping    ObjectUse = "the user mapping that it stands at"
	UseIndex      ObjectUse = "its index"
	UseShadow     ObjectUse = "its hidden rows"
	UseUsers      ObjectUse = "the latest rows of its users"
	UseQuarantine ObjectUse = "its quarantined rows"
)

// EachObject yields the objects of a table, by what they are for.
func EachObject(t *state.Table, parts []*state.Partition) iter.Seq2[ObjectUse, state.Ref] {
	return func(yield func(ObjectUse, state.Ref) bool) {
		all := map[ObjectUse][]state.Ref{UseMapping: {t.Mapping}, UseIndex: t.Index, UseUsers: t.KeptUsers()}
		for _, p := range parts {
			all[UseShadow] = append(all[UseShadow], p.Shadow)
		}
		for _, q := range t.Quarantine {
			all[UseQuarantine] = append(all[UseQuarantine], q.Ref)
		}
		for _, use := range []ObjectUse{UseMapping, UseIndex, UseShadow, UseUsers, UseQuarantine} {
			for _, ref := range all[use] {
				if !ref.IsZero() && !yield(use, ref) {
					return
				}
			}
		}
	}
}

// useOf returns what a table has an object for; empty if it does not name it.
func useOf(t *state.Table, parts []*state.Partition, digest string) (ObjectUse, state.Ref) {
	if t != nil {
		for use, ref := range EachObject(t, parts) {
			if ref.Digest == digest {
				return use, ref
			}
		}
	}
	return "", state.Ref{}
}

// knownDamage lists the damaged objects of a table: those that an earlier apply
// found and that did not change since, and for a repair all of them, which takes reading
// all.
func knownDamage(ctx context.Context, p *Session, t *Table) ([]*state.ObjectError, error) {
	if t.Old == nil {
		return nil, nil
	}
	var out []*state.ObjectError
	for _, h := range p.Snap.Holds {
		if h.Table == t.Name && StillDamaged(p, h) {
			_, ref := useOf(t.Old, t.Parts, h.Object)
			out = append(out, &state.ObjectError{Ref: ref, State: p.Objects.Place(), Missing: h.Missing, Err: errors.New(h.Reason)})
		}
	}
	if !p.Ask.repairs(t.Name) {
		return out, nil
	}
	for use, ref := range EachObject(t.Old, t.Parts) {
		known := slices.ContainsFunc(out, func(bad *state.ObjectError) bool { return bad.Ref.Digest == ref.Digest })
		if known || use == UseMapping && p.Closures[ref.Digest] != nil {
			continue
		}
		err := VerifyObject(ctx, p, ref)
		if bad := DamagedObject(err); bad != nil {
			out = append(out, bad)
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// VerifyObject reads all of an object of the state. It fails with a state.ObjectError if
// the object is damaged.
func VerifyObject(ctx context.Context, p *Session, ref state.Ref) (err error) {
	o, err := p.Objects.OpenObject(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return o.Verify(ctx)
}

// StillDamaged reports whether what is remembered of a damaged object still holds its
// table: not after the table does without it, or its file became another.
func StillDamaged(p *Session, h state.Hold) bool {
	if h.Object == "" {
		return false
	}
	use, ref := useOf(p.Snap.Tables[h.Table], p.Snap.Partitions[h.Table], h.Object)
	return use != "" && p.Objects.ObjectPin(ref) == h.Pin
}
