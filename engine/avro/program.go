package avro

import (
	"fmt"
	"slices"

	"reconcile/internal/column"
)

type opcode uint8

const (
	opBytes     opcode = iota // string and bytes, appended as they are
	opSkipBytes               // likewise, not wanted
	opLong                    // as text
	opInt
	opText  // as text, whatever else is not null and not a union
	opUnion // as text, unions but for one type and perhaps null
	opNull
	opLongNative // as a number
	opIntNative
	opDoubleNative
	opSkipLong
	opSkip
)

// noBranch is no byte, nor twice any number.
const noBranch = 1<<8 + 1

// op decodes one field. When union is set the number of a branch comes first:
// null or some, in the one byte that it takes.
type op struct {
	code       opcode
	union      bool
	null, some uint16
	node       *node // without the union, but for opUnion
	skips      int   // how many ops from this one on skip optional texts
	// What bind adds: the rows of the column that the block fills.
	dict   *column.Dict
	codes  []uint32
	ints   []int64
	floats []float64
	nulls  []bool
	col    *column.Column
	base   int
	// origins of the rows, nil unless somebody watches them: those of watch.
	origins []Origin
	watch   *[]Origin
}

// compile returns the op that decodes a field of type n.
func compile(n *node) op {
	if n.kind != kindUnion {
		return op{code: textCode(n), node: n}
	}
	switch b := n.branches; {
	case len(b) == 1 && b[0].kind != kindNull:
		return op{code: textCode(b[0]), node: b[0], union: true, null: noBranch, some: 0}
	case len(b) == 2 && b[0].kind == kindNull && b[1].kind != kindNull:
		return op{code: textCode(b[1]), node: b[1], union: true, null: 0, some: 2}
	case len(b) == 2 && b[1].kind == kindNull && b[0].kind != kindNull:
		return op{code: textCode(b[0]), node: b[0], union: true, null: 2, some: 0}
	}
	return op{code: opUnion, node: n}
}

func textCode(n *node) opcode {
	switch {
	case n.kind == kindNull:
		return opNull
	case n.logical != noLogical:
		return opText
	case n.kind == kindString || n.kind == kindBytes:
		return opBytes
	case n.kind == kindLong:
		return opLong
	case n.kind == kindInt:
		return opInt
	}
	return opText
}

// native returns what o can fill but text.
func (o *op) native() Native {
	switch {
	case o.code == opLong || o.code == opInt:
		return Long
	case o.code == opText && o.node.kind == kindDouble:
		return Double
	}
	return Text
}

// checked reports whether decoding looks at more than skipping does: text may
// turn out too long, and a run of items not as long as it says.
func (o *op) checked() bool {
	deep := func(n *node) bool { return n.names() && n.kind != kindEnum || n.logical == logicalDecimal }
	if o.code != opUnion {
		return deep(o.node)
	}
	return slices.ContainsFunc(o.node.branches, deep)
}

// bind makes room in col for n rows, all null, and points o at them. A nil
// col turns o into one that skips.
func (o *op) bind(col *column.Column, n int) error {
	if col == nil {
		o.skip()
		return nil
	}
	o.col, o.base = col, col.Len()
	switch id := col.Type.ID; {
	case id == column.String:
		if col.Dict == nil {
			col.Dict = column.NewDict()
		}
		o.dict = col.Dict
		col.Codes, o.codes = extend(col.Codes, n)
		return nil
	case id == column.Int64 && o.native() == Long:
		o.code += opLongNative - opLong
		col.Ints, o.ints = extend(col.Ints, n)
	case id == column.Double && o.native() == Double:
		o.code = opDoubleNative
		col.Floats, o.floats = extend(col.Floats, n)
	default:
		return fmt.Errorf("a column of type %s cannot take it", col.Type)
	}
	if col.Null != nil {
		col.Null, o.nulls = extend(col.Null, n)
	}
	return nil
}

// countSkips counts the ops in a row that skip texts which can be null.
func countSkips(ops []op) {
	n := 0
	for i := len(ops) - 1; i >= 0; i-- {
		if o := &ops[i]; o.code == opSkipBytes && o.union && o.null+o.some == 2 {
			n++
		} else {
			n = 0
		}
		ops[i].skips = n
	}
}

// cut leaves n of the rows that bind made room for.
func (o *op) cut(n int) {
	switch to := o.base + n; {
	case o.col == nil:
		return
	case o.codes != nil:
		o.col.Codes = o.col.Codes[:to]
	case o.ints != nil:
		o.col.Ints = o.col.Ints[:to]
	case o.floats != nil:
		o.col.Floats = o.col.Floats[:to]
	}
	if o.col.Null != nil {
		o.col.Null = o.col.Null[:o.base+n]
	}
	if o.watch != nil {
		*o.watch = (*o.watch)[:n]
	}
}

// addText gives a row its text, which is often that of the row before.
func (o *op) addText(row int, v []byte) {
	if row > 0 {
		if c := o.codes[row-1]; c != 0 && string(o.dict.Value(c)) == string(v) {
			o.codes[row] = c
			return
		}
	}
	o.codes[row] = o.dict.Add(v)
}

// extend adds n zeros to s and returns them too.
func extend[T any](s []T, n int) (whole, added []T) {
	from := len(s)
	whole = slices.Grow(s, n)[:from+n]
	added = whole[from:]
	clear(added)
	return whole, added
}

func (o *op) skip() {
	switch o.code {
	case opBytes:
		o.code = opSkipBytes
	case opLong:
		o.code = opSkipLong
	default:
		o.code = opSkip
	}
}

// setNull makes a row null; those of text are so from the start.
func (o *op) setNull(row int) {
	if o.codes != nil || o.col == nil {
		return
	}
	if o.nulls == nil {
		o.col.Null = make([]bool, o.col.Len())
		o.nulls = o.col.Null[o.base:]
	}
	o.nulls[row] = true
}
