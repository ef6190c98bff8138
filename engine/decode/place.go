package decode

import (
	"math"

	"reconcile/engine/avro"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// Encode decodes of the next rows of a block what says where they belong, and encodes them;
// there are none behind the last. With failCasts every value is decoded, to find those that
// do not cast.
func (d *Decoder) Encode(p *Plan, failCasts bool) (delivered, encoded avro.Records, err error) {
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
	if delivered, encoded, err = p.dec.Encode(p.dst, p.Codec); err != nil {
		return delivered, encoded, err
	}
	d.bindAll(p, list, len(delivered.Ends))
	return delivered, encoded, nil
}

// Find decodes of the next rows of a block the column of one target, and says where their
// records are: they are there until the plan is used again. There are none behind the last.
func (d *Decoder) Find(p *Plan, target int) (avro.Records, error) {
	var list []int
	for _, i := range p.all {
		if p.bindings[i].target == target {
			list = append(list, i)
		}
	}
	d.setTargets(p, list)
	recs, err := p.dec.Next(p.dst)
	if err != nil {
		return recs, err
	}
	d.bindAll(p, list, len(recs.Ends))
	return recs, nil
}

// Found decodes n records that Find found, one behind the other, into all columns.
func (d *Decoder) Found(p *Plan, records []byte, n int) error {
	d.setTargets(p, p.all)
	if err := p.dec.DecodeRecords(records, n, p.dst); err != nil {
		return err
	}
	d.finish(p, n)
	return nil
}

// Items returns what of a row did not come into its column, by the names of the fields.
func (d *Decoder) Items(row int) []column.Rescued { return d.items[row] }

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
