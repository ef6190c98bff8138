package planner

import (
	"context"
	"fmt"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/state"
)

// An object of the state that is damaged or missing holds the tables that need it,
// until it is back or -repair does without it: from what the sink and the rest of the
// state have, if that is enough, else from the source.

// planDamaged plans a table of which objects are damaged: it is held, or with -repair
// rewritten.
func planDamaged(ctx context.Context, p *Session, t *Table, damage []*state.ObjectError) error {
	if !p.Ask.repairs(t.Name) {
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
	t.All, t.rewrite = all, strings.Join(why, "; ")
	for _, bad := range damage {
		t.dropped = append(t.dropped, bad.Ref.Digest)
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
			"%s cannot be read: %v; the table cannot be rebuilt, as %s gone from the source or cannot be read; it stays as it is; %s %s writes it anew without these quarantined rows",
			use, bad, plan.DumpsAre(lost), repairFlags(t.Name), lossFlag(t.Name))}
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
	repair := repairFlags(t.Name)
	var way string
	switch {
	case use == UseMapping || use == UseIndex:
		way = repair + " writes it anew from what the sink and the state still have, and loses nothing"
	case use == "":
		use, way = "an object of the state", repair+" does without it"
	case len(lost) == 0:
		way = repair + " rebuilds it from the source, which has all of its dumps"
	case use == UseQuarantine:
		way = fmt.Sprintf("%s %s writes it anew without these rows, as %s gone from the source or cannot be read", repair, lossFlag(t.Name), plan.DumpsAre(lost))
	default:
		way = fmt.Sprintf("%s rebuilds it from the source, where %s gone or cannot be read: %s rows would be lost, which takes %s as well",
			repair, plan.DumpsAre(lost), amount.Verb(len(lost), "its", "their"), lossFlag(t.Name))
	}
	h.Reason = fmt.Sprintf("%s cannot be read: %v; the table stays as it is; %s", use, bad, way)
	return h, nil
}
