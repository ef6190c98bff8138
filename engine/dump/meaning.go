package dump

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"reconcile/internal/feed"
)

// unite returns one entry a table, sorted by name: what a manifest lists twice
// is concatenated in its order.
func unite(entries []*Entry) []*Entry {
	byName := func(a, b *Entry) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(entries, byName) {
		slices.SortStableFunc(entries, byName)
	}
	united := entries[:0]
	for _, e := range entries {
		if n := len(united); n > 0 && united[n-1].Name == e.Name {
			united[n-1].append(e)
			continue
		}
		united = append(united, e)
	}
	clear(entries[len(united):])
	return united
}

// append adds a further entry of the same table. Its columns are then the union
// of those that are listed at all.
func (e *Entry) append(f *Entry) {
	if e.Incremental != f.Incremental && e.Name != feed.TableMapping {
		e.hold("the manifest lists it twice, as incremental and as not incremental")
	}
	if f.Problem != "" {
		e.hold("%s", f.Problem)
	}
	e.Files = append(e.Files, f.Files...)
	e.HasColumns = e.HasColumns || f.HasColumns
	for _, c := range f.Columns {
		if !slices.Contains(e.Columns, c) {
			e.Columns = append(e.Columns, c)
		}
	}
}

// digest returns the digest of the entry's meaning. The spelling of addresses
// is not part of it: where a file lies is.
func (e *Entry) digest(buf []byte) (hexDigest string, scratch []byte) {
	buf = appendText(buf[:0], "manifest entry 1")
	buf = appendText(buf, e.Name)
	buf = append(buf, flag(e.Incremental), flag(e.HasColumns))
	buf = binary.AppendUvarint(buf, uint64(len(e.Columns)))
	for _, c := range e.Columns {
		buf = appendText(buf, c)
	}
	buf = binary.AppendUvarint(buf, uint64(len(e.Files)))
	for _, f := range e.Files {
		buf = appendText(buf, f.Key)
	}
	buf = appendText(buf, e.Problem)
	return hexSum(buf), buf
}

// digest returns the digest of what the dump means, without its id: of all its
// entries, in whatever order they stand. Where its property definitions lie is
// not part of it: they change no row.
func (d *Dump) digest(buf []byte) string {
	buf = appendText(buf[:0], "manifest 1")
	for _, e := range d.Entries {
		buf = appendText(buf, e.Digest)
	}
	return hexSum(buf)
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
