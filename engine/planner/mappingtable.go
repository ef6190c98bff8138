package planner

import (
	"context"

	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planMappingTable plans user_migrations as a table: it follows the mapping.
func planMappingTable(p *Session, t *Table) {
	if t.Repair != "" || len(p.Ask.goesBack(t.Old)) > 0 {
		return // the rebuild itself goes by the mapping in force
	}
	if p.Standing == nil {
		t.remap = t.Old != nil && t.Old.HasMapping // it is withdrawn
		return
	}
	if !t.standsAt(p.Standing) {
		t.Pending = []Delivery{MappingDelivery(p)}
		t.Dumps = []plan.DumpStep{{Dump: p.Standing.Dump}}
	}
}

// standsAt reports whether user_migrations shows a mapping. One dump can have had
// two: its manifest or its files may have changed. Masks rewrite quarantined rows,
// but not their number.
func (t *Table) standsAt(m *state.Mapping) bool {
	if t.Old == nil || m.Ref.IsZero() {
		return false
	}
	bad := int64(0)
	for _, q := range t.Old.Quarantine {
		bad += q.Ref.Rows
	}
	return t.Old.MappingDump == m.Dump && t.Old.Mapping.Digest == m.Ref.Digest && bad == m.Quarantine.Rows
}

// planRemap finds out whether the mapping that the table stands at differs.
func planRemap(ctx context.Context, p *Session, t *Table) (err error) {
	if t.Old == nil || t.Kind == feed.KindMapping || t.Repair+t.rewrite != "" || len(p.Ask.goesBack(t.Old)) > 0 {
		return nil
	}
	if t.oldMapping, err = p.ClosureOf(ctx, t.Old.Mapping); err != nil {
		return err
	}
	if t.oldMapping == p.Closure {
		return nil
	}
	t.rekeyed = identity.Diff(t.oldMapping, p.Closure)
	t.Rekeyed, t.remap = len(t.rekeyed), len(t.rekeyed) > 0
	return nil
}

// MappingDelivery is the mapping in force as a delivery of its table.
func MappingDelivery(p *Session) Delivery {
	return Delivery{Dump: p.Standing.Dump, Entry: &dump.Entry{Name: feed.TableMapping, Digest: p.Standing.Digest}}
}
