package dump

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unsafe"

	"github.com/klauspost/compress/s2"

	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

// Manifests stay for ever, and most were read before. What they said, and what files had to
// tell in their place, can be kept, in a form that is quicker to read than they are,
// together with what they are told by as long as they are the same: on S3 their ETags, in
// folders also the time of their last change, which nobody can set.

// knownVersion begins what is kept: another one where a program reads manifests otherwise.
const knownVersion = "known manifests 6"

// knownBlock is how many bytes are compressed at once, and knownMagic begins what is.
const (
	knownBlock = 64 << 10
	knownMagic = "\xff\x06\x00\x00S2sTwO"
)

// WriteKnown writes what ListKnown takes: all usable manifests that can be told again.
func (l *Listing) WriteKnown(out io.Writer) error {
	z := s2.NewWriter(out, s2.WriterConcurrency(1), s2.WriterBlockSize(knownBlock))
	w := &knownWriter{out: z, lists: map[string]uint64{}}
	texts := w.internLists(l.kept)
	w.text(knownVersion)
	w.text(l.at.String())
	w.count(len(texts))
	for _, t := range texts {
		w.b = append(w.b, t...)
	}
	w.count(len(l.kept))
	for _, c := range l.kept {
		w.candidate(c)
	}
	w.flush()
	if err := errors.Join(w.err, z.Close()); err != nil {
		return fmt.Errorf("what the manifests say: %w", err)
	}
	return nil
}

// String tells apart what changes the meaning of a manifest.
func (a addresses) String() string { return a.bucket + "\x00" + a.prefix }

// knownWriter encodes candidates. Lists of columns stand once each in front. After an error
// it writes no more.
type knownWriter struct {
	out   io.Writer
	b     []byte
	err   error
	lists map[string]uint64
}

func (w *knownWriter) text(s string) { w.b = appendText(w.b, s) }
func (w *knownWriter) count(n int)   { w.b = binary.AppendUvarint(w.b, uint64(n)) }

func (w *knownWriter) flush() {
	if w.err == nil {
		_, w.err = w.out.Write(w.b)
	}
	w.b = w.b[:0]
}

// internLists returns the lists of columns, each once, encoded.
func (w *knownWriter) internLists(all []candidate) (texts []string) {
	for _, c := range all {
		for _, e := range c.dump.Entries {
			for _, columns := range [][]string{e.Columns, e.Fields} {
				b := encodeList(columns)
				if _, ok := w.lists[string(b)]; !ok {
					w.lists[string(b)] = uint64(len(texts))
					texts = append(texts, string(b))
				}
			}
		}
	}
	return texts
}

func encodeList(columns []string) []byte {
	b := binary.AppendUvarint(nil, uint64(len(columns)))
	for _, c := range columns {
		b = appendText(b, c)
	}
	return b
}

func (w *knownWriter) list(columns []string) {
	w.b = binary.AppendUvarint(w.b, w.lists[string(encodeList(columns))])
}

func (w *knownWriter) candidate(c candidate) {
	w.text(c.dump.Manifest)
	w.text(c.validator)
	w.b = binary.AppendVarint(w.b, c.dump.ID)
	w.text(c.dump.Digest)
	w.text(c.dump.Properties)
	w.count(len(c.notices))
	for _, n := range c.notices {
		w.text(n)
	}
	w.count(len(c.dump.Entries))
	for _, e := range c.dump.Entries {
		w.entry(e)
	}
}

func (w *knownWriter) entry(e *Entry) {
	w.text(e.Name)
	w.b = append(w.b, flag(e.Incremental), flag(e.HasColumns))
	w.list(e.Columns)
	w.list(e.Fields)
	w.text(e.Digest)
	w.text(e.Problem)
	w.count(e.Files.Len())
	w.count(int(e.Files.Size()))
	var err error
	if w.b, err = e.Files.Encoded(w.b); w.err == nil {
		w.err = err
	}
	if len(w.b) >= knownBlock {
		w.flush()
	}
}

// readKnown returns what is kept, by the keys of the manifests; nothing of another
// version or for other addresses, as that is no longer what they say. The lists of files
// are put into a store.
func readKnown(in io.Reader, at addresses, lists *textlist.Store) (map[string]candidate, error) {
	if in == nil {
		return nil, nil
	}
	packed := bufio.NewReader(in)
	if begin, err := packed.Peek(len(knownMagic)); err == io.EOF || err == nil && string(begin) != knownMagic {
		return nil, nil // nothing, or of a program before this form
	}
	r := &knownReader{in: bufio.NewReaderSize(s2.NewReader(packed, s2.ReaderMaxBlockSize(knownBlock)), 4<<10), files: lists}
	if r.text() != knownVersion || r.text() != at.String() {
		return nil, nil
	}
	for range r.count() {
		r.lists = append(r.lists, r.texts())
	}
	known := map[string]candidate{}
	for range r.count() {
		c := r.candidate()
		known[c.dump.Manifest] = c
	}
	if _, err := r.in.ReadByte(); r.err == nil && err != io.EOF {
		r.fail(errTooLong)
	}
	if r.err != nil {
		return nil, fmt.Errorf("they are damaged: %w", r.err)
	}
	return known, nil
}

var (
	errTooLong = errors.New("something follows their end")
	errNoList  = errors.New("a list of columns is not there")
)

// knownReader decodes. After anything wrong there is nothing more to read.
type knownReader struct {
	in    *bufio.Reader
	err   error
	lists [][]string
	files *textlist.Store
	room  []byte // for texts to come, of which many share one allocation
	list  bytes.Buffer
}

func (r *knownReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.in.Reset(bytes.NewReader(nil))
}

func (r *knownReader) number() uint64 {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		r.fail(err)
		return 0
	}
	return n
}

// count iterates over so many things as the number to be read says, as long as nothing is
// wrong.
func (r *knownReader) count() func(yield func(int) bool) {
	n := r.number()
	return func(yield func(int) bool) {
		for i := 0; uint64(i) < n && r.err == nil && yield(i); i++ {
		}
	}
}

// textsAtOnce is how many bytes of texts are allocated together.
const textsAtOnce = 16 << 10

func (r *knownReader) text() string {
	n := r.number()
	if n > textsAtOnce/4 {
		return string(r.bytes(n))
	}
	if n > uint64(len(r.room)) {
		r.room = make([]byte, textsAtOnce)
	}
	b := r.room[:n]
	if _, err := io.ReadFull(r.in, b); err != nil {
		r.fail(err)
		return ""
	}
	r.room = r.room[n:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// bytes reads so many bytes, which hold until the next ones are read.
func (r *knownReader) bytes(n uint64) []byte {
	r.list.Reset()
	if got, err := io.CopyN(&r.list, r.in, int64(min(n, 1<<62))); err != nil || uint64(got) != n {
		r.fail(io.ErrUnexpectedEOF)
		return nil
	}
	return r.list.Bytes()
}

func (r *knownReader) texts() (out []string) {
	for range r.count() {
		out = append(out, r.text())
	}
	return out
}

func (r *knownReader) flag() bool {
	c, err := r.in.ReadByte()
	if err != nil {
		r.fail(err)
	}
	return c != 0
}

func (r *knownReader) candidate() candidate {
	c := candidate{dump: &Dump{Manifest: r.text()}, hasID: true}
	c.validator = r.text()
	id := r.number()
	c.dump.ID = int64(id>>1) ^ -int64(id&1)
	c.dump.Digest, c.dump.Properties = r.text(), r.text()
	c.notices = r.texts()
	for range r.count() {
		e := &Entry{}
		r.entry(e)
		c.dump.Entries = append(c.dump.Entries, e)
	}
	return c
}

func (r *knownReader) entry(e *Entry) {
	e.Name = r.text()
	e.Incremental, e.HasColumns = r.flag(), r.flag()
	for _, to := range []*[]string{&e.Columns, &e.Fields} {
		if i := r.number(); i < uint64(len(r.lists)) {
			*to = r.lists[i]
		} else {
			r.fail(errNoList)
		}
	}
	e.Digest, e.Problem = r.text(), r.text()
	n := r.number()
	var err error
	if e.Files, err = r.files.Restore(int(n), r.bytes(r.number())); err != nil {
		r.fail(err)
	}
}

// validatorOf is what a manifest is told by as long as it is the same, empty if there is
// nothing that surely tells: in a folder, what changed a moment ago may change
// again at the same time.
func (s *Source) validatorOf(o blob.Object, changed map[string]int64, settled int64) string {
	if !s.dated {
		return o.Pin
	}
	c, ok := changed[o.Key]
	if !ok || c >= settled {
		return ""
	}
	return o.Pin + "-" + strconv.FormatInt(c, 10)
}
