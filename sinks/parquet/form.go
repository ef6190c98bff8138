package parquet

import (
	"cmp"
	"context"
	"fmt"

	"reconcile/internal/blob"
	"reconcile/internal/definition"
	pq "reconcile/internal/parquet"
	"reconcile/sinks"
)

// Describe returns the form in which files of a table are staged. What the configuration
// leaves open is as the table has it, of a new one zstd and plain encodings.
func (s *sink) Describe(ctx context.Context, t sinks.TableSpec) (sinks.Form, error) {
	var stored sinks.Form
	if t.Stored != nil {
		stored = *t.Stored
	}
	f := sinks.Form{Folder: t.Folder, Compression: cmp.Or(t.Compression, stored.Compression, "zstd"),
		Encodings: cmp.Or(t.Encodings, stored.Encodings, definition.Plain)}
	if err := checkForm(f); err != nil {
		return sinks.Form{}, fmt.Errorf("files of a table in %s: %w", s.place(t.Folder), err)
	}
	return f, ctx.Err()
}

// checkForm refuses a form that this sink cannot write.
func checkForm(f sinks.Form) error {
	if err := blob.CheckKey(f.Folder); err != nil {
		return err
	}
	if blob.Under(f.Folder, private) {
		return fmt.Errorf("the folder %s is not one of a table", private)
	}
	if f.Encodings != definition.Plain && f.Encodings != definition.Compact {
		return fmt.Errorf("unknown encodings %q; known are %s, %s", f.Encodings, definition.Plain, definition.Compact)
	}
	return pq.CheckCompression(f.Compression)
}
