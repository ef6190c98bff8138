package ingest

import (
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
	bad       []quarantine.Row // of the last slice
}

func newLocator(g *Ingest) *locator {
	return &locator{schema: g.Schema, dec: decode.NewDecoder(g.Schema), failCasts: g.FailCasts, plans: Plans{Schema: g.Schema, Formats: g.Formats}}
}

// locateSlice reads the next rows of a block, from row first of it on, and returns how many
// these are.
func (l *locator) locateSlice(p *decode.Plan, j *job, first int) (int, error) {
	recs, encoded, err := l.dec.Encode(p, l.failCasts && !j.file.Again)
	if err != nil {
		return 0, err
	}
	copy(l.collected.Block(len(encoded.Data)), encoded.Data)
	return len(recs.Ends), l.place(p, j, j.first+int64(first), recs, encoded)
}

// lacking is the rows without their key columns of a slice, whose records lie one behind the
// other.
type lacking struct {
	rows    []int64 // of the file
	targets []int
	records []byte
}

func (k *lacking) add(row int64, target int, record []byte) {
	k.rows, k.targets, k.records = append(k.rows, row), append(k.targets, target), append(k.records, record...)
}

// place collects records, the first of which is row first of its file.
func (l *locator) place(p *decode.Plan, j *job, first int64, recs, encoded avro.Records) error {
	n, d := len(recs.Ends), l.dec
	var lack lacking
	l.collected.Grow(n)
	for i := range n {
		ver, err := rules.Version(j.file.Rank, j.file.Index, int(first)+i)
		if err != nil {
			return err
		}
		target, ok := d.Missing(i)
		if !ok {
			lack.add(first+int64(i), target, recs.Record(i))
			continue
		}
		if err := d.Failed(i); err != nil {
			return err
		}
		at, end := encoded.Bounds(i)
		l.collected.Add(rules.Row{Part: d.Partition(i), Raw: d.User(i), Key: d.RowKey(i), Ver: ver, At: at, Size: end - at, Format: uint32(j.format)})
	}
	return l.reject(p, j, &lack)
}

// reject describes rows for the quarantine.
func (l *locator) reject(p *decode.Plan, j *job, lack *lacking) error {
	l.bad = l.bad[:0]
	if len(lack.rows) == 0 {
		return nil
	}
	if l.whole == nil {
		l.whole = decode.NewDecoder(l.schema)
	}
	if err := l.whole.Found(p, lack.records, len(lack.rows)); err != nil {
		return err
	}
	for i, row := range lack.rows {
		b := l.whole.Reject(p, i, lack.targets[i])
		b.Dump, b.File, b.Row = j.file.Dump, j.file.Key, row
		l.bad = append(l.bad, b)
	}
	return nil
}
