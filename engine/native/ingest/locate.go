package ingest

import (
	"math"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/quarantine"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// locator reads of delivered rows what says where they belong: user, key,
// version and partition. The rows themselves it encodes; who writes them decodes
// them. Rows without their key columns it describes for the quarantine.
type locator struct {
	dec *Decoder
	// FailCasts says that the table does not rescue.
	failCasts bool
	whole     *Decoder // of rows for the quarantine; nil until there is one
	plans     Plans
	collected rows.EncodedRows
	bad       []quarantine.Row
}

func newLocator(g *Ingest) *locator {
	return &locator{dec: NewDecoder(g.Schema), failCasts: g.FailCasts, plans: Plans{Schema: g.Schema, Formats: g.Formats}}
}

// locateBlock reads one block.
func (l *locator) locateBlock(p *filePlan, format int, j *job) error {
	list, n := p.place, j.block.Count
	l.dec.failCasts = l.failCasts && !j.file.Again
	if l.dec.failCasts {
		list = p.all // every value must cast
	}
	l.dec.setTargets(p, list)
	if !l.dec.failCasts {
		for _, u := range p.checks {
			u.col.Reset()
			p.dst[u.field] = &u.col
		}
	}
	recs, encoded, err := p.dec.Encode(&j.block, p.dst, p.codec)
	if err != nil {
		return err
	}
	l.dec.bindAll(p, list, n)
	copy(l.collected.Block(len(encoded.Data)), encoded.Data)
	return l.place(p, format, j, recs, encoded)
}

// lacking is a row without its key columns.
type lacking struct {
	row, target int
	record      []byte
}

func (l *locator) place(p *filePlan, format int, j *job, recs, encoded avro.Records) error {
	n, d := j.block.Count, l.dec
	var lack []lacking
	l.collected.Grow(n)
	for i := range n {
		ver, err := rules.Version(j.file.Rank, j.file.Index, int(j.first)+i)
		if err != nil {
			return err
		}
		target, ok := d.missing(i)
		if !ok {
			lack = append(lack, lacking{i, target, slices.Clone(recs.Record(i))})
			continue
		}
		if err := d.failed[i]; err != nil {
			return err
		}
		at, end := encoded.Bounds(i)
		l.collected.Add(rules.Row{Part: d.schema.PartitionAt(d.Cols, i), Raw: d.user.Ints[i], Key: d.rowKey(i), Ver: ver, At: at, Size: end - at, Format: uint32(format)})
	}
	for _, r := range lack {
		if err := l.reject(p, j, r); err != nil {
			return err
		}
	}
	return nil
}

// missing returns the key column that row i lacks; ok if it has both.
func (d *Decoder) missing(i int) (target int, ok bool) {
	if len(d.user.Ints) == 0 || d.user.IsNull(i) {
		return rules.TargetUser, false
	}
	if d.schema.Kind != feed.KindUsers && (len(d.key.Ints) == 0 || d.key.IsNull(i)) {
		return rules.TargetKey, false
	}
	return 0, true
}

// rowKey returns the key of row i; users are ordered by last_modified.
func (d *Decoder) rowKey(i int) int64 {
	if d.schema.Kind != feed.KindUsers {
		return d.key.Ints[i]
	}
	if c := d.schema.ByID(feed.LastModified); c >= 0 {
		return d.schema.ModifiedMillis(&d.Cols[c], i)
	}
	return math.MinInt64
}

func (l *locator) reject(p *filePlan, j *job, r lacking) error {
	if l.whole == nil {
		l.whole = NewDecoder(l.dec.schema)
	}
	if err := l.whole.record(p, r.record); err != nil {
		return err
	}
	b := l.whole.reject(p, r.target)
	b.Dump, b.File, b.Row = j.file.Dump, j.file.Key, j.first+int64(r.row)
	l.bad = append(l.bad, b)
	return nil
}
