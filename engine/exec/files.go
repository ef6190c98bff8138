package exec

import (
	"encoding/binary"
	"errors"
	"hash"
	"iter"

	"reconcile/internal/textlist"
)

// SourceFile is a part file of a delivery.
type SourceFile struct {
	Key  string `cbor:"1,keyasint"` // in the source
	Size int64  `cbor:"2,keyasint,omitempty"`
	// Pin is that of the file as the plan saw it, empty for any.
	Pin string `cbor:"3,keyasint,omitempty"`
}

// Files are the part files of a delivery, which nobody changes. There can be very many: they
// are compact. The zero Files are none.
type Files struct {
	list  textlist.List // of each file the size, the number of bytes of the pin, the pin and the key
	bytes int64
}

// FilesWriter makes Files.
type FilesWriter struct {
	w     *textlist.Writer
	bytes int64
	buf   []byte
}

// NewFiles begins Files that are in a store.
func NewFiles(store *textlist.Store) *FilesWriter { return &FilesWriter{w: store.NewWriter()} }

// Add appends a file.
func (w *FilesWriter) Add(f SourceFile) {
	w.buf = binary.AppendVarint(w.buf[:0], f.Size)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(f.Pin)))
	w.buf = append(append(w.buf, f.Pin...), f.Key...)
	w.w.Add(string(w.buf))
	w.bytes += f.Size
}

// Files ends them.
func (w *FilesWriter) Files() (Files, error) {
	list, err := w.w.List()
	return Files{list, w.bytes}, err
}

// Len is how many files there are.
func (f Files) Len() int { return f.list.Len() }

// Bytes is the size of all files.
func (f Files) Bytes() int64 { return f.bytes }

// All iterates over the files, in the order of the manifest; one that is listed twice is
// there twice. What comes with an error is the last.
func (f Files) All() iter.Seq2[SourceFile, error] {
	return func(yield func(SourceFile, error) bool) {
		for text, err := range f.list.All() {
			var file SourceFile
			if err == nil {
				file, err = fileIn(text)
			}
			if !yield(file, err) || err != nil {
				return
			}
		}
	}
}

// fileIn reads what Add wrote.
func fileIn(text string) (SourceFile, error) {
	begin := []byte(text[:min(len(text), 2*binary.MaxVarintLen64)])
	size, n := binary.Varint(begin)
	pin, m := binary.Uvarint(begin[max(n, 0):])
	if n <= 0 || m <= 0 || pin > uint64(len(text)-n-m) {
		return SourceFile{}, errors.New("a list of part files is damaged")
	}
	rest := text[n+m:]
	return SourceFile{Key: rest[pin:], Size: size, Pin: rest[:pin]}, nil
}

// sum adds the files to a digest.
func (f Files) sum(to hash.Hash) error {
	buf := binary.AppendUvarint(nil, uint64(f.Len()))
	for text, err := range f.list.All() {
		if err != nil {
			return err
		}
		buf = append(binary.AppendUvarint(buf, uint64(len(text))), text...)
		to.Write(buf)
		buf = buf[:0]
	}
	to.Write(buf)
	return nil
}

// MarshalCBOR writes them as an array of files.
func (f Files) MarshalCBOR() ([]byte, error) {
	out := make([]SourceFile, 0, f.Len())
	for file, err := range f.All() {
		if err != nil {
			return nil, err
		}
		out = append(out, file)
	}
	return encode(out)
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (f *Files) UnmarshalCBOR(b []byte) error {
	var list []SourceFile
	if err := decode(b, &list); err != nil {
		return err
	}
	w := NewFiles(textlist.New(0, nil))
	for _, file := range list {
		w.Add(file)
	}
	var err error
	*f, err = w.Files()
	return err
}
