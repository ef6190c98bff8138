package ingest

import (
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/quarantine"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// locator reads of delivered rows what says where they belong: user, key,
// version and partition. The rows themselves it encodes; who writes them decodes
// them. Rows without their key columns it describes for the quarantine.
type locator struct {
	schema    *decode.Schema
	dec       *decode.Decoder
	failCasts bool            // the table does not rescue
	whole     *decode.Decoder // of rows for the quarantine; nil until there is one
	plans     Plans
	collected rows.EncodedRows
	bad       []quarantine.Row
}

func newLocator(g *Ingest) *locator {
	return &locator{schema: g.Schema, dec: decode.NewDecoder(g.Schema), failCasts: g.FailCasts, plans: Plans{Schema: g.Schema, Formats: g.Formats}}
}

// locateBlock reads one block.
func (l *locator) locateBlock(p *decode.Plan, format int, j *job) error {
	recs, encoded, err := l.dec.Encode(p, &j.block, l.failCasts && !j.file.Again)
	if err != nil {
		return err
	}
	copy(l.collected.Block(len(encoded.Data)), encoded.Data)
	return l.place(p, format, j, recs, encoded)
}

// lacking is a row without its key columns.
type lacking struct {
	row, target int
	record      []byte
}

func (l *locator) place(p *decode.Plan, format int, j *job, recs, encoded avro.Records) error {
	n, d := j.block.Count, l.dec
	var lack []lacking
	l.collected.Grow(n)
	for i := range n {
		ver, err := rules.Version(j.file.Rank, j.file.Index, int(j.first)+i)
		if err != nil {
			return err
		}
		target, ok := d.Missing(i)
		if !ok {
			lack = append(lack, lacking{i, target, slices.Clone(recs.Record(i))})
			continue
		}
		if err := d.Failed(i); err != nil {
			return err
		}
		at, end := encoded.Bounds(i)
		l.collected.Add(rules.Row{Part: d.Partition(i), Raw: d.User(i), Key: d.RowKey(i), Ver: ver, At: at, Size: end - at, Format: uint32(format)})
	}
	for _, r := range lack {
		if err := l.reject(p, j, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *locator) reject(p *decode.Plan, j *job, r lacking) error {
	if l.whole == nil {
		l.whole = decode.NewDecoder(l.schema)
	}
	if err := l.whole.Record(p, r.record); err != nil {
		return err
	}
	b := l.whole.Reject(p, r.target)
	b.Dump, b.File, b.Row = j.file.Dump, j.file.Key, j.first+int64(r.row)
	l.bad = append(l.bad, b)
	return nil
}
