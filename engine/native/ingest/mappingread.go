package ingest

import (
	"context"
	"io"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/partfile"
	"reconcile/engine/quarantine"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// Mapping is a user mapping that was read.
type Mapping struct {
	Mapping *identity.Mapping
	Report  *identity.Report
	Bad     []quarantine.Row // rows without both ids
	Read    *exec.Read       // its files; nil if there are none
	unit    column.TimeUnit
	sums    *partfile.Sums
	limits  avro.Limits
}

// ReadMapping reads the complete mapping that a dump delivers, whose plain numbers count
// a unit of time. tagged says that the pins of the source are ETags. A file that cannot be
// used is a *partfile.FileError.
func ReadMapping(ctx context.Context, src exec.Source, d *exec.Delivery, b exec.Budget, unit column.TimeUnit, tagged bool) (*Mapping, error) {
	m := &Mapping{sums: partfile.NewSums(tagged), unit: unit, limits: limitsOf(b)}
	entries := identity.NewBuilder()
	for i, f := range d.Files {
		sf := File{Dump: d.Dump, Index: i, Key: f.Key, Columns: d.Columns, HasColumns: d.HasColumns}
		if err := m.readFile(ctx, src, sf, entries); err != nil {
			return nil, sf.unusable(err)
		}
	}
	m.Mapping, m.Report = entries.Build(b.Workers())
	m.Read = m.sums.ReadOf(d.Dump, len(d.Files))
	return m, nil
}

func (m *Mapping) readFile(ctx context.Context, src exec.Source, f File, b *identity.Builder) error {
	h, err := src.Open(ctx, f.Key)
	if err != nil {
		return err
	}
	defer h.Close()
	size := h.Object().Size
	sc, err := partfile.NewScanner(m.sums.Begin(io.NewSectionReader(h, 0, size)), size, m.limits.Block)
	if err != nil {
		return err
	}
	dec, err := sc.Header().NewDecoder(m.limits)
	if err != nil {
		return err
	}
	mf := newMappingFile(f, m.unit)
	mf.bind(dec, sc.Header().Fields())
	first := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var blk avro.Block
		ok, err := sc.Next(&blk)
		if err != nil {
			return err
		}
		if !ok {
			m.sums.End(f.Dump, f.Index, h.Object())
			return nil
		}
		if key := mf.lacks(); key != "" && blk.Count > 0 {
			return partfile.NewKeyError(key, partfile.FieldNames(sc.Header()))
		}
		mf.reset()
		if err := dec.Decode(&blk, mf.dst); err != nil {
			return err
		}
		if err := m.addBlock(mf, b, int(blk.Count), first); err != nil {
			return err
		}
		first += int(blk.Count)
	}
}

// mappingFile is how the blocks of a file are read: what feeds from_user_id,
// to_user_id and time, as of other tables.
type mappingFile struct {
	file  File
	binds [3]binding
	cols  [3]rules.Column // that they feed
	dst   []*column.Column
	out   [3]column.Column
}

func newMappingFile(f File, unit column.TimeUnit) *mappingFile {
	return &mappingFile{file: f, cols: [3]rules.Column{rules.KeyColumn(feed.FromUserID), rules.KeyColumn(feed.ToUserID), rules.TimeColumn(feed.Time, unit)}}
}

// bind finds the fields by their exact names, listed or not.
func (mf *mappingFile) bind(dec *avro.Decoder, fields []avro.Field) {
	mf.dst = make([]*column.Column, len(fields))
	for fi, f := range fields {
		is := func(c rules.Column) bool { return c.Name == f.Name }
		if i := slices.IndexFunc(mf.cols[:], is); i >= 0 {
			mf.binds[i].uses = []use{newUse(fi, f)}
		}
	}
	for i := range mf.binds {
		b := &mf.binds[i]
		b.watch(dec)
		for u := range b.uses {
			mf.dst[b.uses[u].field] = &b.uses[u].col
		}
	}
}

// lacks is an id of the mapping that the file has no field for, empty if it has both.
func (mf *mappingFile) lacks() string {
	for i, c := range mf.cols[:2] {
		if len(mf.binds[i].uses) == 0 {
			return c.Name
		}
	}
	return ""
}

func (mf *mappingFile) reset() {
	for i := range mf.binds {
		for u := range mf.binds[i].uses {
			mf.binds[i].uses[u].col.Reset()
		}
	}
	for i, c := range mf.cols {
		mf.out[i] = column.Column{Type: c.Type}
	}
}

// cast makes ids and times of the n rows of a block.
func (mf *mappingFile) cast(n int) {
	for i := range mf.binds {
		bd := &mf.binds[i]
		if len(bd.uses) == 0 {
			mf.out[i].AppendNulls(n)
			continue
		}
		src, from := bd.winner(n, func(int, *use) {})
		mf.cols[i].Cast(src, &mf.out[i], bd.origins(from))
	}
}

// addBlock adds the rows of one block; those without both ids go to the quarantine.
func (m *Mapping) addBlock(mf *mappingFile, b *identity.Builder, n, first int) error {
	mf.cast(n)
	out := &mf.out
	for i := range n {
		ver, err := rules.Version(0, mf.file.Index, first+i)
		if err != nil {
			return err
		}
		if !out[0].IsNull(i) && !out[1].IsNull(i) {
			e := identity.Entry{From: out[0].Ints[i], To: out[1].Ints[i], Version: ver}
			if !out[2].IsNull(i) {
				e.Time, e.HasTime = out[2].Ints[i], true
			}
			b.Add(e)
			continue
		}
		m.Bad = append(m.Bad, mf.badRow(i, first))
	}
	return nil
}

// badRow is row i of the current block, which lacks an id.
func (mf *mappingFile) badRow(i, first int) quarantine.Row {
	bad := quarantine.Row{Table: feed.TableMapping, Dump: mf.file.Dump, File: mf.file.Key, Row: int64(first + i)}
	var items []column.Rescued
	for c := range mf.binds {
		for u := range mf.binds[c].uses {
			if us := &mf.binds[c].uses[u]; !us.col.IsNull(i) {
				items = append(items, column.Rescued{Name: us.name, Value: column.AppendText(nil, &us.col, i)})
			}
		}
	}
	for c := 1; c >= 0; c-- {
		if mf.out[c].IsNull(i) {
			bad.Reason = mf.cols[c].Name + " is missing or not an integer"
		}
	}
	bad.Data = string(column.AppendRescue(nil, items))
	return bad
}
