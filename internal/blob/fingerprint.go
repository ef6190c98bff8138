package blob

import (
	"context"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
)

// Fingerprinter is what a Store can do beyond its interface: tell that no name came or
// went below a prefix since it was listed, without listing all of it again.
type Fingerprinter interface {
	// Fingerprint lists what is below a prefix, which should be the keys and nothing
	// else, and returns what ListSince needs; empty if that would not help.
	Fingerprint(ctx context.Context, prefix string, keys []string) (string, error)
	// ListSince is List, given a fingerprint and, with their pins, the files that it was
	// made with. Where no name came or went since, it looks at these only. whole says
	// that this was so everywhere: a new fingerprint would not be better. If all have their
	// pins as well, there is no list.
	ListSince(ctx context.Context, prefix, fingerprint string, files []Pinned) (list []Object, whole bool, err error)
}

// Pinned is a file by its key, as it was known once.
type Pinned struct{ Key, Pin string }

// Fingerprint makes a fingerprint of a store that can, an empty one of any other.
func Fingerprint(ctx context.Context, s Store, prefix string, keys []string) (string, error) {
	if m, ok := s.(Fingerprinter); ok {
		return m.Fingerprint(ctx, prefix, keys)
	}
	return "", nil
}

// ListSince lists with a fingerprint where there is one.
func ListSince(ctx context.Context, s Store, prefix, fingerprint string, files []Pinned) (list []Object, whole bool, err error) {
	if m, ok := s.(Fingerprinter); ok && fingerprint != "" {
		return m.ListSince(ctx, prefix, fingerprint, files)
	}
	list, err = s.List(ctx, prefix)
	return list, false, err
}

// DefaultSettle is how long ago something must have changed before its times tell
// it from what it will be: file systems give them to the second at the least.
const DefaultSettle = 2 * time.Second

// fineSettle is enough where they give them to less than a second, by a clock that
// ticks a hundred times in one, if what has passed is told by the same clock.
const fineSettle = 50 * time.Millisecond

// Fingerprint is how a folder's names are known to be the same. It names folders whose
// times cannot tell, which ListSince therefore lists: those that changed a moment
// ago, those with anything in them that is none of the keys. Where file systems do
// not keep such times reliably, or it is not known, there is no fingerprint.
func (l *Local) Fingerprint(ctx context.Context, prefix string, keys []string) (fingerprint string, err error) {
	if err = CheckPrefix(prefix); err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			fingerprint, err = fingerprintFolders(ctx, root, prefix, sortedBy(keys, strings.Compare), l.Settle)
			return err
		})
	}
	return fingerprint, wrap(err, "list", l.dir, prefix)
}

// ListSince looks at the folders and at the files. If a folder is not as it was,
// everything is listed.
func (l *Local) ListSince(ctx context.Context, prefix, fingerprint string, files []Pinned) (list []Object, whole bool, err error) {
	if err = CheckPrefix(prefix); err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			list, whole, err = listSince(ctx, root, prefix, fingerprint, sortedBy(files, byKey))
			return explain(root, prefix, err)
		})
	}
	if err != nil {
		return nil, false, wrap(err, "list", l.dir, prefix)
	}
	sortByKey(list)
	return list, whole, nil
}

// foldersOf returns the folders that sorted keys below a prefix lie in, with those
// above them up to the prefix.
func foldersOf(prefix string, keys []string) []string {
	out, last := append(make([]string, 0, len(keys)+1), prefix), prefix
	for _, k := range keys {
		out = slices.AppendSeq(out, newFolders(prefix, last, k))
		last = k
	}
	return out
}

// newFolders gives the folders that a key lies in, up to the prefix, and the last
// one of sorted keys before it does not.
func newFolders(prefix, last, key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for d := Dir(key); len(d) > len(prefix) && !Under(last, d) && yield(d); d = Dir(d) {
		}
	}
}

func byKey(a, b Pinned) int { return strings.Compare(a.Key, b.Key) }

func sortedBy[T any](list []T, by func(a, b T) int) []T {
	if slices.IsSortedFunc(list, by) {
		return list
	}
	return slices.SortedFunc(slices.Values(list), by)
}

func sortByKey(list []Object) {
	byKey := func(a, b Object) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(list, byKey) {
		slices.SortFunc(list, byKey)
	}
}
