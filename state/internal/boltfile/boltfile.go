// Package boltfile reads a bbolt file without trusting it.
//
// bbolt checks the sums of its two meta pages and believes every other byte: a
// flipped bit reads back as wrong data, makes a cursor run in circles or
// panics, a truncated file is a SIGBUS, and a damaged newest meta page silently
// gives the transaction before it. This package promises that whatever the
// bytes are, reading ends, with the keys and values of the newest transaction
// or with an error that matches ErrCorrupt. Walk proves the structure of the
// whole file: every page is either in the tree once or free once, and all keys
// stand in order; a file that passes is safe to hand to bbolt for writing.
//
// It does not know what the values mean: a flipped bit inside a key or a value
// is for the caller's checksums to find. It never writes, takes no lock, and
// reads top-level buckets without nested ones only.
package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"reconcile/internal/amount"
)

// ErrCorrupt is matched by every error that says that the bytes of the file are
// not those of a sound bbolt file.
var ErrCorrupt = errors.New("not a sound bbolt file")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// View is the content of a file at its newest transaction. It and every slice
// that it hands out are valid only inside the function that Read calls.
type View struct {
	data []byte // the whole file, mapped
	meta meta
}

// Read maps f and calls fn with its content. The caller holds a lock that keeps
// writers away from f. A fault of the mapping (f got shorter, the disk cannot
// be read) ends fn and is reported as ErrCorrupt; so is a runtime error. What
// fn wants to keep it copies. Errors of fn are returned as they are.
func Read(f *os.File, fn func(*View) error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size < 2*minPageSize {
		return corrupt("%d bytes are too few for its two meta pages", size)
	}
	if size > math.MaxInt {
		return corrupt("%s bytes are more than this machine can map", amount.Number(size))
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %s: %w", f.Name(), err)
	}
	err = guarded(func() error {
		v := &View{data: data}
		if err := v.readMeta(); err != nil {
			return err
		}
		return fn(v)
	})
	if e := unix.Munmap(data); err == nil && e != nil {
		err = fmt.Errorf("unmap %s: %w", f.Name(), e)
	}
	return err
}

// guarded turns faults of mapped memory and other runtime errors into errors.
// The setting is one of the goroutine, so fn must stay in it.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = corrupt("a page of it cannot be read")
		case runtime.Error:
			err = corrupt("%v", r)
		default:
			panic(r)
		}
	}()
	return fn()
}

// Guard runs fn, which uses bbolt on a file that passed Walk, and turns every
// panic of it into an error that matches ErrCorrupt. fn must not leave its
// goroutine.
func Guard(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = corrupt("%v", r)
		}
	}()
	return guarded(fn)
}

// TxID returns the number of the transaction that the view shows.
func (v *View) TxID() uint64 { return v.meta.txid }

// Get returns the value of a key of a bucket, nil when there is none. It checks
// the pages on its way only: a damaged page can hide a key, a value may be
// damaged.
func (v *View) Get(bucket string, key []byte) ([]byte, error) {
	root, err := v.page(v.meta.root)
	if err != nil {
		return nil, err
	}
	e, ok, err := v.find(root, []byte(bucket))
	if err != nil || !ok {
		return nil, err
	}
	p, err := v.bucketRoot(e)
	if err != nil {
		return nil, err
	}
	e, ok, err = v.find(p, key)
	if err != nil || !ok {
		return nil, err
	}
	if e.flags != 0 {
		return nil, corrupt("bucket %q holds a bucket", bucket)
	}
	return e.value, nil
}

// maxDepth is far above what 2^48 keys need: it ends a walk in circles.
const maxDepth = 64

// find descends from p to the leaf that has to hold key.
func (v *View) find(p page, key []byte) (leafElem, bool, error) {
	for range maxDepth {
		if p.isLeaf() {
			return p.search(key)
		}
		next := -1
		for i := range p.count {
			e, err := p.branch(i)
			if err != nil {
				return leafElem{}, false, err
			}
			if i > 0 && bytes.Compare(e.key, key) > 0 {
				break
			}
			next = i
		}
		e, err := p.branch(next)
		if err != nil {
			return leafElem{}, false, err
		}
		if p, err = v.page(e.child); err != nil {
			return leafElem{}, false, err
		}
	}
	return leafElem{}, false, corrupt("page %d leads to itself", p.id)
}

// bucketRoot returns the root page of the bucket that e is: a page of the file
// or, of a small bucket, one that stands in the value.
func (v *View) bucketRoot(e leafElem) (page, error) {
	if e.flags != bucketFlag {
		return page{}, corrupt("the key %q at top level is not a bucket", e.key)
	}
	if len(e.value) < bucketHeader {
		return page{}, corrupt("the header of bucket %q is cut", e.key)
	}
	if root := order.Uint64(e.value); root != 0 {
		return v.page(root)
	}
	p, err := parsePage(e.value[bucketHeader:])
	if err != nil {
		return page{}, err
	}
	if p.id != 0 || p.overflow != 0 || !p.isLeaf() {
		return page{}, corrupt("the inline bucket %q is not a leaf", e.key)
	}
	return p, nil
}
