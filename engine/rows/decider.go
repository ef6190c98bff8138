package rows

import (
	"bufio"
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
		for i := range d.parts[b] {
			buf = appendCandidate(buf, &d.parts[b][i])
		}
		if _, err := d.files[b].Write(buf); err != nil {
			return fmt.Errorf("spilling keys to the scratch folder %s: %w", d.dir, err)
		}
		d.parts[b] = d.parts[b][:0]
	}
	d.held = 0
	return nil
}

func appendCandidate(dst []byte, r *rules.Candidate) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Key))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Raw))
	dst = binary.LittleEndian.AppendUint64(dst, r.Ver)
	return binary.LittleEndian.AppendUint64(dst, r.Loc)
}

func candidateAt(b []byte) rules.Candidate {
	return rules.Candidate{
		Key: int64(binary.LittleEndian.Uint64(b)),
		Raw: int64(binary.LittleEndian.Uint64(b[8:])),
		Ver: binary.LittleEndian.Uint64(b[16:]),
		Loc: binary.LittleEndian.Uint64(b[24:]),
	}
}

// Decide judges all rows that were added, with that many goroutines. Of a bucket that is
// in files no more rows are in memory than its goroutine's part of the limit.
func (d *Decider) Decide(parallel int, passed func()) error {
	parallel = max(parallel, 1)
	var g errgroup.Group
	g.SetLimit(parallel)
	for b := range d.parts {
		g.Go(func() error {
			defer func() { d.parts[b] = nil; passed() }()
			n, err := d.rowsOf(b)
			if err != nil {
				return err
			}
			if d.files[b] != nil && n > d.limit/parallel {
				return d.judgeBucket(b, d.limit/parallel)
			}
			candidates := d.parts[b]
			if d.files[b] != nil {
				candidates = make([]rules.Candidate, 0, n)
				err = d.eachOf(b, func(r rules.Candidate) error {
					candidates = append(candidates, r)
					return nil
				})
			}
			if err == nil {
				rules.Decide(candidates, d.canon, d.handle)
			}
			return err
		})
	}
	return g.Wait()
}

// rowsOf returns the number of rows of a bucket.
func (d *Decider) rowsOf(b int) (int, error) {
	n := len(d.parts[b])
	if d.files[b] == nil {
		return n, nil
	}
	size, err := d.files[b].Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("reading spilled keys: %w", err)
	}
	return n + int(size)/candidateSize, nil
}

// eachOf hands on the rows of a bucket.
func (d *Decider) eachOf(b int, use func(rules.Candidate) error) error {
	if f := d.files[b]; f != nil {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("reading spilled keys: %w", err)
		}
		in := bufio.NewReaderSize(f, 64<<10)
		var buf [candidateSize]byte
		for {
			_, err := io.ReadFull(in, buf[:])
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("reading spilled keys: %w", err)
			}
			if err := use(candidateAt(buf[:])); err != nil {
				return err
			}
		}
	}
	for _, r := range d.parts[b] {
		if err := use(r); err != nil {
			return err
		}
	}
	return nil
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
