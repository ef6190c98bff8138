package write

import (
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// Gatherer collects rows of many sources in the order in which they are to be
// written. Those that are encoded are decoded together, in that order. One
// goroutine uses it.
type Gatherer struct {
	Plans     ingest.Plans
	Selection []column.SourceRow
	Meta      []rules.Row
	Sources   []*column.Batch
	Bytes     int   // of delivered records and such as are no payload, and of the codes of their columns
	Held      int   // bytes of the other rows, in their columns
	failed    error // of a row that was to be added; Resolve fails with it
	// Rescued counts encoded rows with something rescued, rounded their values that
	// were rounded.
	Rescued, rounded int64

	last    *column.Batch // whose rows take perRow bytes each
	perRow  int
	encoded []*encodedSource // by format
	values  []*valueSource
	ofFirst map[*column.Column]*valueSource // by the first column of a list of columns
	open    int                             // of both, those that hold records
	hints   []int                           // where Columns found the last column, by source
}

// codeSize is what a value takes in a decoded column at least.
const codeSize = 4

// encodedSource is the selected records of one format, and what becomes of them.
type encodedSource struct {
	records [][]byte // of their chunks
	dec     *decode.Decoder
	batch   column.Batch
}

// valueSource is the selected records of values of some columns, and what becomes of them.
type valueSource struct {
	columns []column.Column
	payload bool         // these are the columns of the payload, in their order
	batch   column.Batch // of the records that were read
	records [][]byte     // those that wait to be read
	waiting int          // bytes of these
	reader  rows.ValueReader
}

// readAfter is how many bytes of records wait to be read: until then they keep the blocks
// of scratch files that they are in.
const readAfter = 256 << 10

func (s *valueSource) empty() bool { return s.batch.N == 0 && len(s.records) == 0 }

// add takes a record, and returns which row of the batch it is.
func (s *valueSource) add(record []byte) (row int, err error) {
	row = s.batch.N + len(s.records)
	s.records, s.waiting = append(s.records, record), s.waiting+len(record)
	if s.waiting >= readAfter {
		err = s.read()
	}
	return row, err
}

func (s *valueSource) read() error {
	if len(s.records) == 0 {
		return nil
	}
	if s.batch.Cols == nil {
		s.batch.Cols = s.newColumns()
	}
	err := s.reader.Append(&s.batch, s.records)
	s.forget()
	return err
}

// newColumns makes the columns of the batch. Where these are copied again, values are looked
// up then.
func (s *valueSource) newColumns() []column.Column {
	out := make([]column.Column, len(s.columns))
	for i := range out {
		c := &out[i]
		c.Name, c.Type = s.columns[i].Name, s.columns[i].Type
		if !s.payload && c.Type.Kind() == column.KindBytes {
			c.Dict = column.NewPlainDict()
		}
		c.Reset()
	}
	return out
}

// forget forgets the records that wait.
func (s *valueSource) forget() {
	clear(s.records)
	s.records, s.waiting = s.records[:0], 0
}

// reset forgets the rows and keeps the memory.
func (s *valueSource) reset() {
	s.forget()
	s.batch.N = 0
	for i := range s.batch.Cols {
		s.batch.Cols[i].Reset()
	}
}

// AddRow takes row i of a chunk. What goes wrong Resolve tells.
func (p *Gatherer) AddRow(ch *rows.Chunk, i int) {
	ch, i, err := ch.ToKeep(i)
	if err != nil {
		p.failed = err
		return
	}
	src, row := ch.Batch, ch.Rows[i].At
	if ch.Encoded() {
		record, err := ch.Record(i)
		if err != nil {
			p.failed = err
			return
		}
		src, row = p.addRecord(ch.Columns, int(ch.Rows[i].Format), record)
	} else {
		if src != p.last {
			p.last, p.perRow = src, src.Memory()/max(src.N, 1)
		}
		p.Held += p.perRow
	}
	p.Selection = append(p.Selection, column.SourceRow{Src: p.index(src), Row: row})
	p.Meta = append(p.Meta, ch.Rows[i])
}

// addRecord takes a record: the values of columns, or one that was delivered in a format.
func (p *Gatherer) addRecord(columns []column.Column, format int, record []byte) (src *column.Batch, row uint32) {
	if columns != nil {
		s := p.valuesOf(columns)
		if s.empty() {
			p.open++
		}
		if size := len(record) + codeSize*len(columns); s.payload {
			p.Held += size
		} else {
			p.Bytes += size
		}
		at, err := s.add(record)
		if err != nil {
			p.failed = err
		}
		return &s.batch, uint32(at)
	}
	s := p.source(format)
	if len(s.records) == 0 {
		p.open++
	}
	p.Bytes += len(record) + codeSize*len(p.Plans.Schema.Payload)
	s.records = append(s.records, record)
	return &s.batch, uint32(len(s.records) - 1)
}

// valuesOf returns the source of records of the values of columns. Scratch files of equal
// columns share one.
func (p *Gatherer) valuesOf(columns []column.Column) *valueSource {
	if s := p.ofFirst[&columns[0]]; s != nil {
		return s
	}
	if p.ofFirst == nil {
		p.ofFirst = map[*column.Column]*valueSource{}
	}
	same := func(a, b column.Column) bool { return a.Name == b.Name && a.Type == b.Type }
	at := slices.IndexFunc(p.values, func(s *valueSource) bool { return slices.EqualFunc(s.columns, columns, same) })
	if at < 0 {
		at = len(p.values)
		p.values = append(p.values, &valueSource{columns: columns, payload: p.isPayload(columns)})
	}
	p.ofFirst[&columns[0]] = p.values[at]
	return p.values[at]
}

// isPayload reports whether columns are those of the payload, in their order. Who gathers
// rows of which none is delivered has no schema.
func (p *Gatherer) isPayload(columns []column.Column) bool {
	return p.Plans.Schema != nil && slices.EqualFunc(columns, p.Plans.Schema.Payload, func(c column.Column, of rules.Column) bool {
		return c.Name == of.Name && c.Type == of.Type
	})
}

// Failed is what went wrong with a row that was to be added.
func (p *Gatherer) Failed() error { return p.failed }

// Shrink is Reset, and gives up the memory.
func (p *Gatherer) Shrink() {
	p.Reset()
	p.encoded, p.values, p.ofFirst = nil, nil, nil
}

// Full reports whether the rows are as many as a row group has, or take as much memory as
// they may.
func (p *Gatherer) Full(rows int, b exec.Budget) bool {
	return p.failed != nil || len(p.Selection) >= rows || p.Bytes >= b.RowGroup() || p.Bytes+p.Held >= b.FileRowGroup()
}

// index returns the number of a source. One that was not used lately may get a
// second number, see Resolve.
func (p *Gatherer) index(src *column.Batch) uint32 {
	n := len(p.Sources)
	for i := n - 1; i >= max(n-8, 0); i-- {
		if p.Sources[i] == src {
			return uint32(i)
		}
	}
	p.Sources = append(p.Sources, src)
	return uint32(n)
}

func (p *Gatherer) source(format int) *encodedSource {
	for len(p.encoded) <= format {
		p.encoded = append(p.encoded, nil)
	}
	if p.encoded[format] == nil {
		p.encoded[format] = &encodedSource{}
	}
	return p.encoded[format]
}

// Resolve decodes what is encoded and names each source once.
func (p *Gatherer) Resolve() error {
	if p.failed != nil {
		return p.failed
	}
	for format, s := range p.encoded {
		if s == nil || len(s.records) == 0 {
			continue
		}
		plan := p.Plans.Of(format)
		if s.dec == nil {
			s.dec = decode.NewDecoder(p.Plans.Schema)
		}
		rescued, rounded := s.dec.Rescued, s.dec.Rounded
		if err := s.dec.Records(plan, s.records); err != nil {
			return err
		}
		p.Rescued += s.dec.Rescued - rescued
		p.rounded += s.dec.Rounded - rounded
		s.batch.N, s.batch.Cols = len(s.records), s.dec.Cols
		clear(s.records) // only their number counts from here on
	}
	for _, s := range p.values {
		if err := s.read(); err != nil {
			return err
		}
	}
	p.Sources = dedupSources(p.Sources, p.Selection)
	return nil
}

// OnlySource returns the one source whose rows are selected in their order, nil
// if there is none such.
func (p *Gatherer) OnlySource() *column.Batch {
	if len(p.Sources) != 1 || p.open != 1 {
		return nil
	}
	for _, s := range p.values {
		if &s.batch == p.Sources[0] && !s.payload {
			return nil
		}
	}
	return p.Sources[0]
}

// OwnSource returns the source whose dictionaries a row group can take over.
func (p *Gatherer) OwnSource() int { return ownSource(p.Sources) }

// ownSource returns the source with the most rows of those that nobody else uses,
// -1 without any.
func ownSource(srcs []*column.Batch) int {
	best := -1
	for i, b := range srcs {
		if b.Own && (best < 0 || b.N > srcs[best].N) {
			best = i
		}
	}
	return best
}

// TakeOnlySource returns the columns of the only source, which then has new ones.
func (p *Gatherer) TakeOnlySource() []column.Column {
	cols := p.OnlySource().Cols
	for _, s := range p.encoded {
		if s != nil && len(s.records) > 0 {
			s.dec.Cols = p.Plans.Schema.EmptyPayload()
		}
	}
	for _, s := range p.values {
		if !s.empty() {
			s.batch.Cols = nil
		}
	}
	return cols
}

// Reset forgets the rows and keeps the memory.
func (p *Gatherer) Reset() {
	p.Selection, p.Meta, p.Bytes, p.Held, p.open = p.Selection[:0], p.Meta[:0], 0, 0, 0
	p.last = nil
	clear(p.Sources)
	p.Sources = p.Sources[:0]
	for _, s := range p.values {
		if !s.empty() {
			s.reset()
		}
	}
	for _, s := range p.encoded {
		if s != nil {
			clear(s.records)
			s.records = s.records[:0]
		}
	}
}

// Columns returns the column of that name of every source, nil where it lacks.
func (p *Gatherer) Columns(name string) []*column.Column {
	out := make([]*column.Column, len(p.Sources))
	p.hints = slices.Grow(p.hints[:0], len(out))[:len(out)]
	for i, b := range p.Sources {
		out[i], p.hints[i] = b.ColNear(name, p.hints[i])
	}
	return out
}

// dedupSources names each source batch once: interleaved cursors name them
// again and again.
func dedupSources(srcs []*column.Batch, selection []column.SourceRow) []*column.Batch {
	if len(srcs) < 2 {
		return srcs
	}
	index := map[*column.Batch]uint32{}
	to := make([]uint32, len(srcs))
	uniq := srcs[:0:0]
	for i, s := range srcs {
		n, ok := index[s]
		if !ok {
			n = uint32(len(uniq))
			index[s] = n
			uniq = append(uniq, s)
		}
		to[i] = n
	}
	for i := range selection {
		selection[i].Src = to[selection[i].Src]
	}
	return uniq
}
