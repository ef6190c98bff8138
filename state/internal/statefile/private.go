package statefile

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

// Private is a state in a file that only this process sees and that has no name. One that
// goes bad is rebuilt from elsewhere; nothing is synced. It is for one goroutine.
type Private struct {
	Meta   Meta // of the content; without tallies where there is none
	format Format
	dir    string   // for files; empty is the system's
	f      *os.File // nil where there is no state
}

// NewPrivate returns a Private of no state, with its files in a folder; empty for the
// system's.
func (s Format) NewPrivate(dir string) *Private {
	return &Private{format: s, dir: dir, Meta: Meta{Tallies: map[string]kv.Tally{}}}
}

// Open makes a file that was read from somewhere the content, when it is proved that it
// is whole. Then it is closed with the Private.
func (p *Private) Open(f *os.File) error {
	meta, err := p.format.VerifyFile(f)
	if err != nil {
		return err
	}
	if p.f != nil {
		if err := p.f.Close(); err != nil {
			return err
		}
	}
	p.f, p.Meta = f, meta
	return nil
}

// Close gives the file up. A second call does nothing.
func (p *Private) Close() error {
	if p.f == nil {
		return nil
	}
	err := p.f.Close()
	p.f = nil
	return err
}

// Load decodes the whole content.
func (p *Private) Load() (*state.Snapshot, error) {
	var content Content
	if p.f != nil {
		err := p.format.View(p.f, func(v *boltfile.View) error { return p.format.Read(v, &content) })
		if err != nil {
			return nil, err
		}
	}
	return p.format.Decode(&content)
}

// Small returns the content of an object that is inside the state, nil if there is no
// such.
func (p *Private) Small(digest string) (payload []byte, err error) {
	key, err := hex.DecodeString(digest)
	if err != nil || p.f == nil {
		return nil, err
	}
	err = p.format.View(p.f, func(v *boltfile.View) error {
		value, err := v.Get(kv.Inline.String(), key)
		if err != nil || value == nil {
			return err
		}
		small, _, err := kv.Unseal(kv.Inline, key, value)
		payload = append([]byte{}, small...)
		return err
	})
	return payload, err
}

// WriteTo writes the bytes of the file to w, none where there is no state.
func (p *Private) WriteTo(w io.Writer) (int64, error) {
	if p.f == nil {
		return 0, nil
	}
	info, err := p.f.Stat()
	if err != nil {
		return 0, err
	}
	return io.Copy(w, io.NewSectionReader(p.f, 0, info.Size()))
}

// Apply applies a transaction that a program made. When it is ready, before is called,
// whose error gives it up, then amend, which completes the meta record. It reports
// whether there was anything to write; if not, neither is called.
func (p *Private) Apply(c *kv.Changes, program string, before func() error, amend func(*Meta)) (written bool, err error) {
	meta := p.Meta.clone()
	p.format.Follow(&meta, c, program)
	w := &writer{changes: c, meta: meta, collects: true}
	err = p.update(func(btx *bolt.Tx) error {
		if err := w.apply(btx); err != nil || !w.changed {
			return err
		}
		if err := before(); err != nil {
			return err
		}
		written = true
		old := p.Meta
		p.Meta = w.meta
		amend(&p.Meta)
		if err := writeMeta(btx, p.Meta); err != nil {
			p.Meta = old
			return err
		}
		return nil
	})
	return written, err
}

// Amend changes the meta record alone.
func (p *Private) Amend(amend func(*Meta)) error {
	amend(&p.Meta)
	return p.update(func(btx *bolt.Tx) error { return writeMeta(btx, p.Meta) })
}

// update runs fn in one transaction of the file, which it makes if need be.
func (p *Private) update(fn func(*bolt.Tx) error) error {
	if p.f == nil {
		f, err := files.Temp(p.dir)
		if err != nil {
			return fmt.Errorf("a copy of the state: %w", err)
		}
		p.f = f
	}
	err := boltfile.Guard(func() error {
		db, err := p.bolt(p.f, false)
		if err != nil {
			return err
		}
		return errors.Join(db.Update(fn), db.Close())
	})
	return p.format.damaged(err)
}

// bolt hands a handle of its own on f to bbolt.
func (p *Private) bolt(f *os.File, readOnly bool) (*bolt.DB, error) {
	own, err := files.Duplicate(f)
	if err != nil {
		return nil, err
	}
	db, err := p.format.openBolt(own, readOnly)
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	db.NoSync = true
	return db, nil
}

// Detach returns one of the same content with a file of its own, and closes p.
func (p *Private) Detach(ctx context.Context) (_ *Private, err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	c := &Private{format: p.format, dir: p.dir, Meta: p.Meta.clone()}
	if p.f == nil {
		return c, nil
	}
	if c.f, err = files.Temp(p.dir); err == nil {
		_, err = p.WriteTo(c.f)
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return c, fmt.Errorf("a copy of the state: %w", err)
	}
	return c, nil
}

// Empty reports whether there is no state, and so no file.
func (p *Private) Empty() bool { return p.f == nil }
