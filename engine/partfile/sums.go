package partfile

import (
	"encoding/binary"
	"io"

	"github.com/zeebo/xxh3"

	"reconcile/engine/exec"
	"reconcile/internal/blob"
)

// Sums takes digests of part files while they are read, of 128 bits. They detect
// accidental change, not tampering.
type Sums struct {
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

// NewSums returns what takes digests of files; tagged says that the pins of the source
// are ETags.
func NewSums(tagged bool) *Sums {
	return &Sums{tagged: tagged, hash: xxh3.New128(), files: map[filePlace]fileSum{}}
}

// Begin returns what a file is to be read through.
func (s *Sums) Begin(r io.Reader) io.Reader {
	if s == nil {
		return r
	}
	s.hash.Reset()
	return io.TeeReader(r, s.hash)
}

// End notes the digest of the file that was begun last and is read to its end: which one
// in the manifest of a dump, and what it was.
func (s *Sums) End(dump int64, index int, o blob.Object) {
	if s == nil {
		return
	}
	s.files[filePlace{dump, index}] = fileSum{o.Size, tagOf(o, s.tagged), s.hash.Sum128()}
}

// Content describes a delivery, nil unless all of it was read.
func (s *Sums) Content(d *exec.Delivery) *exec.Content {
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
	return &exec.Content{Dump: d.Dump, Fingerprint: ContentFingerprint(d.Columns, d.HasColumns, sizes), Digest: sum[:]}
}

// ContentFingerprint is the part of a content that can be told without reading: the
// columns, which decide what becomes of the fields, in their order, which decides
// between spellings, and the sizes of the files.
func ContentFingerprint(columns []string, has bool, sizes []int64) uint64 {
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

// ReadOf is what was read of a dump with a number of files, nil unless all of it was.
func (s *Sums) ReadOf(dump int64, files int) *exec.Read {
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

// tagOf is what a file is recorded by besides its size: its ETag, where there is
// one. Times and inodes change with every copy.
func tagOf(o blob.Object, tagged bool) string {
	if !tagged {
		return ""
	}
	return o.Pin
}
