package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"reconcile/engine/exec"
	"reconcile/internal/blob"
)

// fileSums takes digests of part files while they are read. They are to tell
// chance, not malice: 128 bits that cost next to nothing.
type fileSums struct {
	tagged bool // the pins of the source are ETags, which tell the content
	hash   *xxh3.Hasher128
	files  map[filePlace]fileSum
}

// filePlace is where a part file stands: in which dump, and where in its manifest.
type filePlace struct {
	dump  int64
	index int
}

type fileSum struct {
	size int64
	tag  string
	sum  xxh3.Uint128
}

func newFileSums(tagged bool) *fileSums {
	return &fileSums{tagged: tagged, hash: xxh3.New128(), files: map[filePlace]fileSum{}}
}

// begin returns what a file is to be read through.
func (s *fileSums) begin(r io.Reader) io.Reader {
	if s == nil {
		return r
	}
	s.hash.Reset()
	return io.TeeReader(r, s.hash)
}

// end notes the digest of the file that was begun last and is read to its end.
func (s *fileSums) end(f sourceFile, o blob.Object) {
	if s == nil {
		return
	}
	s.files[filePlace{f.dump, f.index}] = fileSum{o.Size, tagOf(o, s.tagged), s.hash.Sum128()}
}

// content describes a delivery, nil unless all of it was read.
func (s *fileSums) content(d *exec.Delivery) *exec.Content {
	if s == nil || len(d.Files) == 0 {
		return nil
	}
	sizes := make([]int64, len(d.Files))
	var sums []byte
	for i := range sizes {
		f, ok := s.files[filePlace{d.Dump, i}]
		if !ok {
			return nil
		}
		sizes[i] = f.size
		sums = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(sums, f.sum.Hi), f.sum.Lo)
	}
	sum := xxh3.Hash128(sums).Bytes()
	return &exec.Content{Dump: d.Dump, Shape: contentShape(d.Columns, d.HasColumns, sizes), Digest: sum[:]}
}

// contentShape is the part of a content that can be told without reading: the
// columns, which decide what becomes of the fields, in their order, which decides
// between spellings, and the sizes of the files.
func contentShape(columns []string, has bool, sizes []int64) uint64 {
	var b []byte
	if has {
		b = append(b, 1)
	}
	for _, c := range columns {
		b = append(append(b, c...), 0)
	}
	b = append(b, 0)
	for _, n := range sizes {
		b = binary.AppendVarint(b, n)
	}
	return xxh3.Hash(b)
}

// readFiles reads the part files of live pending dumps into g. Those of an echo
// were read when it was found to be one, and their rows are there already.
func (r *tableRun) readFiles(ctx context.Context, g *ingest) error {
	if r.echo != nil {
		r.echo.lend(g)
		return nil
	}
	g.sums = newFileSums(r.task.ETags)
	return g.avroFiles(ctx, r.env.Source, r.files())
}

// readOf is what was read of a dump with a number of files, nil unless all of it was.
func (s *fileSums) readOf(dump int64, files int) *exec.Read {
	if s == nil || files == 0 {
		return nil
	}
	out := &exec.Read{Dump: dump}
	for i := range files {
		f, ok := s.files[filePlace{dump, i}]
		if !ok {
			return nil
		}
		sum := f.sum.Bytes()
		out.Files = append(out.Files, exec.ReadFile{Size: f.size, Tag: f.tag, Sum: sum[:]})
	}
	return out
}

// readAfter is what the next plan compares after a run that has read g: the dumps
// that the run applies. If it applies none for the first time, what was known
// before stays; so does what no plan could compare so far.
func (r *tableRun) readAfter(g *ingest) []exec.Read {
	var out []exec.Read
	applies := false
	for _, d := range r.task.Deliveries {
		if d.Skipped || !r.task.Live(d.Dump) {
			continue
		}
		if was := g.sums.readOf(d.Dump, len(d.Files)); was != nil {
			out = append(out, *was)
			applies = applies || !d.Again
		}
	}
	if r.old == nil {
		return out
	}
	for _, was := range r.old.Read {
		if r.task.Live(was.Dump) && r.task.Delivery(was.Dump) == nil && (!applies || slices.Contains(r.task.Compared, was.Dump)) {
			out = append(out, was)
		}
	}
	slices.SortFunc(out, func(a, b exec.Read) int { return cmp.Compare(a.Dump, b.Dump) })
	return out
}

// takesAgain reports whether the run reads a dump that the table has.
func (r *tableRun) takesAgain() bool {
	return slices.ContainsFunc(r.task.Deliveries, func(d exec.Delivery) bool { return d.Again })
}

// quarantinedBefore counts the quarantined rows of dumps that are read again.
func (r *tableRun) quarantinedBefore() int64 {
	n := int64(0)
	if r.old == nil || !r.takesAgain() {
		return n
	}
	for _, q := range r.old.Quarantine {
		if r.task.Live(q.Dump) && r.task.Delivery(q.Dump) != nil {
			n += q.Ref.Rows
		}
	}
	return n
}
