package mappingfile

import (
	"context"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
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
	Bad     *quarantine.Collector // rows without both ids
	Read    *exec.Read            // its files; nil if there are none
	sums    *partfile.Sums
}

// Read reads the complete mapping that a dump delivers, whose plain numbers count
// a unit of time. bad takes the rows without both ids. tagged says that the pins of the
// source are ETags. A file that cannot be used is a *partfile.FileError.
func Read(ctx context.Context, src exec.Source, d *exec.Delivery, b exec.Budget, bad *quarantine.Collector, unit column.TimeUnit, tagged bool) (*Mapping, error) {
	m := &Mapping{sums: partfile.NewSums(tagged)}
	s := &decode.Schema{Schema: *rules.DeliveredMapping(unit)}
	r := &reader{delivery: d, schema: s, dec: decode.NewDecoder(s), limits: partfile.Limits(b), entries: identity.NewBuilder(), bad: bad}
	r.index = -1
	for f, err := range d.Files.All() {
		if err != nil {
			return nil, err
		}
		r.index, r.key = r.index+1, f.Key
		if err := m.readFile(ctx, src, r); err != nil {
			if r.failed != nil {
				return nil, r.failed
			}
			return nil, &partfile.FileError{Dump: d.Dump, Key: f.Key, Err: err}
		}
	}
	m.Mapping, m.Report = r.entries.Build(b.Workers())
	m.Bad, m.Read = bad, m.sums.ReadOf(d.Dump, d.Files.Len())
	return m, nil
}

func (m *Mapping) readFile(ctx context.Context, src exec.Source, r *reader) error {
	h, err := src.Open(ctx, r.key)
	if err != nil {
		return err
	}
	defer h.Close()
	size := h.Object().Size
	sc, err := partfile.NewScanner(m.sums.Begin(partfile.Reader(h, 1)), size, r.limits)
	if err != nil {
		return err
	}
	r.begin(sc.Header())
	if err := partfile.EachBlock(ctx, sc, func(blk *avro.Block) error { return r.addBlock(ctx, blk) }); err != nil {
		return err
	}
	m.sums.End(r.delivery.Dump, r.index, h.Object())
	return nil
}

// reader makes entries of the mapping of the blocks of its files.
type reader struct {
	delivery *exec.Delivery
	schema   *decode.Schema
	dec      *decode.Decoder
	limits   avro.Limits
	entries  *identity.Builder
	bad      *quarantine.Collector
	failed   error // by bad: it says nothing of the file

	index  int // of the file in the manifest
	key    string
	fields []string     // of the file
	plan   *decode.Plan // likewise
	first  int          // the next row
}

// begin binds the fields of the next file.
func (r *reader) begin(h *avro.Header) {
	r.first, r.fields = 0, partfile.FieldNames(h)
	names := rules.FileNames{Fields: r.fields, Columns: r.delivery.Columns, HasColumns: r.delivery.HasColumns}
	r.plan = decode.NewPlan(h, &names, r.limits, r.schema)
}

// addBlock adds the rows of one block; those without both ids go to the quarantine.
func (r *reader) addBlock(ctx context.Context, blk *avro.Block) error {
	if r.plan.Lacks != "" && blk.Count > 0 {
		return partfile.NewKeyError(r.plan.Lacks, r.fields)
	}
	return r.dec.EachSlice(r.plan, blk, func(n int) error { return r.addRows(ctx, n) })
}

// addRows adds n rows of a block.
func (r *reader) addRows(ctx context.Context, n int) error {
	from, to, time := r.column(feed.FromUserID), r.column(feed.ToUserID), r.column(feed.Time)
	for i := range n {
		ver, err := rules.Version(0, r.index, r.first+i)
		if err != nil {
			return err
		}
		if from.IsNull(i) || to.IsNull(i) {
			if r.failed = r.bad.Add(ctx, r.badRow(i)); r.failed != nil {
				return r.failed
			}
			continue
		}
		e := identity.Entry{From: from.Ints[i], To: to.Ints[i], Version: ver}
		if !time.IsNull(i) {
			e.Time, e.HasTime = time.Ints[i], true
		}
		r.entries.Add(e)
	}
	r.first += n
	return nil
}

// column returns the values of a column in the rows at hand.
func (r *reader) column(name string) *column.Column { return &r.dec.Cols[r.schema.ByID(name)] }

// badRow is row i of those at hand, which lacks an id.
func (r *reader) badRow(i int) quarantine.Row {
	bad := quarantine.Row{Table: feed.TableMapping, Dump: r.delivery.Dump, File: r.key, Row: int64(r.first + i)}
	lacks := func(name string) bool { return r.column(name).IsNull(i) }
	keys := r.schema.Required()
	bad.Reason = keys[slices.IndexFunc(keys, lacks)] + " is missing or not an integer"
	var items []column.Rescued
	r.dec.EachText(r.plan, i, func(_ int, item column.Rescued) { items = append(items, item) })
	bad.Data = string(column.AppendRescue(nil, items))
	return bad
}
