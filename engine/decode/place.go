package decode

import (
	"math"

	"reconcile/engine/avro"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// Encode decodes of a block what says where its rows belong, and encodes the rows. With
// failCasts every value is decoded, to find those that do not cast.
func (d *Decoder) Encode(p *Plan, b *avro.Block, failCasts bool) (delivered, encoded avro.Records, err error) {
	list := p.place
	if d.failCasts = failCasts; failCasts {
		list = p.all
	}
	d.setTargets(p, list)
	if !failCasts {
		for _, u := range p.checks {
			u.col.Reset()
			p.dst[u.field] = &u.col
		}
	}
	if delivered, encoded, err = p.dec.Encode(b, p.dst, p.Codec); err != nil {
		return delivered, encoded, err
	}
	d.bindAll(p, list, int(b.Count))
	return delivered, encoded, nil
}

// Partition returns the partition of row i.
func (d *Decoder) Partition(i int) int64 { return d.schema.PartitionAt(d.Cols, i) }

// User returns the raw user of row i.
func (d *Decoder) User(i int) int64 { return d.user.Ints[i] }

// Failed returns why row i holds a table that does not rescue, nil if it does not.
func (d *Decoder) Failed(i int) error {
	if err := d.failed[i]; err != nil {
		return err
	}
	return nil
}

// Missing returns the key column that row i lacks; ok if it has both.
func (d *Decoder) Missing(i int) (target int, ok bool) {
	if len(d.user.Ints) == 0 || d.user.IsNull(i) {
		return rules.TargetUser, false
	}
	if d.schema.Kind != feed.KindUsers && (len(d.key.Ints) == 0 || d.key.IsNull(i)) {
		return rules.TargetKey, false
	}
	return 0, true
}

// RowKey returns the key of row i; users are ordered by last_modified.
func (d *Decoder) RowKey(i int) int64 {
	if d.schema.Kind != feed.KindUsers {
		return d.key.Ints[i]
	}
	if c := d.schema.ByID(feed.LastModified); c >= 0 {
		return d.schema.ModifiedMillis(&d.Cols[c], i)
	}
	return math.MinInt64
}
