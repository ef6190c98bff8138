package boltfile

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
)

// The layout of bbolt's pages. Numbers are in the byte order of the machine.
const (
	minPageSize = 512
	maxPageSize = 1 << 24

	pageHeader   = 16 // id 8, flags 2, count 2, overflow 4
	elemHeader   = 16 // of a branch: pos 4, ksize 4, child 8; of a leaf: flags 4, pos 4, ksize 4, vsize 4
	bucketHeader = 16 // root 8, sequence 8

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	bucketFlag = 0x01

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64 // magic 4, version 4, page size 4, flags 4, root bucket 16, freelist 8, pages 8, txid 8, sum 8
	noFreelist  = ^uint64(0)
)

var order = binary.NativeEndian

// meta is the content of a meta page.
type meta struct {
	pageSize int
	root     uint64 // page of the top level
	freelist uint64 // page of the free list
	pages    uint64 // number of pages in use, the file may be longer
	txid     uint64
}

// readMeta takes the newest of the two meta pages. Both have to be sound and of
// consecutive transactions, as bbolt leaves them: when the newest is damaged,
// the other one is a sound view of the past, which is wrong data all the same.
// A meta fills a fraction of one sector, so a power cut does not tear it.
func (v *View) readMeta() error {
	first, err := parseMeta(v.data, 0)
	if err != nil {
		return err
	}
	if len(v.data) < 2*first.pageSize {
		return corrupt("%d bytes are too few for its two meta pages", len(v.data))
	}
	second, err := parseMeta(v.data[first.pageSize:], 1)
	if err != nil {
		return err
	}
	switch {
	case second.pageSize != first.pageSize:
		return corrupt("its meta pages differ in their page size")
	case first.txid+1 != second.txid && second.txid+1 != first.txid:
		return corrupt("its meta pages are of the transactions %d and %d", first.txid, second.txid)
	}
	v.meta = first
	if second.txid > first.txid {
		v.meta = second
	}
	return v.checkSize()
}

func (v *View) checkSize() error {
	m := v.meta
	if have := uint64(len(v.data) / m.pageSize); m.pages > have {
		return corrupt("it is cut: it has %d bytes, its content needs %d pages of %d", len(v.data), m.pages, m.pageSize)
	}
	if m.freelist == noFreelist {
		return corrupt("it has no list of free pages")
	}
	return nil
}

func parseMeta(data []byte, n int) (meta, error) {
	if len(data) < pageHeader+metaSize {
		return meta{}, corrupt("meta page %d is cut", n)
	}
	b := data[pageHeader : pageHeader+metaSize]
	if order.Uint32(b) != metaMagic {
		return meta{}, corrupt("meta page %d does not begin as one", n)
	}
	if ver := order.Uint32(b[4:]); ver != metaVersion {
		return meta{}, corrupt("meta page %d has version %d, not %d", n, ver, metaVersion)
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if order.Uint64(b[metaSize-8:]) != sum.Sum64() {
		return meta{}, corrupt("the checksum of meta page %d is wrong", n)
	}
	size := order.Uint32(b[8:])
	if size < minPageSize || size > maxPageSize || size&(size-1) != 0 {
		return meta{}, corrupt("its page size is %d", size)
	}
	return meta{
		pageSize: int(size),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}, nil
}

// page is a page with the pages that it runs over into.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	data     []byte // with the header
}

func (p page) isLeaf() bool { return p.flags == flagLeaf }

// page returns the branch or leaf page number id.
func (v *View) page(id uint64) (page, error) {
	p, err := v.rawPage(id)
	if err != nil {
		return page{}, err
	}
	if p.flags != flagLeaf && p.flags != flagBranch {
		return page{}, corrupt("page %d has the type %#x, not that of a branch or leaf", id, p.flags)
	}
	if p.flags == flagBranch && p.count == 0 {
		return page{}, corrupt("the branch page %d is empty", id)
	}
	return p, nil
}

func (v *View) rawPage(id uint64) (page, error) {
	if id < 2 || id >= v.meta.pages {
		return page{}, corrupt("it refers to page %d of %d", id, v.meta.pages)
	}
	size := uint64(v.meta.pageSize)
	p, err := parsePage(v.data[id*size : (id+1)*size])
	if err != nil {
		return page{}, err
	}
	if p.id != id {
		return page{}, corrupt("page %d says that it is page %d", id, p.id)
	}
	end := id + p.overflow + 1
	if end > v.meta.pages {
		return page{}, corrupt("page %d runs over the end", id)
	}
	p.data = v.data[id*size : end*size]
	return p, nil
}

func parsePage(data []byte) (page, error) {
	if len(data) < pageHeader {
		return page{}, corrupt("a page header is cut")
	}
	return page{
		id:       order.Uint64(data),
		flags:    order.Uint16(data[8:]),
		count:    int(order.Uint16(data[10:])),
		overflow: uint64(order.Uint32(data[12:])),
		data:     data,
	}, nil
}

// slice returns the n bytes at pos bytes behind the start of element i.
func (p page) slice(i int, pos, n uint64) ([]byte, error) {
	from := uint64(pageHeader+i*elemHeader) + pos
	if from+n > uint64(len(p.data)) {
		return nil, corrupt("element %d of page %d reaches beyond it", i, p.id)
	}
	return p.data[from : from+n : from+n], nil
}

// header returns the bytes of element i's own record.
func (p page) header(i int) ([]byte, error) {
	if i < 0 || i >= p.count {
		return nil, corrupt("page %d has no element %d", p.id, i)
	}
	return p.slice(i, 0, elemHeader)
}

type branchElem struct {
	key   []byte
	child uint64
}

func (p page) branch(i int) (branchElem, error) {
	h, err := p.header(i)
	if err != nil {
		return branchElem{}, err
	}
	key, err := p.slice(i, uint64(order.Uint32(h)), uint64(order.Uint32(h[4:])))
	return branchElem{key: key, child: order.Uint64(h[8:])}, err
}

type leafElem struct {
	flags uint32
	key   []byte
	value []byte
}

func (p page) leaf(i int) (leafElem, error) {
	h, err := p.header(i)
	if err != nil {
		return leafElem{}, err
	}
	pos, ksize, vsize := uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[8:])), uint64(order.Uint32(h[12:]))
	key, err := p.slice(i, pos, ksize)
	if err != nil {
		return leafElem{}, err
	}
	value, err := p.slice(i, pos+ksize, vsize)
	return leafElem{flags: order.Uint32(h), key: key, value: value}, err
}

// search looks for key in a leaf page.
func (p page) search(key []byte) (leafElem, bool, error) {
	for i := range p.count {
		e, err := p.leaf(i)
		if err != nil {
			return leafElem{}, false, err
		}
		if bytes.Equal(e.key, key) {
			return e, true, nil
		}
	}
	return leafElem{}, false, nil
}
