package exec

import (
	"context"
	"io"

	"reconcile/engine/identity"
	"reconcile/engine/rules"
	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// Executor carries out tasks. Any number of them may run side by side.
//
// Execute returns when all that the result names is durable. Its errors are of the classes
// that sinks, source and objects gave them (package errclass); others end the run. Then,
// and when ctx ends, what was staged is left for the caller to remove. It ends
// within a second of ctx.
type Executor interface {
	Execute(ctx context.Context, t *Task, env *Env) (*Result, error)
}

// Env is what a task must not hold: how to reach the places that it names, and what it
// may use. All of it can be used by several goroutines at once, and by several tasks.
type Env struct {
	Source   Source
	Sinks    map[string]Sink // by root: those of the task
	Objects  Objects
	Mappings Mappings
	// Key returns the key of a mask by its verifier.
	Key func(verifier string) []byte
	// Compute are the functions of computed columns.
	Compute rules.Computations
	Limits  Limits
	Events  Events
}

// Source opens part files.
type Source interface {
	// Open opens a file by its key. The caller closes it.
	Open(ctx context.Context, key string) (blob.Handle, error)
}

// Sink is the part of sinks.Sink that an executor uses.
type Sink interface {
	Stage(ctx context.Context, attempt, name string, spec sinks.FileSpec) (sinks.Writer, error)
	Open(ctx context.Context, path, pin string, columns []column.Column) (sinks.Reader, error)
}

// Objects is where the bulky content of tables beside their files is kept.
type Objects interface {
	// Open opens an object for reading. The caller closes it.
	Open(ctx context.Context, ref Ref) (OpenObject, error)
	// Create begins an object. ctx is that of what is written before Close.
	Create(ctx context.Context) ObjectWriter
}

// OpenObject is the content of an object. Several goroutines may read it.
type OpenObject interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Verify reads all of it, and fails with a damaged object's error if its digest is
	// another.
	Verify(ctx context.Context) error
	// Damaged returns err as the error of a damaged object.
	Damaged(err error) error
}

// ObjectWriter takes the bytes of a new object. It is for one goroutine, and ends with
// Close or Abort.
type ObjectWriter interface {
	io.Writer
	// Close ends the object. After an error the writer is gone, as after Abort.
	Close(ctx context.Context) (*Object, error)
	// Abort gives the object up. After Close it does nothing.
	Abort() error
}

// Mappings gives the user mappings that tasks name. Tables share what it returns.
type Mappings interface {
	// Mapping returns a mapping; the zero Ref is the empty one.
	Mapping(ctx context.Context, ref Ref) (*identity.Mapping, error)
	// Closure returns the closure of a mapping, nil for the zero Ref. It is the same for
	// the same Ref.
	Closure(ctx context.Context, ref Ref) (*identity.Closure, error)
}
