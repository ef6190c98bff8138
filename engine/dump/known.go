package dump

import (
	"encoding/binary"
	"errors"
	"strconv"
	"unsafe"

	"github.com/klauspost/compress/s2"

	"reconcile/internal/blob"
)

// Manifests stay for ever, and most were read before. What they said, and what files had to
// tell in their place, can be kept, in a form that is quicker to read than they are,
// together with what they are told by as long as they are the same: on S3 their ETags, in
// folders also the time of their last change, which nobody can set.

// knownVersion begins what is kept: another one where a program reads manifests otherwise.
const knownVersion = "known manifests 5"

// Known returns what ListKnown takes: all usable manifests that can be told again.
func (l *Listing) Known() []byte {
	w := &knownWriter{lists: map[string]uint64{}}
	for _, c := range l.kept {
		w.candidate(c)
	}
	head := appendText(nil, knownVersion)
	head = appendText(head, l.at.String())
	head = binary.AppendUvarint(head, uint64(len(w.texts)))
	for _, t := range w.texts {
		head = append(head, t...)
	}
	head = binary.AppendUvarint(head, uint64(len(l.kept)))
	return s2.Encode(nil, append(head, w.b...))
}

// String tells apart what changes the meaning of a manifest.
func (a addresses) String() string { return a.bucket + "\x00" + a.prefix }

// knownWriter encodes candidates. Lists of columns stand once each in front.
type knownWriter struct {
	b     []byte
	lists map[string]uint64
	texts []string // encoded lists
}

func (w *knownWriter) text(s string) { w.b = appendText(w.b, s) }
func (w *knownWriter) count(n int)   { w.b = binary.AppendUvarint(w.b, uint64(n)) }

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
	w.b = binary.AppendUvarint(w.b, w.list(e.Columns))
	w.b = binary.AppendUvarint(w.b, w.list(e.Fields))
	w.text(e.Digest)
	w.text(e.Problem)
	w.count(len(e.Files))
	for _, f := range e.Files {
		w.text(f.Key)
	}
}

func (w *knownWriter) list(columns []string) uint64 {
	b := binary.AppendUvarint(nil, uint64(len(columns)))
	for _, c := range columns {
		b = appendText(b, c)
	}
	n, ok := w.lists[string(b)]
	if !ok {
		n = uint64(len(w.texts))
		w.lists[string(b)] = n
		w.texts = append(w.texts, string(b))
	}
	return n
}

// readKnown returns what is kept, by the keys of the manifests; nothing of another
// version or for other addresses, as that is no longer what they say.
func readKnown(data []byte, at addresses) (map[string]candidate, error) {
	if len(data) == 0 {
		return nil, nil
	}
	plain, err := s2.Decode(nil, data)
	if err != nil {
		return nil, nil // of a program before this form
	}
	r := &knownReader{s: unsafe.String(unsafe.SliceData(plain), len(plain))}
	if r.text() != knownVersion || r.text() != at.String() {
		return nil, nil
	}
	r.lists = make([][]string, r.count())
	for i := range r.lists {
		r.lists[i] = r.texts()
	}
	n := r.count()
	known := make(map[string]candidate, n)
	for range n {
		c := r.candidate()
		known[c.dump.Manifest] = c
	}
	if r.bad || r.s != "" {
		return nil, errors.New("they are damaged")
	}
	return known, nil
}

// knownReader decodes. What it returns are slices of s; after anything wrong, it
// is empty.
type knownReader struct {
	s     string
	bad   bool
	lists [][]string
	files []File // room for those of many entries
}

func (r *knownReader) fail() { r.s, r.bad = "", true }

func (r *knownReader) number() uint64 {
	n := uint64(0)
	for shift := 0; shift < 64 && len(r.s) > 0; shift += 7 {
		c := r.s[0]
		r.s = r.s[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

// count reads a number of things, each of which takes a byte at least.
func (r *knownReader) count() int {
	n := r.number()
	if n > uint64(len(r.s)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *knownReader) text() string {
	n := r.count()
	t := r.s[:n]
	r.s = r.s[n:]
	return t
}

func (r *knownReader) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

func (r *knownReader) flag() bool {
	if r.s == "" {
		r.fail()
		return false
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c != 0
}

func (r *knownReader) candidate() candidate {
	c := candidate{dump: &Dump{Manifest: r.text()}, hasID: true}
	c.validator = r.text()
	id := r.number()
	c.dump.ID = int64(id>>1) ^ -int64(id&1)
	c.dump.Digest, c.dump.Properties = r.text(), r.text()
	c.notices = r.texts()
	n := r.count()
	entries := make([]Entry, n)
	c.dump.Entries = make([]*Entry, n)
	for i := range entries {
		r.entry(&entries[i])
		c.dump.Entries[i] = &entries[i]
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
			r.fail()
		}
	}
	e.Digest, e.Problem = r.text(), r.text()
	if n := r.count(); n > 0 {
		e.Files = r.room(n)
	}
	for i := range e.Files {
		e.Files[i].Key = r.text()
	}
}

func (r *knownReader) room(n int) []File {
	if n > cap(r.files)-len(r.files) {
		r.files = make([]File, 0, max(n, 256))
	}
	at := len(r.files)
	r.files = r.files[:at+n]
	return r.files[at : at+n : at+n]
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
