package avro

import "reconcile/internal/column"

// Decode decodes all records of a block.
func (d *Decoder) Decode(b *Block, dst []*column.Column) error {
	if err := d.Begin(b); err != nil {
		return err
	}
	for {
		recs, err := d.Next(dst)
		if err != nil || len(recs.Ends) == 0 {
			return err
		}
	}
}

// encodeBlock encodes the records of a block that is one slice.
func (d *Decoder) encodeBlock(b *Block, dst []*column.Column, p *RecordCodec) (delivered, encoded Records, err error) {
	if err := d.Begin(b); err != nil {
		return Records{}, Records{}, err
	}
	return d.Encode(dst, p)
}
