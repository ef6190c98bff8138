package statefile

import (
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"

	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
)

// Compacted returns a copy of the file without free pages, and its size. The caller
// closes it.
func (p *Private) Compacted() (*os.File, int64, error) {
	f, err := files.Temp(p.dir)
	if err != nil {
		return nil, 0, err
	}
	err = boltfile.Guard(func() error {
		from, err := p.bolt(p.f, true)
		if err != nil {
			return err
		}
		to, err := p.bolt(f, false)
		if err != nil {
			return errors.Join(err, from.Close())
		}
		return errors.Join(bolt.Compact(to, from, compactTx), to.Close(), from.Close())
	})
	if err != nil {
		return nil, 0, errors.Join(p.format.damaged(err), f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Compact replaces the file by a compacted copy.
func (p *Private) Compact() error {
	f, _, err := p.Compacted()
	if err != nil {
		return err
	}
	old := p.f
	p.f = f
	return old.Close()
}

// copied is a compacted copy as a state.CopiedFile.
type copied struct {
	*Private
	size int64
}

// ReadAt is that of io.ReaderAt.
func (c *copied) ReadAt(b []byte, at int64) (int, error) { return c.f.ReadAt(b, at) }

// Size is the number of bytes.
func (c *copied) Size() int64 { return c.size }

// Copy returns a copy of the content, which is proved.
func (p *Private) Copy() (*state.Copy, error) {
	file := &copied{Private: p.format.NewPrivate(p.dir)}
	c := &state.Copy{Snapshot: &state.Snapshot{}, File: file, By: p.format.Program}
	if p.f == nil {
		return c, nil
	}
	f, size, err := p.Compacted()
	if err != nil {
		return nil, err
	}
	if err := file.Open(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file.size = size
	if c.Snapshot, err = file.Load(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

// Copy returns a copy of the content of a file, nil for no state. The file stays the
// caller's.
func (s Format) Copy(f *os.File) (*state.Copy, error) {
	return (&Private{format: s, f: f}).Copy()
}
