package engine

import (
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"reconcile/engine/dump"
	"reconcile/internal/blob"
	"reconcile/state"
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

// content describes what a dump delivers, nil unless all of it was read.
func (s *fileSums) content(dump int64, e *dump.Entry) *state.Content {
	if s == nil || len(e.Files) == 0 {
		return nil
	}
	sizes := make([]int64, len(e.Files))
	var sums []byte
	for i := range sizes {
		f, ok := s.files[filePlace{dump, i}]
		if !ok {
			return nil
		}
		sizes[i] = f.size
		sums = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(sums, f.sum.Hi), f.sum.Lo)
	}
	sum := xxh3.Hash128(sums).Bytes()
	return &state.Content{Dump: dump, Shape: contentShape(e, sizes), Digest: sum[:]}
}

// contentShape is the part of a content that can be told without reading: the
// columns, which decide what becomes of the fields, in their order, which decides
// between spellings, and the sizes of the files.
func contentShape(e *dump.Entry, sizes []int64) uint64 {
	var b []byte
	if e.HasColumns {
		b = append(b, 1)
	}
	for _, c := range e.Columns {
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
	g.sums = newFileSums(r.env.tagged)
	return g.avroFiles(ctx, r.env.source, r.files())
}

// keptContent is what is known of the greatest dump after a run that does not
// read it.
func (r *tableRun) keptContent(applied []state.Applied) *state.Content {
	if r.old == nil || r.old.Content == nil || len(applied) == 0 {
		return nil
	}
	last := applied[len(applied)-1]
	if last.Dump != r.old.Content.Dump || last.Lost || last.Skipped {
		return nil
	}
	return r.old.Content
}

// contentAfter is what is known of the greatest dump after a run that has read g.
func (r *tableRun) contentAfter(t *state.Table, g *ingest) *state.Content {
	i := slices.IndexFunc(r.pending, func(d delivery) bool { return d.dump == t.LastDelivery })
	if i < 0 {
		return t.Content
	}
	return g.sums.content(t.LastDelivery, r.pending[i].entry)
}
