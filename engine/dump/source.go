package dump

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/errclass"
	"reconcile/internal/textlist"
)

// folder is where the manifests lie.
const folder = "manifests"

// Options narrows a source. The zero Options takes every manifest.
type Options struct {
	// Manifests is a glob over the names in manifests/, "*.json" if empty. As in
	// a shell, names that begin with a dot need a glob that does.
	Manifests string
	// Bucket is the only one that manifests may name; empty for any.
	Bucket string
	// Prefix is the folder of the export where it was made, which the keys in manifests
	// begin with.
	Prefix string
	// Literal says that the store has no folders, so that keys with empty names are
	// names of their own.
	Literal bool
	// Retry says how reads are tried again; the zero Retry is the default.
	Retry blob.Retry
	// Dated says that pins do not surely tell whether a manifest is the same, but
	// together with the time of its last change do, if that is Settle ago.
	Dated  bool
	Settle time.Duration
	// Manifest is how many bytes a manifest may have, and how many are read side by side;
	// 0 stands for MostManifest.
	Manifest int64
	// Temp makes a file without a name for the lists of files that do not fit in memory;
	// without it all are there.
	Temp func() (*os.File, error)
}

// Source is an export as a store holds it. Its methods can be used by several
// goroutines at once. Reads are retried with back-off. Errors of a source that cannot be
// read are of the class SourceUnavailable.
type Source struct {
	store blob.Store
	glob  string
	at    addresses
	lists columnLists

	dated  bool
	settle time.Duration

	temp     func() (*os.File, error) // for lists of files; nil if all are in memory
	manifest int64                    // bytes that one may have
	reading  *semaphore.Weighted      // bytes of manifests that are read side by side
}

// Open returns the source in a store. It reads nothing.
func Open(store blob.Store, o Options) *Source {
	if o.Manifests == "" {
		o.Manifests = "*.json"
	}
	if o.Manifest == 0 {
		o.Manifest = MostManifest
	}
	return &Source{store: blob.WithRetries(store, o.Retry), glob: o.Manifests, at: addresses{bucket: o.Bucket, prefix: o.Prefix, literal: o.Literal},
		dated: o.Dated, settle: o.Settle, temp: o.Temp, manifest: o.Manifest, reading: semaphore.NewWeighted(o.Manifest)}
}

// Root identifies the source, as messages name it.
func (s *Source) Root() string { return s.store.Root() }

// listsPart is the part of what a manifest may have that the lists of files of all of them
// take in memory.
const listsPart = 8

// Lists is how many bytes the lists of files of all manifests take in memory. What is
// beyond is in a file.
func (s *Source) Lists() int { return int(s.manifest / listsPart) }

// Listing is all that the manifests of a source say at one time.
type Listing struct {
	Dumps    []*Dump   // the usable ones, by id
	Problems []Problem // the held ones, by the key of their first manifest
	Notices  []string
	// Fresh is how much of what Known keeps was not known before.
	Fresh int
	// Texts is where the lists of files are.
	Texts *textlist.Store

	kept []candidate
	at   addresses
}

// Dump is one delivery.
type Dump struct {
	ID       int64
	Manifest string // key
	// Digest is the lower-case hex SHA-256 of the meaning of the manifest, its id
	// aside: the entries of all tables.
	Digest     string
	Entries    []*Entry // one a table, by name
	Properties string   // key of the property definitions, empty if none
	Object     blob.Object
}

// Entry returns what the dump says of a table, nil if it does not list it.
func (d *Dump) Entry(table string) *Entry {
	i, ok := slices.BinarySearchFunc(d.Entries, table, func(e *Entry, t string) int { return strings.Compare(e.Name, t) })
	if !ok {
		return nil
	}
	return d.Entries[i]
}

// Dump returns the usable dump of that id, or nil.
func (l *Listing) Dump(id int64) *Dump {
	i, ok := slices.BinarySearchFunc(l.Dumps, id, func(d *Dump, id int64) int { return compareIDs(d.ID, id) })
	if !ok {
		return nil
	}
	return l.Dumps[i]
}

// Problem is a dump that is held, and why. Nothing of it may be applied.
type Problem struct {
	Manifests []string // keys, sorted; several when they contradict each other
	Dump      int64    // meaningful with HasDump
	HasDump   bool
	Reason    string
	Hint      string    // what to do
	Changed   time.Time // when the last of the manifests changed
}

// String returns the problem as a sentence that names the manifests.
func (p Problem) String() string {
	var b strings.Builder
	if p.HasDump {
		fmt.Fprintf(&b, "dump %d is held: ", p.Dump)
	}
	fmt.Fprintf(&b, "%s: %s; %s", strings.Join(p.Manifests, " and "), p.Reason, p.Hint)
	return b.String()
}

// List reads all manifests. A source without a folder for them is an error, an
// empty folder a notice, a manifest that cannot be used a problem. A source that
// is Unavailable is an error, and so is one that denies all manifests.
func (s *Source) List(ctx context.Context) (*Listing, error) { return s.ListKnown(ctx, nil) }

// readsAtOnce hides the latency of a store behind a network.
const readsAtOnce = 16

// ListKnown is List, where manifests that Known kept, and that are the same still,
// are not read again.
func (s *Source) ListKnown(ctx context.Context, known io.Reader) (*Listing, error) {
	settled := time.Now().Add(-s.settle).UnixNano()
	objects, changed, all, err := s.manifests(ctx)
	if err != nil {
		return nil, err
	}
	l := &Listing{at: s.at, Texts: textlist.New(s.Lists(), s.temp)}
	byKey, err := readKnown(known, s.at, l.Texts)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		l.Notices = append(l.Notices, fmt.Sprintf("there is no dump: of %s in %s none matches %s",
			amount.Of(all, "file"), s.place(""), s.glob))
	}
	found, fresh := make([]candidate, len(objects)), make([]bool, len(objects))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, o := range objects {
		validator := s.validatorOf(o, changed, settled)
		if c, ok := byKey[o.Key]; ok && validator != "" && c.validator == validator {
			c.dump.Object = o
			found[i] = c
			continue
		}
		fresh[i] = true
		g.Go(func() (err error) {
			found[i], err = s.read(gctx, l.Texts, o.Key)
			certain := false
			if err == nil && found[i].reason == "" {
				found[i].prefix, certain, err = misplaced(gctx, s, s.Root(), found[i].lead)
			}
			if certain && found[i].dump.Object.Pin == o.Pin {
				found[i].validator = validator
			}
			if found[i].dump.Object.ModTime.IsZero() { // it could not be opened
				found[i].dump.Object.ModTime = o.ModTime
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	if err := deniedAll(found); err != nil {
		return nil, fmt.Errorf("no manifest in %s may be read: %w", s.place(""), err)
	}
	if err := judgePrefixes(found); err != nil {
		return nil, err
	}
	for i, c := range found {
		if c.reason == "" && c.validator != "" {
			l.kept = append(l.kept, c)
			l.Fresh += int(flag(fresh[i]))
		}
	}
	l.judge(found)
	return l, nil
}

// deniedAll returns why none of the manifests may be read, nil if that is not so.
// One that was read once is proof enough that the source can be.
func deniedAll(found []candidate) error {
	var first error
	for _, c := range found {
		switch {
		case c.refused == nil:
			return nil
		case first == nil && errors.Is(c.refused, fs.ErrPermission):
			first = c.refused
		}
	}
	return first
}

// place names a manifest, or their folder, for messages.
func (s *Source) place(name string) string { return s.Root() + "/" + path.Join(folder, name) }

// manifests lists the manifests, with the times of their last changes if the
// store has them, and says how many files their folder holds in all.
func (s *Source) manifests(ctx context.Context) (objects []blob.Object, changed map[string]int64, all int, err error) {
	if _, err := path.Match(s.glob, ""); err != nil || strings.Contains(s.glob, "/") {
		return nil, nil, 0, fmt.Errorf("manifests = %q is not a glob over the names in %s/", s.glob, folder)
	}
	list, changed, err := blob.ListDated(ctx, s.store, folder)
	if errors.Is(err, fs.ErrNotExist) {
		hint := ""
		if path.Base(s.Root()) == folder {
			hint = "; the source is the folder above it"
		}
		return nil, nil, 0, fmt.Errorf("%s is not a source: it has no folder %s (looked for %s)%s: %w",
			s.Root(), folder, s.place(s.glob), hint, fs.ErrNotExist)
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("list the manifests: %w", s.class(err))
	}
	for _, o := range list {
		name := o.Key[len(folder)+1:]
		if strings.Contains(name, "/") {
			continue
		}
		all++
		hidden := name[0] == '.' && s.glob[0] != '.'
		if ok, _ := path.Match(s.glob, name); ok && !hidden {
			objects = append(objects, o)
		}
	}
	return objects, changed, all, nil
}

// Stat returns what is known of a file of the source without reading it.
func (s *Source) Stat(ctx context.Context, key string) (blob.Object, error) {
	o, err := s.store.Stat(ctx, key)
	return o, s.class(err)
}

// Sizes returns the sizes of files, -1 of those of which it does not know better than
// Stat does.
func (s *Source) Sizes(ctx context.Context, keys []string) ([]int64, error) {
	sizes, err := blob.Sizes(ctx, s.store, keys)
	return sizes, s.class(err)
}

// ListFolder returns all files below a folder of the source.
func (s *Source) ListFolder(ctx context.Context, folder string) ([]blob.Object, error) {
	list, err := s.store.List(ctx, folder)
	return list, s.class(err)
}

// Open opens a file of the source. The handle's Object tells which content it
// reads; reading fails rather than going on in another.
func (s *Source) Open(ctx context.Context, key string) (blob.Handle, error) {
	h, err := s.store.Open(ctx, key)
	if err != nil {
		return nil, s.class(err)
	}
	return handle{h, s}, nil
}

// readAll reads a whole file of at most max bytes.
func (s *Source) readAll(ctx context.Context, key string, max int64) ([]byte, blob.Object, error) {
	h, err := s.Open(ctx, key)
	if err != nil {
		return nil, blob.Object{}, err
	}
	defer h.Close()
	data, err := blob.ReadWhole(h, max)
	return data, h.Object(), err
}

// class gives an error of the store its class, where it says nothing of the object that
// was asked for.
func (s *Source) class(err error) error {
	if !unavailable(err) || errclass.Of(err) == errclass.Cancelled {
		return err
	}
	return &errclass.Error{Class: errclass.SourceUnavailable, About: s.Root(), Err: err}
}

// handle reads a file of the source.
type handle struct {
	blob.Handle
	s *Source
}

// ReadAt implements io.ReaderAt.
func (h handle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.Handle.ReadAt(p, off)
	return n, h.s.class(err)
}
