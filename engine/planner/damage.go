package planner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/state"
)

// An object of the state that is damaged or missing holds the tables that need it,
// until it is back or -repair does without it: from what the sink and the rest of the
// state have, if that is enough, else from the source.

// DamagedObject returns the object of the state that made something fail, nil if it
// was not one.
func DamagedObject(err error) *state.ObjectError {
	var bad *state.ObjectError
	if errors.As(err, &bad) {
		return bad
	}
	return nil
}

// ObjectUse is what a table has an object for.
type ObjectUse string

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

// knownDamage lists the damaged objects of a table: those that an earlier apply met
// and that are as they were, and for a repair all of them, which takes reading all.
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
	if !p.Ask.Repairs(t.Name) {
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

// planDamaged plans a table of which objects are damaged: it is held, or with -repair
// written anew.
func planDamaged(ctx context.Context, p *Session, t *Table, damage []*state.ObjectError) error {
	if !p.Ask.Repairs(t.Name) {
		h, err := DamageHold(ctx, p, t, damage[0])
		t.Keep()
		p.Holds = append(p.Holds, h)
		return err
	}
	lost, err := unreadableDumps(ctx, p, t)
	if err != nil {
		return err
	}
	rebuild, why := false, []string{}
	for _, bad := range damage {
		use, _ := useOf(t.Old, t.Parts, bad.Ref.Digest)
		rebuild = rebuild || use == UseShadow || use == UseUsers || use == UseQuarantine && len(lost) == 0
		why = append(why, fmt.Sprintf("%s cannot be read: %v", use, bad))
	}
	if rebuild {
		return planDistrusted(ctx, p, t, strings.Join(why, "; "))
	}
	if h := quarantineLoss(p, t, damage, lost); h != nil {
		t.Keep()
		p.Holds = append(p.Holds, *h)
		return nil
	}
	all := t.All
	t.Keep()
	t.All, t.Rewrite = all, strings.Join(why, "; ")
	for _, bad := range damage {
		t.Dropped = append(t.Dropped, bad.Ref.Digest)
	}
	return planContent(ctx, p, t)
}

// quarantineLoss is the hold of a table whose quarantined rows a repair would lose, as
// the source no longer has them; nil if it would not, or that is accepted.
func quarantineLoss(p *Session, t *Table, damage []*state.ObjectError, lost []int64) *plan.Hold {
	for _, bad := range damage {
		use, _ := useOf(t.Old, t.Parts, bad.Ref.Digest)
		if use != UseQuarantine || p.Ask.AcceptsLoss(t.Name) {
			continue
		}
		return &plan.Hold{Table: t.Name, Object: bad.Ref.Digest, Reason: fmt.Sprintf(
			"%s cannot be read: %v; the table cannot be rebuilt, as %s gone from the source or cannot be read; it stays as it is; -repair -target=table.%s -accept-loss=%s writes it anew without these quarantined rows",
			use, bad, dumpsAre(lost), t.Name, t.Name)}
	}
	return nil
}

// DamageHold is the hold of a table that needs an object that is damaged: it names the
// way out, and what that costs.
func DamageHold(ctx context.Context, p *Session, t *Table, bad *state.ObjectError) (plan.Hold, error) {
	h := plan.Hold{Table: t.Name, Object: bad.Ref.Digest}
	lost, err := unreadableDumps(ctx, p, t)
	if err != nil {
		return h, err
	}
	use, _ := useOf(t.Old, t.Parts, bad.Ref.Digest)
	repair := fmt.Sprintf("-repair -target=table.%s", t.Name)
	var way string
	switch {
	case use == UseMapping || use == UseIndex:
		way = repair + " writes it anew from what the sink and the state still have, and loses nothing"
	case use == "":
		use, way = "an object of the state", repair+" does without it"
	case len(lost) == 0:
		way = repair + " rebuilds it from the source, which has all of its dumps"
	case use == UseQuarantine:
		way = fmt.Sprintf("%s -accept-loss=%s writes it anew without these rows, as %s gone from the source or cannot be read", repair, t.Name, dumpsAre(lost))
	default:
		way = fmt.Sprintf("%s rebuilds it from the source, where %s gone or cannot be read: their rows would be lost, which takes -accept-loss=%s as well", repair, dumpsAre(lost), t.Name)
	}
	h.Reason = fmt.Sprintf("%s cannot be read: %v; the table stays as it is; %s", use, bad, way)
	return h, nil
}

func dumpsAre(ids []int64) string {
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
	if len(ids) == 1 {
		return "dump " + text + " is"
	}
	return "dumps " + text + " are"
}

// unreadableDumps lists the dumps that a rebuild of the table would need, and that the
// source no longer has whole.
func unreadableDumps(ctx context.Context, p *Session, t *Table) ([]int64, error) {
	var out []int64
	for _, id := range RebuiltFrom(p, t) {
		h, _, err := CheckRebuild(ctx, p, t, id)
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, id)
		}
	}
	return out, nil
}
