package pass

import (
	"context"

	"reconcile/engine/quarantine"
)

// remask stores the quarantined rows of a table again under the masks and the
// columns that it has now.
func (r *Run) remask(ctx context.Context, c *Outcome) error {
	added := quarantine.NewMaskings(&r.Schema.Schema, r.Old, r.Env.Key)
	if len(added) == 0 {
		return nil
	}
	for i, q := range c.Quarantine {
		obj, err := quarantine.Rewrite(ctx, r.Env.Objects, q, func(b *quarantine.Row) (err error) {
			b.Data, err = quarantine.Mask(b.Data, added)
			return err
		})
		if err != nil {
			return err
		}
		c.Quarantine[i].Ref = obj.Ref
		c.Objects = append(c.Objects, obj)
	}
	return nil
}
