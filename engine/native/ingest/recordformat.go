package ingest

import (
	"strings"
	"sync"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
)

// recordFormat is what records must share to be decoded alike: how they were written,
// and the columns that their manifest lists.
type recordFormat struct {
	head  *avro.Header
	names rules.FileNames

	limits avro.Limits
	pool   *avro.Pool
	once   sync.Once
	shared *avro.RecordCodec
}

// codec returns how records of the format are encoded, of which the fields for which
// keep is true are wanted: the same in all plans of a pass.
func (f *recordFormat) codec(keep []bool) *avro.RecordCodec {
	f.once.Do(func() { f.shared = f.head.NewRecordCodec(keep, f.pool) })
	return f.shared
}

// RecordFormats numbers the record formats of a pass. Any number of goroutines may use it.
type RecordFormats struct {
	limits avro.Limits
	pool   *avro.Pool // of the memory for texts of encoded records
	mu     sync.Mutex
	byKey  map[string]int
	list   []*recordFormat
}

func newRecordFormats(b exec.Budget) *RecordFormats {
	return &RecordFormats{limits: partfile.Limits(b), pool: avro.NewPool(b.Texts())}
}

// number returns the number of a file's format.
func (s *RecordFormats) number(f *File, h *avro.Header) int {
	key := strings.Join(append([]string{h.Codec(), h.Schema(), f.Claims.Text()}, f.Columns...), "\x00")
	if f.HasColumns {
		key += "\x00\x00"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.byKey[key]; ok {
		return n
	}
	if s.byKey == nil {
		s.byKey = map[string]int{}
	}
	s.byKey[key] = len(s.list)
	s.list = append(s.list, &recordFormat{head: h, limits: s.limits, pool: s.pool,
		names: rules.FileNames{Fields: partfile.FieldNames(h), Columns: f.Columns, HasColumns: f.HasColumns, Claims: f.Claims}})
	return len(s.list) - 1
}

func (s *RecordFormats) format(n int) *recordFormat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[n]
}

// Plans are the plans of one goroutine, by format.
type Plans struct {
	Schema  *decode.Schema
	Formats *RecordFormats
	list    []*decode.Plan
}

// Of returns the plan of a record format, which is made when it is first asked for.
func (p *Plans) Of(format int) *decode.Plan {
	for len(p.list) <= format {
		p.list = append(p.list, nil)
	}
	if p.list[format] == nil {
		f := p.Formats.format(format)
		plan := decode.NewPlan(f.head, &f.names, f.limits, p.Schema)
		plan.Codec = f.codec(plan.Wanted())
		p.list[format] = plan
	}
	return p.list[format]
}
