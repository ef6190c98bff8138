// Package lake holds the sinks of one command by their roots, and what is known of each
// while the command runs: whether it can be reached, whether it is there at all, what its
// current.json says, and whether anything may still be staged in it.
//
// It promises that a sink that failed once is known to be down from then on, and that
// what is said of a sink is said of the place that the state means by its root. It never
// writes data, current.json or the state, and never decides what becomes of a table.
package lake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"reconcile/config"
	"reconcile/internal/blob"
	"reconcile/internal/errclass"
	"reconcile/internal/shell"
	"reconcile/sinks"
)

// Options say which sinks there are, and how they are reached.
type Options struct {
	// Declared is the sinks of the configuration.
	Declared *Declared
	// Home is where the state is. Messages name it.
	Home *Home
	// Store opens the place of a sink: a folder or, where c is not nil, one in a bucket.
	Store func(ctx context.Context, root string, c *config.S3) (blob.Store, error)
	// CreatedBy is the name and version of the program, for files.
	CreatedBy string
	// RowGroup is the number of rows of a row group; 0 for the sink's default.
	RowGroup int
	// Batch is about how many bytes of rows are read at once; 0 for whole row groups.
	Batch int
}

// Lake is the sinks of one command. One goroutine uses it at a time; the sinks that it
// gives are for several.
type Lake struct {
	o     Options
	sinks map[string]*known // by root
}

// known is a sink, with what is known of it.
type known struct {
	sink          sinks.Sink // nil until it is opened
	down          error      // it failed
	gone          error      // it is not there
	lost          bool       // it is said to be lost and is: it is rewritten
	stagedRemoved bool       // nothing was published to it since what was staged was removed
	lineage       string     // of the state that it was written from, as far as that was read
	written       *Head      // the current.json that this command wrote last; nil if none is known
}

// New returns the lake of a command. It opens nothing.
func New(o Options) *Lake { return &Lake{o: o, sinks: map[string]*known{}} }

// OpenDeclared opens the sinks of the configuration.
func (k *Lake) OpenDeclared(ctx context.Context) error {
	for _, s := range k.o.Declared.Sinks {
		if _, err := k.Open(ctx, s.Path); err != nil {
			return err
		}
	}
	return nil
}

// lookUp returns what is known of a root.
func (k *Lake) lookUp(root string) known {
	if s := k.sinks[root]; s != nil {
		return *s
	}
	return known{}
}

// entry is lookUp for a caller that adds to it.
func (k *Lake) entry(root string) *known {
	s := k.sinks[root]
	if s == nil {
		s = &known{}
		k.sinks[root] = s
	}
	return s
}

// Open returns the sink at a root, which the configuration or the state names.
func (k *Lake) Open(ctx context.Context, root string) (sinks.Sink, error) {
	s := k.entry(root)
	if s.sink != nil {
		return s.sink, nil
	}
	st, err := k.o.Store(ctx, root, k.o.Declared.S3Of(root))
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", root, err)
	}
	o := fileOptions{createdBy: k.o.CreatedBy, rowGroup: k.o.RowGroup, batch: k.o.Batch}
	kind := kindParquet // the state keeps no other
	if d := k.o.Declared.sink(root); d != nil {
		kind = d.Kind
	} else {
		o.advice = fmt.Sprintf("the configuration no longer has this sink: if it will never be back, %s lets it go", shell.Word("-forget-sink="+root))
	}
	s.sink, err = newSink(kind, st, o)
	return s.sink, err
}

// Sink returns the sink at a root, nil if it was not opened.
func (k *Lake) Sink(root string) sinks.Sink {
	return k.lookUp(root).sink
}

// Use makes a sink the one at a root.
func (k *Lake) Use(root string, sink sinks.Sink) { k.entry(root).sink = sink }

// Roots lists the sinks that are open, in their order.
func (k *Lake) Roots() []string {
	roots := slices.Sorted(maps.Keys(k.sinks))
	return slices.DeleteFunc(roots, func(root string) bool { return k.sinks[root].sink == nil })
}

// Down returns why a sink failed, nil if it did not.
func (k *Lake) Down(root string) error { return k.lookUp(root).down }

// Unusable returns why a sink cannot be used: it failed, or is not there. It is nil if
// it can.
func (k *Lake) Unusable(root string) error {
	s := k.lookUp(root)
	if s.down != nil {
		return s.down
	}
	return s.gone
}

// StopsTable reports whether an error concerns one table and what shares its sink, so
// that the rest can go on: a sink that fails, which is noted, or that somebody else
// changed under a commit, a folder that cannot be used, or a state that is older than the
// sink.
func (k *Lake) StopsTable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch errclass.Of(err) {
	case errclass.SinkUnavailable:
		down := errclass.Find(err)
		_, root := down.ErrorClass()
		k.entry(root).down = down
		return true
	case errclass.Changed, errclass.FolderUnusable, errclass.Distrusted:
		return true
	}
	return false
}

// LookAgain forgets which sinks failed, and what they were written from, for a plan that
// is made again.
func (k *Lake) LookAgain() {
	for _, s := range k.sinks {
		s.down, s.lineage, s.written = nil, "", nil
	}
}

// RemoveStaged removes what is staged in a sink, as sinks.Sink says, and notes that this is
// done.
func (k *Lake) RemoveStaged(ctx context.Context, root string, o sinks.StagedRemoval) error {
	s := k.entry(root)
	err := s.sink.RemoveStaged(ctx, o)
	if err == nil {
		s.stagedRemoved = true
	}
	return err
}

// StagedRemoved reports whether RemoveStaged was done for a sink and nothing was
// published to it since.
func (k *Lake) StagedRemoved(root string) bool { return k.lookUp(root).stagedRemoved }

// NotePublish notes that a sink is about to be published to.
func (k *Lake) NotePublish(root string) { k.entry(root).stagedRemoved = false }

// CanPublish fails if files cannot be moved to folders of a sink that is open.
func (k *Lake) CanPublish(ctx context.Context, root string, folders []string) error {
	m, ok := k.lookUp(root).sink.(sinks.Mover)
	if !ok {
		return nil
	}
	if err := m.CanPublish(ctx, folders); err != nil {
		return fmt.Errorf("sink %s: %w", root, err)
	}
	return nil
}
