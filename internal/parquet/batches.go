package parquet

import "reconcile/internal/column"

// Batches reads a file from its first row to its last, in batches that are row groups, or
// parts of one that takes more than about so many bytes.
type Batches struct {
	f     *File
	want  []column.Column
	most  int64
	group int // the next one
	row   int // of it
	step  int // rows of it that a batch has
	rows  []uint32
}

// Batches reads the wanted columns, as ReadRowGroup does, in batches of about so many
// bytes; 0 for row groups, whatever they take.
func (f *File) Batches(want []column.Column, most int64) *Batches {
	return &Batches{f: f, want: want, most: most}
}

// Group is the row group that the next batch is of, or begins with; that behind the last
// when there is none.
func (b *Batches) Group() int { return b.group }

// Skip passes over what is left of a row group.
func (b *Batches) Skip() { b.group, b.row = b.group+1, 0 }

// Next reads the next rows into dst, by the rules of ReadRowGroup. It returns false behind
// the last.
func (b *Batches) Next(dst *column.Batch) (bool, error) {
	if b.group >= b.f.RowGroups() {
		return false, nil
	}
	n := b.f.GroupRows(b.group)
	if b.row == 0 {
		b.step = column.RowsWithin(n, b.f.GroupBytes(b.group, b.want), b.most)
	}
	if b.step >= n {
		err := b.f.ReadRowGroup(b.group, b.want, dst)
		if err == nil {
			b.Skip()
		}
		return true, err
	}
	to := min(b.row+b.step, n)
	b.rows = RowRange(b.rows, b.row, to)
	err := b.f.ReadRows(b.group, b.rows, b.want, dst)
	if b.row = to; to == n && err == nil {
		b.Skip()
	}
	return true, err
}

// RowRange lists the rows from one up to another, as ReadRows takes them, in the memory of
// dst.
func RowRange(dst []uint32, from, to int) []uint32 {
	dst = dst[:0]
	for row := from; row < to; row++ {
		dst = append(dst, uint32(row))
	}
	return dst
}

// GroupBytes returns about how many bytes wanted columns of a row group take in memory; nil
// wants all.
func (f *File) GroupBytes(group int, want []column.Column) int64 {
	if want == nil {
		want = f.cols
	}
	n := int64(f.GroupRows(group))
	size := int64(0)
	for k := range want {
		perRow := int64(8)
		if want[k].Type.Kind() == column.KindBytes {
			perRow = 4
			if i := f.find(want[k].Name); i >= 0 {
				if c, err := f.chunkOf(group, i); err == nil { // reading fails with it
					size += c.MetaData.TotalUncompressedSize
				}
			}
		}
		size += n * perRow
	}
	return size
}
