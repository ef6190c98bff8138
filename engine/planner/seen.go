package planner

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"reconcile/engine/dump"
	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

// statsAtOnce hides the latency of a source behind a network.
const statsAtOnce = 16

// PartFile is a part file that a manifest lists, as a plan saw it.
type PartFile struct {
	Key  string
	Size int64
	Pin  string

	seen bool
	err  error // why nothing is known of it
}

// seenFiles is what a plan found out about the part files that it looked at. It is kept as
// the lists of files are: a dump can have very many.
type seenFiles struct {
	texts  *textlist.Store
	mu     sync.Mutex
	facts  map[*dump.Entry]textlist.List // of each file of an entry, in their order
	listed map[string]bool               // the folders of dumps
	errs   []error                       // that facts are about
	// byKey has some of the files, so that one which several manifests list is asked for
	// once.
	byKey map[string]PartFile
}

const (
	// filesAtOnce is how many files are looked at together, from whichever manifests.
	filesAtOnce = 4 << 10
	// filesListed is of how many files the folders are listed side by side.
	filesListed = 16 << 10
	// filesByKey is how many files are known by their keys.
	filesByKey = 16 << 10
)

// What a fact begins with. An empty one says that the file was not looked at.
const (
	factThere   = 's' // its size and its pin follow
	factMissing = 'm'
	factFailed  = 'e' // the index of the error follows
)

// fileOf is the file that a fact is about.
func fileOf(key, fact string, errs []error) PartFile {
	f := PartFile{Key: key, seen: fact != ""}
	switch {
	case !f.seen:
	case fact[0] == factMissing:
		f.err = fs.ErrNotExist
	default:
		n, size := binary.Uvarint([]byte(fact[1:min(len(fact), 1+binary.MaxVarintLen64)]))
		if fact[0] == factFailed {
			f.err = errs[n]
			break
		}
		f.Size, f.Pin = int64(n), fact[1+size:]
	}
	return f
}

// of iterates over the files of an entry, in the order of its manifest.
func (s *seenFiles) of(e *dump.Entry) iter.Seq2[PartFile, error] {
	return func(yield func(PartFile, error) bool) {
		s.mu.Lock()
		facts, errs := s.facts[e], s.errs
		s.mu.Unlock()
		next := facts.Cursor()
		for key, err := range e.Files.All() {
			fact := ""
			if err == nil && facts.Len() > 0 {
				fact, err = next.Next()
			}
			if err != nil {
				yield(PartFile{}, err)
				return
			}
			if !yield(fileOf(key, fact, errs), nil) {
				return
			}
		}
	}
}

// anyUnseen reports whether some of the files of an entry were not seen yet.
func (s *seenFiles) anyUnseen(e *dump.Entry) (bool, error) {
	s.mu.Lock()
	facts := s.facts[e]
	s.mu.Unlock()
	if facts.Len() == 0 {
		return e.Files.Len() > 0, nil
	}
	for fact, err := range facts.All() {
		if err != nil || fact == "" {
			return true, err
		}
	}
	return false, nil
}

// factWriter notes what is found out of files: of all those of an entry, in their order,
// and then of those of another one.
type factWriter struct {
	s      *seenFiles
	w      *textlist.Writer
	e      *dump.Entry
	failed int // where its error is among errs, -1 without
}

func (s *seenFiles) newWriter() *factWriter { return &factWriter{s: s, w: s.texts.NewWriter()} }

// add notes a file of an entry.
func (w *factWriter) add(e *dump.Entry, f PartFile) error {
	if e != w.e {
		if err := w.end(); err != nil {
			return err
		}
		w.e, w.failed = e, -1
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.w.Add(w.fact(f))
	if f.seen && len(w.s.byKey) < filesByKey {
		w.s.byKey[f.Key] = f
	}
	return nil
}

// end ends the files of the last entry.
func (w *factWriter) end() error {
	if w.e == nil {
		return nil
	}
	facts, err := w.w.List()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.facts[w.e], w.e = facts, nil
	return err
}

// fact describes a file that was looked at. Of an entry the first error stands for all: it is
// the one that is told.
func (w *factWriter) fact(f PartFile) string {
	switch {
	case !f.seen:
		return ""
	case f.err == nil:
		return string(binary.AppendUvarint([]byte{factThere}, uint64(f.Size))) + f.Pin
	case errors.Is(f.err, fs.ErrNotExist):
		return string(rune(factMissing))
	}
	if w.failed < 0 {
		w.failed, w.s.errs = len(w.s.errs), append(w.s.errs, f.err)
	}
	return string(binary.AppendUvarint([]byte{factFailed}, uint64(w.failed)))
}

// FilesOf iterates over the files of an entry, in the order of its manifest, and says what
// was found out about them.
func FilesOf(p *Session, e *dump.Entry) iter.Seq2[PartFile, error] { return p.probed().of(e) }

// probed returns what was looked at so far.
func (p *Session) probed() *seenFiles {
	if p.Seen == nil {
		p.Seen = &seenFiles{texts: p.Listing.Texts, facts: map[*dump.Entry]textlist.List{}, listed: map[string]bool{}, byKey: map[string]PartFile{}}
	}
	return p.Seen
}

// probeFiles finds out about the files of deliveries. On S3 the folder of a dump is
// listed, at the price of one request for all its tables; what a listing does
// not show is asked for by itself, as files may come later than their manifest.
func probeFiles(ctx context.Context, p *Session, list []Delivery) error {
	if p.tagged() {
		if err := listDumps(ctx, p, list); err != nil {
			return err
		}
	}
	return statFiles(ctx, p, list)
}

// statFiles asks for the files of deliveries that were not seen yet.
func statFiles(ctx context.Context, p *Session, list []Delivery) error {
	s := p.probed()
	w := s.newWriter()
	var files []PartFile
	var of []*dump.Entry
	ask := func() error {
		if err := askAll(ctx, p, files); err != nil {
			return err
		}
		for i, f := range files {
			if err := w.add(of[i], f); err != nil {
				return err
			}
		}
		files, of = files[:0], of[:0]
		return nil
	}
	for _, d := range list {
		if unseen, err := s.anyUnseen(d.Entry); err != nil || !unseen {
			if err != nil {
				return err
			}
			continue
		}
		for f, err := range s.of(d.Entry) {
			if err != nil {
				return err
			}
			files, of = append(files, f), append(of, d.Entry)
			if len(files) < filesAtOnce {
				continue
			}
			if err := ask(); err != nil {
				return err
			}
		}
	}
	return errors.Join(ask(), w.end())
}

// askAll asks for files that were not seen yet, each once.
func askAll(ctx context.Context, p *Session, files []PartFile) error {
	s := p.probed()
	var mu sync.Mutex
	asked := map[string]*PartFile{}
	var again []*PartFile // that are in asked
	g := errgroup.Group{}
	g.SetLimit(statsAtOnce)
	for i := range files {
		f := &files[i]
		if f.seen {
			continue
		}
		if known, ok := s.byKey[f.Key]; ok {
			*f = known
			continue
		}
		if asked[f.Key] != nil {
			again = append(again, f)
			continue
		}
		asked[f.Key] = f
		g.Go(func() error {
			o, err := p.Source.Stat(ctx, f.Key)
			mu.Lock()
			defer mu.Unlock()
			f.seen, f.Size, f.Pin, f.err = true, o.Size, o.Pin, err
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range again {
		*f = *asked[f.Key]
	}
	return nil
}

// listDumps lists the folders of dumps that were not listed before, several side by side
// as long as they do not have too many files.
func listDumps(ctx context.Context, p *Session, list []Delivery) error {
	s := p.probed()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(statsAtOnce)
	room := semaphore.NewWeighted(filesListed)
	for _, d := range list {
		folder := fmt.Sprintf("sync_%d", d.Dump)
		if s.listed[folder] {
			continue
		}
		in, err := liesIn(d.Entry, folder)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if !in {
			continue
		}
		s.listed[folder] = true
		entries := entriesOf(p, d)
		size := int64(0)
		for _, e := range entries {
			size += int64(e.Files.Len())
		}
		if size = min(size, filesListed); room.Acquire(gctx, size) != nil {
			break // Wait says why
		}
		g.Go(func() error {
			defer room.Release(size)
			objects, err := p.Source.ListFolder(gctx, folder)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("list the files of dump %d: %w", d.Dump, err)
			}
			return s.noteObjects(entries, objects)
		})
	}
	return g.Wait()
}

// entriesOf are all entries of the dump of a delivery.
func entriesOf(p *Session, d Delivery) []*dump.Entry {
	if of := p.Listing.Dump(d.Dump); of != nil && of.Entry(d.Entry.Name) == d.Entry {
		return of.Entries
	}
	return []*dump.Entry{d.Entry}
}

// noteObjects keeps of the files of entries what a listing says of them.
func (s *seenFiles) noteObjects(entries []*dump.Entry, objects []blob.Object) error {
	at := make(map[string]int, len(objects))
	for i, o := range objects {
		at[o.Key] = i
	}
	w := s.newWriter()
	for _, e := range entries {
		if unseen, err := s.anyUnseen(e); err != nil || !unseen {
			if err != nil {
				return err
			}
			continue
		}
		for f, err := range s.of(e) {
			if err != nil {
				return err
			}
			if i, ok := at[f.Key]; ok {
				f = PartFile{Key: f.Key, seen: true, Size: objects[i].Size, Pin: objects[i].Pin}
			}
			if err := w.add(e, f); err != nil {
				return err
			}
		}
	}
	return w.end()
}

// liesIn reports whether a file of an entry lies in a folder.
func liesIn(e *dump.Entry, folder string) (bool, error) {
	for key, err := range e.Files.All() {
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(key, folder+"/") {
			return true, nil
		}
	}
	return false, nil
}
