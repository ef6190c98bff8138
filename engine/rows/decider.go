package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/rules"
)

// candidateSize is what a row takes in a scratch file.
const candidateSize = 32

// Decider collects rows and judges them all at the end, in memory that does not
// grow with their number: what exceeds its limit waits in scratch files.
type Decider struct {
	mu     sync.Mutex
	dir    string
	limit  int
	held   int
	parts  [rules.Buckets][]rules.Candidate
	files  [rules.Buckets]*os.File
	canon  func(int64) int64
	handle func(loc uint64, v rules.Verdict)
}

// NewDecider returns a decider that keeps at most limit rows in memory and the
// rest in dir. set is called from several goroutines at once, once a row.
func NewDecider(dir string, limit int, canon func(int64) int64, set func(loc uint64, v rules.Verdict)) *Decider {
	return &Decider{dir: dir, limit: limit, canon: canon, handle: set}
}

// AddSegment adds the rows of a segment; locOf turns a row's position into its Loc.
func (d *Decider) AddSegment(rs []rules.Row, locOf func(i int) uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range rs {
		r := &rs[i]
		b := rules.BucketOf(r.Key)
		d.parts[b] = append(d.parts[b], rules.Candidate{Key: r.Key, Raw: r.Raw, Ver: r.Ver, Loc: locOf(i)})
		if d.held++; d.held > d.limit {
			if err := d.spill(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Decider) spill() error {
	for b := range d.parts {
		if len(d.parts[b]) == 0 {
			continue
		}
		if d.files[b] == nil {
			f, err := os.CreateTemp(d.dir, "keys-*")
			if err != nil {
				return fmt.Errorf("spilling keys to the scratch folder: %w", err)
			}
			d.files[b] = f
		}
		buf := make([]byte, 0, candidateSize*len(d.parts[b]))
		for _, r := range d.parts[b] {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(r.Key))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(r.Raw))
			buf = binary.LittleEndian.AppendUint64(buf, r.Ver)
			buf = binary.LittleEndian.AppendUint64(buf, r.Loc)
		}
		if _, err := d.files[b].Write(buf); err != nil {
			return fmt.Errorf("spilling keys to the scratch folder %s: %w", d.dir, err)
		}
		d.parts[b] = d.parts[b][:0]
	}
	d.held = 0
	return nil
}

// Decide judges all rows that were added, with that many goroutines.
func (d *Decider) Decide(parallel int) error {
	var g errgroup.Group
	g.SetLimit(max(parallel, 1))
	for b := range d.parts {
		g.Go(func() error {
			candidates, err := d.loadBucket(b)
			if err != nil {
				return err
			}
			rules.Decide(candidates, d.canon, d.handle)
			d.parts[b] = nil
			return nil
		})
	}
	return g.Wait()
}

func (d *Decider) loadBucket(b int) ([]rules.Candidate, error) {
	if d.files[b] == nil {
		return d.parts[b], nil
	}
	if _, err := d.files[b].Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading spilled keys: %w", err)
	}
	buf, err := io.ReadAll(d.files[b])
	if err != nil {
		return nil, fmt.Errorf("reading spilled keys: %w", err)
	}
	candidates := make([]rules.Candidate, 0, len(buf)/candidateSize+len(d.parts[b]))
	for ; len(buf) >= candidateSize; buf = buf[candidateSize:] {
		candidates = append(candidates, rules.Candidate{
			Key: int64(binary.LittleEndian.Uint64(buf)),
			Raw: int64(binary.LittleEndian.Uint64(buf[8:])),
			Ver: binary.LittleEndian.Uint64(buf[16:]),
			Loc: binary.LittleEndian.Uint64(buf[24:]),
		})
	}
	return append(candidates, d.parts[b]...), nil
}

// Close removes the scratch files.
func (d *Decider) Close() error {
	var errs []error
	for _, f := range d.files {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
