package dump

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"reconcile/internal/amount"
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
	for i := 0; i < len(entries); {
		n := 1
		for i+n < len(entries) && entries[i+n].Name == entries[i].Name {
			n++
		}
		united = append(united, join(entries[i:i+n]))
		i += n
	}
	clear(entries[len(united):])
	return united
}

// join returns what all entries of a table say together. Its columns are then the union
// of those that are listed at all.
func join(list []*Entry) *Entry {
	e := list[0]
	if len(list) == 1 {
		return e
	}
	unknown := slices.ContainsFunc(list, func(f *Entry) bool { return f.Problem != "" && !f.HasColumns })
	columns := make(map[string]bool, len(e.Columns))
	for _, c := range e.Columns {
		columns[c] = true
	}
	for _, f := range list[1:] {
		if e.Incremental != f.Incremental && e.Name != feed.TableMapping {
			e.hold("the manifest lists it twice, as incremental and as not incremental")
		}
		if f.Problem != "" {
			e.hold("%s", f.Problem)
		}
		e.listed = append(e.listed, f.listed...)
		e.HasColumns = e.HasColumns || f.HasColumns
		for _, c := range f.Columns {
			if !columns[c] {
				columns[c] = true
				e.Columns = append(e.Columns, c)
			}
		}
	}
	if len(e.listed) > MostFiles {
		e.hold("the manifest lists %s files for it, and at most %s are read", amount.Number(len(e.listed)), amount.Number(MostFiles))
	}
	if unknown {
		e.Columns, e.HasColumns = nil, false
	} else if len(e.Columns) > feed.MostColumns {
		e.holdColumns(len(e.Columns))
	}
	return e
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
	buf = binary.AppendUvarint(buf, uint64(len(e.listed)))
	sum := sha256.New()
	for _, key := range e.listed {
		if len(buf) >= digestAtOnce {
			sum.Write(buf)
			buf = buf[:0]
		}
		buf = appendText(buf, key)
	}
	sum.Write(appendText(buf, e.Problem))
	return hexOf(sum.Sum(nil)), buf
}

// digestAtOnce is about how many bytes are added to a digest at once.
const digestAtOnce = 32 << 10

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hexOf(sum[:])
}

func hexOf(sum []byte) string {
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum)
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
