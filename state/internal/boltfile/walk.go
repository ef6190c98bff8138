package boltfile

import "bytes"

// Walk calls fn with every key and value, bucket by bucket in the order of
// their names, keys in order, and proves the structure of the file while it
// does so. fn may have been called before damage is met: what it gathered
// counts only when Walk returns nil. Of a value only what fn touches is read.
func (v *View) Walk(fn func(bucket string, key, value []byte) error) error {
	w := &walker{view: v, used: make([]uint64, (v.meta.pages+63)/64)}
	w.use(0, 0)
	w.use(1, 0)
	err := w.tree(v.meta.root, func(e leafElem) error { return w.bucket(e, fn) })
	if err != nil {
		return err
	}
	if err := w.freelist(); err != nil {
		return err
	}
	for id := range v.meta.pages {
		if w.used[id/64]&(1<<(id%64)) == 0 {
			return corrupt("page %d is neither used nor free", id)
		}
	}
	return nil
}

type walker struct {
	view *View
	used []uint64 // bit per page that was met
}

// use notes a page and those that it runs over into; false says that one of
// them was met before.
func (w *walker) use(id, overflow uint64) bool {
	for ; ; id++ {
		bit := uint64(1) << (id % 64)
		if w.used[id/64]&bit != 0 {
			return false
		}
		w.used[id/64] |= bit
		if overflow == 0 {
			return true
		}
		overflow--
	}
}

func (w *walker) bucket(e leafElem, fn func(string, []byte, []byte) error) error {
	p, err := w.view.bucketRoot(e)
	if err != nil {
		return err
	}
	name := string(e.key)
	each := func(e leafElem) error {
		if e.flags != 0 {
			return corrupt("bucket %q holds a bucket", name)
		}
		return fn(name, e.key, e.value)
	}
	if p.id == 0 {
		return w.leafPage(p, bounds{}, each)
	}
	return w.tree(p.id, each)
}

// bounds are the keys between which those of a page have to be: from lo on,
// and below hi. nil is no bound.
type bounds struct{ lo, hi []byte }

func (b bounds) hold(key []byte) bool {
	return (b.lo == nil || bytes.Compare(key, b.lo) >= 0) && (b.hi == nil || bytes.Compare(key, b.hi) < 0)
}

func (w *walker) tree(root uint64, fn func(leafElem) error) error {
	return w.subtree(root, bounds{}, fn)
}

// subtree cannot run in circles: no page is used twice.
func (w *walker) subtree(id uint64, b bounds, fn func(leafElem) error) error {
	p, err := w.view.page(id)
	if err != nil {
		return err
	}
	if !w.use(p.id, p.overflow) {
		return corrupt("page %d is used twice", id)
	}
	if p.isLeaf() {
		return w.leafPage(p, b, fn)
	}
	return w.branchPage(p, b, fn)
}

func (w *walker) branchPage(p page, b bounds, fn func(leafElem) error) error {
	e, err := p.branch(0)
	if err != nil {
		return err
	}
	for i := 1; i <= p.count; i++ {
		child := bounds{lo: e.key, hi: b.hi}
		var next branchElem
		if i < p.count {
			if next, err = p.branch(i); err != nil {
				return err
			}
			child.hi = next.key
		}
		if !b.hold(e.key) || (i < p.count && bytes.Compare(e.key, next.key) >= 0) {
			return corrupt("the keys of page %d are out of order", p.id)
		}
		if err := w.subtree(e.child, child, fn); err != nil {
			return err
		}
		e = next
	}
	return nil
}

func (w *walker) leafPage(p page, b bounds, fn func(leafElem) error) error {
	var last []byte
	for i := range p.count {
		e, err := p.leaf(i)
		if err != nil {
			return err
		}
		if len(e.key) == 0 || !b.hold(e.key) || (i > 0 && bytes.Compare(last, e.key) >= 0) {
			return corrupt("the keys of page %d are out of order", p.id)
		}
		if err := fn(e); err != nil {
			return err
		}
		last = e.key
	}
	return nil
}

// freelist notes the free pages: one that is in use as well would be
// overwritten by the next transaction.
func (w *walker) freelist() error {
	p, err := w.view.rawPage(w.view.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist {
		return corrupt("page %d has the type %#x, not that of a list of free pages", p.id, p.flags)
	}
	if !w.use(p.id, p.overflow) {
		return corrupt("the list of free pages %d is used twice", p.id)
	}
	ids, err := p.freeIDs()
	if err != nil {
		return err
	}
	for ; len(ids) > 0; ids = ids[8:] {
		id := order.Uint64(ids)
		if id < 2 || id >= w.view.meta.pages || !w.use(id, 0) {
			return corrupt("page %d is free and in use", id)
		}
	}
	return nil
}

// freeIDs returns the numbers of the free pages, 8 bytes each.
func (p page) freeIDs() ([]byte, error) {
	body := p.data[pageHeader:]
	n := uint64(p.count)
	if p.count == 0xFFFF { // then the first number is the count
		n = order.Uint64(body)
		body = body[8:]
	}
	if n > uint64(len(body))/8 {
		return nil, corrupt("the list of free pages %d is cut", p.id)
	}
	return body[:n*8], nil
}
