package quarantine

import (
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// Masking is a column whose quarantined values are not what they were: the key of
// a new HMAC, nil where the value goes, by a mask or because the table no longer
// takes the column.
type Masking struct {
	column rules.Column
	key    []byte
}

// NewMaskings returns the maskings of a table that had columns and gets a schema. key
// returns the key of a mask by its verifier.
func NewMaskings(s *rules.Schema, old *exec.Stored, key func(verifier string) []byte) []Masking {
	var out []Masking
	cfg := s.Table
	for _, o := range old.Columns {
		name := rules.AskedName(cfg, !old.ExactNames, o.Delivered, o.Name)
		now := cfg.Column(name)
		o.Delivered = name
		switch {
		case !cfg.Takes(name), now.Mask == definition.MaskNull, now.Mask == definition.MaskDrop:
			if o.Mask == definition.MaskNone || o.Mask == definition.MaskHMAC {
				out = append(out, Masking{column: o})
			}
		case o.Mask == definition.MaskNone && now.Mask == definition.MaskHMAC:
			out = append(out, Masking{o, key(now.Verifier)})
		}
	}
	return out
}

// Mask masks columns in the JSON text of a row. A field that may be of one of
// them is masked.
func Mask(data string, masks []Masking) (string, error) {
	items, err := column.SplitRescue([]byte(data))
	if err != nil {
		return "", fmt.Errorf("quarantined row: %w", err)
	}
	keep := items[:0]
	for _, it := range items {
		i := slices.IndexFunc(masks, func(m Masking) bool { return m.column.MayFeed(it.Name) })
		switch {
		case i < 0:
		case masks[i].key == nil:
			continue
		default:
			it.Value = column.MaskHMAC(masks[i].key).AppendHex(nil, it.Value)
		}
		keep = append(keep, it)
	}
	return string(column.AppendRescue(nil, keep)), nil
}
