package engine

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

// damagedObject returns the object of the state that made something fail, nil if it
// was not one.
func damagedObject(err error) *state.ObjectError {
	var bad *state.ObjectError
	if errors.As(err, &bad) {
		return bad
	}
	return nil
}

// objectUse is what a table has an object for.
type objectUse string

const (
	useMapping    objectUse = "the user mapping that it stands at"
	useIndex      objectUse = "its index"
	useShadow     objectUse = "its hidden rows"
	useUsers      objectUse = "the latest rows of its users"
	useQuarantine objectUse = "its quarantined rows"
)

// eachObject yields the objects of a table, by what they are for.
func eachObject(t *state.Table, parts []*state.Partition) iter.Seq2[objectUse, state.Ref] {
	return func(yield func(objectUse, state.Ref) bool) {
		all := map[objectUse][]state.Ref{useMapping: {t.Mapping}, useIndex: t.Index, useUsers: t.KeptUsers()}
		for _, p := range parts {
			all[useShadow] = append(all[useShadow], p.Shadow)
		}
		for _, q := range t.Quarantine {
			all[useQuarantine] = append(all[useQuarantine], q.Ref)
		}
		for _, use := range []objectUse{useMapping, useIndex, useShadow, useUsers, useQuarantine} {
			for _, ref := range all[use] {
				if !ref.IsZero() && !yield(use, ref) {
					return
				}
			}
		}
	}
}

// useOf returns what a table has an object for; empty if it does not name it.
func useOf(t *state.Table, parts []*state.Partition, digest string) (objectUse, state.Ref) {
	if t != nil {
		for use, ref := range eachObject(t, parts) {
			if ref.Digest == digest {
				return use, ref
			}
		}
	}
	return "", state.Ref{}
}

// knownDamage lists the damaged objects of a table: those that an earlier apply met
// and that are as they were, and for a repair all of them, which takes reading all.
func knownDamage(ctx context.Context, p *Plan, t *TablePlan) ([]*state.ObjectError, error) {
	if t.old == nil {
		return nil, nil
	}
	var out []*state.ObjectError
	for _, h := range p.snap.Holds {
		if h.Table == t.Name && stillDamaged(p, h) {
			_, ref := useOf(t.old, t.parts, h.Object)
			out = append(out, &state.ObjectError{Ref: ref, State: p.objects.Place(), Missing: h.Missing, Err: errors.New(h.Reason)})
		}
	}
	if !p.ask.Repairs(t.Name) {
		return out, nil
	}
	for use, ref := range eachObject(t.old, t.parts) {
		known := slices.ContainsFunc(out, func(bad *state.ObjectError) bool { return bad.Ref.Digest == ref.Digest })
		if known || use == useMapping && p.closures[ref.Digest] != nil {
			continue
		}
		err := verifyObject(ctx, p, ref)
		if bad := damagedObject(err); bad != nil {
			out = append(out, bad)
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func verifyObject(ctx context.Context, p *Plan, ref state.Ref) (err error) {
	o, err := p.objects.OpenObject(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return o.Verify(ctx)
}

// stillDamaged reports whether what is remembered of a damaged object still holds its
// table: not after the table does without it, or its file became another.
func stillDamaged(p *Plan, h state.Hold) bool {
	if h.Object == "" {
		return false
	}
	use, ref := useOf(p.snap.Tables[h.Table], p.snap.Partitions[h.Table], h.Object)
	return use != "" && p.objects.ObjectPin(ref) == h.Pin
}

// planDamaged plans a table of which objects are damaged: it is held, or with -repair
// written anew.
func planDamaged(ctx context.Context, p *Plan, t *TablePlan, damage []*state.ObjectError) error {
	if !p.ask.Repairs(t.Name) {
		h, err := damageHold(ctx, p, t, damage[0])
		t.keep()
		p.Holds = append(p.Holds, h)
		return err
	}
	lost, err := unreadableDumps(ctx, p, t)
	if err != nil {
		return err
	}
	rebuild, why := false, []string{}
	for _, bad := range damage {
		use, _ := useOf(t.old, t.parts, bad.Ref.Digest)
		rebuild = rebuild || use == useShadow || use == useUsers || use == useQuarantine && len(lost) == 0
		why = append(why, fmt.Sprintf("%s cannot be read: %v", use, bad))
	}
	if rebuild {
		return planDistrusted(ctx, p, t, strings.Join(why, "; "))
	}
	if h := quarantineLoss(p, t, damage, lost); h != nil {
		t.keep()
		p.Holds = append(p.Holds, *h)
		return nil
	}
	all := t.all
	t.keep()
	t.all, t.rewrite = all, strings.Join(why, "; ")
	for _, bad := range damage {
		t.dropped = append(t.dropped, bad.Ref.Digest)
	}
	return planContent(ctx, p, t)
}

// quarantineLoss is the hold of a table whose quarantined rows a repair would lose, as
// the source no longer has them; nil if it would not, or that is accepted.
func quarantineLoss(p *Plan, t *TablePlan, damage []*state.ObjectError, lost []int64) *plan.Hold {
	for _, bad := range damage {
		use, _ := useOf(t.old, t.parts, bad.Ref.Digest)
		if use != useQuarantine || p.ask.AcceptsLoss(t.Name) {
			continue
		}
		return &plan.Hold{Table: t.Name, Object: bad.Ref.Digest, Reason: fmt.Sprintf(
			"%s cannot be read: %v; the table cannot be rebuilt, as %s gone from the source or cannot be read; it stays as it is; -repair -target=table.%s -accept-loss=%s writes it anew without these quarantined rows",
			use, bad, dumpsAre(lost), t.Name, t.Name)}
	}
	return nil
}

// damageHold is the hold of a table that needs an object that is damaged: it names the
// way out, and what that costs.
func damageHold(ctx context.Context, p *Plan, t *TablePlan, bad *state.ObjectError) (plan.Hold, error) {
	h := plan.Hold{Table: t.Name, Object: bad.Ref.Digest}
	lost, err := unreadableDumps(ctx, p, t)
	if err != nil {
		return h, err
	}
	use, _ := useOf(t.old, t.parts, bad.Ref.Digest)
	repair := fmt.Sprintf("-repair -target=table.%s", t.Name)
	var way string
	switch {
	case use == useMapping || use == useIndex:
		way = repair + " writes it anew from what the sink and the state still have, and loses nothing"
	case use == "":
		use, way = "an object of the state", repair+" does without it"
	case len(lost) == 0:
		way = repair + " rebuilds it from the source, which has all of its dumps"
	case use == useQuarantine:
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
func unreadableDumps(ctx context.Context, p *Plan, t *TablePlan) ([]int64, error) {
	var out []int64
	for _, id := range rebuiltFrom(p, t) {
		h, _, err := checkRebuild(ctx, p, t, id)
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, id)
		}
	}
	return out, nil
}
