package partfile

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"reconcile/engine/exec"
	"reconcile/internal/blob"
)

// Sums takes digests of part files while they are read, of 128 bits. They detect
// accidental change, not tampering.
type Sums struct {
	tagged bool // the pins of the source are ETags, which tell the content
	hash   *xxh3.Hasher128
	dumps  map[int64][]exec.ReadFile // as they stand in the manifests; without Sum it was not read
	room   []byte                    // for digests to come, of which many share one allocation
}

// sumSize is how many bytes a digest has.
const sumSize = 16

// NewSums returns what takes digests of files; tagged says that the pins of the source
// are ETags.
func NewSums(tagged bool) *Sums {
	return &Sums{tagged: tagged, hash: xxh3.New128(), dumps: map[int64][]exec.ReadFile{}}
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
	files := s.dumps[dump]
	files = slices.Grow(files, max(index+1-len(files), 0))[:max(index+1, len(files))]
	if len(s.room) == 0 {
		s.room = make([]byte, sumSize<<8)
	}
	sum := s.hash.Sum128().Bytes()
	files[index] = exec.ReadFile{Size: o.Size, Tag: tagOf(o, s.tagged), Sum: append(s.room[:0:sumSize], sum[:]...)}
	s.room = s.room[sumSize:]
	s.dumps[dump] = files
}

// of returns the files of a dump that lists so many, nil unless all of them were read.
func (s *Sums) of(dump int64, files int) []exec.ReadFile {
	if s == nil || files == 0 || len(s.dumps[dump]) < files {
		return nil
	}
	out := s.dumps[dump][:files]
	if slices.ContainsFunc(out, func(f exec.ReadFile) bool { return f.Sum == nil }) {
		return nil
	}
	return out
}

// Content describes a delivery, nil unless all of it was read.
func (s *Sums) Content(d *exec.Delivery) *exec.Content {
	files := s.of(d.Dump, d.Files.Len())
	if files == nil {
		return nil
	}
	sizes := make([]int64, len(files))
	var sums []byte
	for i, f := range files {
		sizes[i] = f.Size
		for half := range slices.Chunk(f.Sum, sumSize/2) {
			sums = binary.LittleEndian.AppendUint64(sums, binary.BigEndian.Uint64(half))
		}
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
	of := s.of(dump, files)
	if of == nil {
		return nil
	}
	return &exec.Read{Dump: dump, Files: of}
}

// tagOf is what a file is recorded by besides its size: its ETag, where there is
// one. Times and inodes change with every copy.
func tagOf(o blob.Object, tagged bool) string {
	if !tagged {
		return ""
	}
	return o.Pin
}
