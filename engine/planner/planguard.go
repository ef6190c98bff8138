package planner

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Two guards judge what a plan does to a table, not a dump: that the key of a mask changed,
// and how much of the table's files is written again. What they hold stays as it is, with
// all that waits for it. An acceptance is for one apply.

// The guards of plans, as holds name them.
const (
	guardMaskKey   = "mask_key"
	guardRewritten = "max_rewritten_bytes"
)

// judgePlanned returns what guards of plans hold of a table for which something is planned.
func judgePlanned(p *Session, t *Table) []plan.Hold {
	holds := judgeMaskKeys(p, t)
	if h := judgeRewrite(p, t); h != nil {
		holds = append(holds, *h)
	}
	return holds
}

// accepts reports whether -accept lets something through for this plan, by any of its names.
func accepts(p *Session, names ...string) bool {
	for _, name := range names {
		if !slices.Contains(p.Ask.Accept, name) {
			continue
		}
		if !slices.Contains(p.AcceptedNow, name) {
			p.AcceptedNow = append(p.AcceptedNow, name)
		}
		return true
	}
	return false
}

// maskKeys is what the tables of the state tell of the keys of masks, by verifier. The
// tables that one mask takes have one key: so a table that has nothing under it yet waits
// with one that shows another.
type maskKeys struct {
	stored  map[string]bool     // a table has values under the key
	changed map[string][]string // tables whose values under another one are to be under this
}

// findMaskKeys compares the keys of all tables that a configuration says something of.
func findMaskKeys(tables []*Table) maskKeys {
	k := maskKeys{stored: map[string]bool{}, changed: map[string][]string{}}
	for _, t := range tables {
		for _, verifier := range keysChanged(t) {
			k.changed[verifier] = append(k.changed[verifier], t.Name)
		}
		if t.Old == nil {
			continue
		}
		for _, c := range t.Old.Columns {
			k.stored[c.Verifier] = k.stored[c.Verifier] || c.Verifier != ""
		}
	}
	return k
}

// keysChanged lists the verifiers of the keys that columns of the table are to be masked
// with, and are not.
func keysChanged(t *Table) (out []string) {
	if t.Old == nil || t.Definition == nil {
		return nil
	}
	for _, c := range t.Old.Columns {
		if definition.MaskMethod(c.Mask) != definition.MaskHMAC {
			continue
		}
		now := t.Definition.Column(rules.AskedName(t.Definition, !t.Old.ExactNames, c.Delivered, c.Name))
		if now.Mask == definition.MaskHMAC && now.Verifier != c.Verifier && !now.KeyUnknown() && !slices.Contains(out, now.Verifier) {
			out = append(out, now.Verifier)
		}
	}
	return out
}

// keysNew lists the verifiers of the keys with which columns of the table are masked for
// the first time.
func keysNew(t *Table) (out []string) {
	for _, name := range t.Known {
		now := t.Definition.Column(name)
		if now.Verifier != "" && !slices.Contains(out, now.Verifier) {
			out = append(out, now.Verifier)
		}
	}
	return out
}

// judgeMaskKeys returns a hold for each mask whose key is another one than that of the
// values that tables have.
func judgeMaskKeys(p *Session, t *Table) (holds []plan.Hold) {
	if len(p.maskKeys.changed) == 0 || t.Definition == nil || t.Kind == feed.KindMapping {
		return nil
	}
	own := keysChanged(t)
	for _, verifier := range own {
		if h := holdMask(p, t, verifier, "this table was"); h != nil {
			holds = append(holds, *h)
		}
	}
	for _, verifier := range keysNew(t) {
		others := p.maskKeys.changed[verifier]
		if len(others) == 0 || p.maskKeys.stored[verifier] || slices.Contains(own, verifier) {
			continue
		}
		if h := holdMask(p, t, verifier, fmt.Sprintf("table %s was", others[0])); h != nil {
			holds = append(holds, *h)
		}
	}
	return holds
}

// holdMask is the hold of a table by the masks that have a key; nil if they are accepted.
// what was written with another one.
func holdMask(p *Session, t *Table, verifier, what string) *plan.Hold {
	masks := p.Ask.Config.MasksByKey(verifier)
	var names []string
	for _, m := range masks {
		names = append(names, "mask."+m)
	}
	if len(names) == 0 || accepts(p, names...) {
		return nil
	}
	return &plan.Hold{Table: t.Name, Guard: guardMaskKey, Accept: names[0],
		Reason: fmt.Sprintf("the key of %s is not the one that %s written with: the table stays as it is, and its dumps wait; if it is right, %s lets one apply take it, which writes the masked values of all its tables anew",
			strings.Join(names, " and "), what, AcceptFlag(names[0]))}
}

// RewriteName is what -accept calls the writing of a table's files again.
func RewriteName(table string) string { return table + "@rewrite" }

// judgeRewrite returns the hold of a table of whose files too much is written again; nil if
// it is not or that is accepted.
func judgeRewrite(p *Session, t *Table) *plan.Hold {
	if t.Definition == nil || t.Definition.Guard.MaxRewrittenBytes == nil {
		return nil
	}
	limit, n := *t.Definition.Guard.MaxRewrittenBytes, definition.Bytes(t.replaces)
	if n <= limit || accepts(p, RewriteName(t.Name)) {
		return nil
	}
	return &plan.Hold{Table: t.Name, Guard: guardRewritten, Accept: RewriteName(t.Name),
		Reason: fmt.Sprintf("about %s of its files would be written again, more than the %s of max_rewritten_bytes: the table stays as it is, and its dumps wait; if that is right, %s lets one apply do it",
			n, limit, AcceptFlag(RewriteName(t.Name)))}
}
