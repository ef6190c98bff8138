package engine

import (
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"reconcile/engine/dump"
	"reconcile/state"
)

// fileSums takes digests of the part files of one dump while they are read. They
// are to tell chance, not malice: 128 bits that cost next to nothing.
type fileSums struct {
	dump  int64
	hash  *xxh3.Hasher128
	files map[int]fileSum // by the file's place in the manifest
}

type fileSum struct {
	size int64
	sum  xxh3.Uint128
}

func newFileSums(dump int64) *fileSums {
	return &fileSums{dump: dump, hash: xxh3.New128(), files: map[int]fileSum{}}
}

// begin returns what a file is to be read through.
func (s *fileSums) begin(f sourceFile, r io.Reader) io.Reader {
	if s == nil || f.dump != s.dump {
		return r
	}
	s.hash.Reset()
	return io.TeeReader(r, s.hash)
}

// end notes the digest of the file that was begun last and is read to its end.
func (s *fileSums) end(f sourceFile, size int64) {
	if s != nil && f.dump == s.dump {
		s.files[f.index] = fileSum{size, s.hash.Sum128()}
	}
}

// content describes what the dump delivers, nil unless all of it was read.
func (s *fileSums) content(e *dump.Entry) *state.Content {
	if s == nil || len(s.files) == 0 || len(s.files) != len(e.Files) {
		return nil
	}
	sizes := make([]int64, len(e.Files))
	var sums []byte
	for i := range sizes {
		f := s.files[i]
		sizes[i] = f.size
		sums = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(sums, f.sum.Hi), f.sum.Lo)
	}
	sum := xxh3.Hash128(sums).Bytes()
	return &state.Content{Dump: s.dump, Shape: contentShape(e, sizes), Digest: sum[:]}
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
	if n := len(r.ids); n > 0 {
		g.sums = newFileSums(r.ids[n-1])
	}
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
	return g.sums.content(r.pending[i].entry)
}
