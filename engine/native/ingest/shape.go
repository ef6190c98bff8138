package ingest

import (
	"strings"
	"sync"

	"reconcile/engine/avro"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
)

// shape is what records must share to be decoded alike: how they were written,
// and the columns that their manifest lists.
type shape struct {
	head  *avro.Header
	names rules.FileNames

	pool *avro.Pool
	once sync.Once
	pack *avro.Packing
}

// packing returns how records of the shape are packed, of which the fields for which
// keep is true are wanted: the same in all plans of a pass.
func (f *shape) packing(keep []bool) *avro.Packing {
	f.once.Do(func() { f.pack = f.head.NewPacking(keep, f.pool) })
	return f.pack
}

// Shapes numbers the shapes of a pass. Any number of goroutines may use it.
type Shapes struct {
	pool  *avro.Pool // of the memory for texts of packed records
	mu    sync.Mutex
	byKey map[string]int
	list  []*shape
}

// number returns the number of a file's shape.
func (s *Shapes) number(f *File, h *avro.Header) int {
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
	s.list = append(s.list, &shape{head: h, pool: s.pool,
		names: rules.FileNames{Fields: partfile.FieldNames(h), Columns: f.Columns, HasColumns: f.HasColumns, Claims: f.Claims}})
	return len(s.list) - 1
}

func (s *Shapes) at(n int) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[n]
}

// Plans are the plans of one goroutine, by shape.
type Plans struct {
	Schema *Schema
	Shapes *Shapes
	list   []*filePlan
}

// Of returns the plan of a shape, which is made when it is first asked for.
func (p *Plans) Of(shape int) (*filePlan, error) {
	for len(p.list) <= shape {
		p.list = append(p.list, nil)
	}
	if p.list[shape] == nil {
		plan, err := newFilePlan(p.Shapes.at(shape), p.Schema)
		if err != nil {
			return nil, err
		}
		p.list[shape] = plan
	}
	return p.list[shape], nil
}
