package column

// Column is one column of a batch. Exactly one of the three forms is in use,
// as Type.Kind says.
//
// Bytes: Codes has one entry a row, Dict their values; code 0 is null.
// Int64: Ints has one entry a row. Double: Floats has one entry a row.
// For the latter two Null is nil when no row is null, else it has one entry a
// row; the value of a null row is zero.
type Column struct {
	Name   string
	Type   Type
	Codes  []uint32
	Dict   *Dict
	Ints   []int64
	Floats []float64
	Null   []bool
}

// Batch is a set of columns of N rows each.
type Batch struct {
	N    int
	Cols []Column
	// Own says that one goroutine alone uses the batch, so that a Gatherer may
	// add values to its dictionaries.
	Own bool
}

// Col returns the column of that exact name, or nil.
func (b *Batch) Col(name string) *Column {
	for i := range b.Cols {
		if b.Cols[i].Name == name {
			return &b.Cols[i]
		}
	}
	return nil
}

// ColNear is Col for whoever asks for one column after the other, mostly in their order: it
// looks behind a place first, and returns where the column is.
func (b *Batch) ColNear(name string, place int) (*Column, int) {
	for i := range b.Cols {
		if at := (place + 1 + i) % len(b.Cols); b.Cols[at].Name == name {
			return &b.Cols[at], at
		}
	}
	return nil, place
}

// Memory returns about how many bytes the columns hold on to.
func (b *Batch) Memory() int {
	m := 0
	for i := range b.Cols {
		c := &b.Cols[i]
		m += 4*cap(c.Codes) + 8*cap(c.Ints) + 8*cap(c.Floats) + cap(c.Null)
		if c.Dict != nil {
			m += c.Dict.Memory()
		}
	}
	return m
}

// leastRowsWithin is how many rows are read together at least, whatever they take.
const leastRowsWithin = 256

// RowsWithin returns how many of rows, whose columns take so many bytes, are to be read
// together so that these take about most bytes: all if most is 0.
func RowsWithin(rows int, bytes, most int64) int {
	if most <= 0 || bytes <= most {
		return rows
	}
	return max(int(int64(rows)*most/bytes), leastRowsWithin)
}

// IsNull reports whether row i is null.
func (c *Column) IsNull(i int) bool {
	if c.Type.Kind() == KindBytes {
		return c.Codes[i] == 0
	}
	return c.Null != nil && c.Null[i]
}

// Bytes returns the value of row i of a bytes column, nil when it is null.
// The slice is the dictionary's: read it only, and only while the batch lives.
func (c *Column) Bytes(i int) []byte {
	if c.Codes[i] == 0 {
		return nil
	}
	return c.Dict.Value(c.Codes[i])
}

// Len returns the number of rows.
func (c *Column) Len() int {
	switch c.Type.Kind() {
	case KindInt64:
		return len(c.Ints)
	case KindDouble:
		return len(c.Floats)
	}
	return len(c.Codes)
}

// Make gives c room for n rows, all null, reusing what it has. A bytes column
// gets an empty dictionary unless it has one.
func (c *Column) Make(n int) {
	c.Reset()
	c.AppendNulls(n)
}

// Reset empties c and its dictionary, keeping the memory.
func (c *Column) Reset() {
	c.Codes, c.Ints, c.Floats = c.Codes[:0], c.Ints[:0], c.Floats[:0]
	c.Null = nil
	if c.Type.Kind() == KindBytes {
		if c.Dict == nil {
			c.Dict = NewDict()
		}
		c.Dict.Reset()
	}
}

// AppendNulls adds n null rows.
func (c *Column) AppendNulls(n int) {
	switch c.Type.Kind() {
	case KindBytes:
		c.Codes = appendZero(c.Codes, n)
	case KindInt64:
		c.growNull(n, true)
		c.Ints = appendZero(c.Ints, n)
	case KindDouble:
		c.growNull(n, true)
		c.Floats = appendZero(c.Floats, n)
	}
}

// SetNull makes row i null.
func (c *Column) SetNull(i int) {
	switch c.Type.Kind() {
	case KindBytes:
		c.Codes[i] = 0
		return
	case KindInt64:
		c.Ints[i] = 0
	case KindDouble:
		c.Floats[i] = 0
	}
	if c.Null == nil {
		c.Null = make([]bool, c.Len())
	}
	c.Null[i] = true
}

// AppendBytes adds one row to a bytes column.
func (c *Column) AppendBytes(v []byte) { c.Codes = append(c.Codes, c.Dict.Add(v)) }

// AppendInt adds one row to an int64 column.
func (c *Column) AppendInt(v int64) {
	if c.Null != nil {
		c.Null = append(c.Null, false)
	}
	c.Ints = append(c.Ints, v)
}

// AppendFloat adds one row to a double column.
func (c *Column) AppendFloat(v float64) {
	if c.Null != nil {
		c.Null = append(c.Null, false)
	}
	c.Floats = append(c.Floats, v)
}

// growNull adds n entries of value null to the null marks, before the values
// themselves are appended.
func (c *Column) growNull(n int, null bool) {
	if c.Null == nil {
		if !null || n == 0 {
			return
		}
		c.Null = make([]bool, c.Len(), c.Len()+n)
	}
	for range n {
		c.Null = append(c.Null, null)
	}
}

func appendZero[T any](s []T, n int) []T {
	var zero T
	for range n {
		s = append(s, zero)
	}
	return s
}
