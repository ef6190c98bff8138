package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// HoldOfKey marks the pin of a file that lacks a key of the table.
const HoldOfKey = "key "

// HoldOfLimit marks the pin of a file of which a block or a text has more bytes than are
// taken, and says how many these are.
const HoldOfLimit = "limit "

// checkDelivery returns why a delivery holds its table, if it does, and the
// bytes of its files.
func checkDelivery(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, int64, error) {
	if t.Definition.OnSchemaChange == definition.Freeze && d.Entry.Problem == "" {
		if h, err := checkFrozen(ctx, p, t, *d); h != nil || err != nil {
			return h, 0, err
		}
	}
	return checkFiles(ctx, p, t, d)
}

// checkFiles is checkDelivery without what is only asked of dumps that are not
// yet applied.
func checkFiles(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, int64, error) {
	hold := func(file, reason string) *plan.Hold {
		return &plan.Hold{Table: t.Name, Dump: d.Dump, File: file, Reason: reason}
	}
	if d.Entry.Problem != "" {
		return hold("", d.Entry.Problem), 0, nil
	}
	if err := probeFiles(ctx, p, []Delivery{*d}); err != nil {
		return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
	}
	size := int64(0)
	for f, err := range FilesOf(p, d.Entry) {
		err = cmp.Or(err, f.err)
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if dump.Unavailable(err) || err != nil && f.err == nil {
			return nil, 0, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		}
		if err != nil {
			return hold(f.Key, p.Source.FileReason(ctx, f.Key, err)), 0, nil
		}
		for _, h := range p.Snap.Holds {
			if h.Table == t.Name && h.Dump == d.Dump && h.File == f.Key && t.stillBad(h.Pin, f.Pin, p.Budget.Block()) {
				return hold(f.Key, h.Reason), 0, nil
			}
		}
		size += f.Size
	}
	return nil, size, nil
}

// checkFrozen returns the hold of a table that takes only certain columns, if a
// delivery brings others: by its manifest or, without columns there, in its files.
func checkFrozen(ctx context.Context, p *Session, t *Table, d Delivery) (*plan.Hold, error) {
	frozen := func(file string, columns []string) *plan.Hold {
		i := slices.IndexFunc(columns, func(c string) bool { return !t.Definition.Takes(c) })
		if i < 0 {
			return nil
		}
		return &plan.Hold{Table: t.Name, Dump: d.Dump, File: file,
			Reason: partfile.FrozenReason(columns[i])}
	}
	if d.Entry.HasColumns {
		return frozen("", d.Entry.Columns), nil
	}
	for key, err := range d.Entry.Files.All() {
		if err != nil {
			return nil, err
		}
		h, err := partfile.Header(ctx, p.Source, key)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case dump.Unavailable(err):
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		case err != nil:
			return &plan.Hold{Table: t.Name, Dump: d.Dump, File: key, Reason: p.Source.FileReason(ctx, key, err)}, nil
		}
		if h := frozen(key, partfile.FieldNames(h)); h != nil {
			return h, nil
		}
	}
	return nil, nil
}

// stillBad reports whether what holdPin gave still holds the table: not after
// the file changed, nor after the configuration of its column did, nor with blocks of more
// bytes than were taken.
func (t *Table) stillBad(held, pin string, block int) bool {
	was, cast, ok := strings.Cut(held, "\n")
	if was != pin || !ok {
		return was == pin
	}
	if key, ok := strings.CutPrefix(cast, HoldOfKey); ok {
		return key == feed.UserID || key == t.Key
	}
	if limit, ok := strings.CutPrefix(cast, HoldOfLimit); ok {
		n, err := strconv.Atoi(limit)
		return err == nil && block <= n
	}
	rule, name, _ := strings.Cut(cast, "\n")
	c := t.Definition.Column(name)
	return t.Definition.OnCastError == "fail" && t.Definition.Takes(name) && c.Mask == definition.MaskNone && rules.RuleText(c.Rule) == rule
}
