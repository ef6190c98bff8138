package lake

import (
	"cmp"
	"context"

	"reconcile/internal/definition"
	"reconcile/sinks"
	"reconcile/state"
)

// Describe has a sink describe the form of a table's files, as the configuration asks for
// it in s. folder is the table's by the configuration, old what the state has of the table;
// nil for a new one.
func (k *Lake) Describe(ctx context.Context, s definition.Sink, folder string, old *state.Table) (sinks.Form, error) {
	sk, err := k.Open(ctx, s.Path)
	if err != nil {
		return sinks.Form{}, err
	}
	spec := sinks.TableSpec{Folder: folder, Compression: s.Compression, Encodings: s.Encodings}
	if old != nil && len(old.Sinks) > 0 {
		stored := FormOf(old.Sinks[max(old.SinkAt(s.Path), 0)])
		spec.Stored = &stored
	}
	return sk.Describe(ctx, spec)
}

// FormOf is the form of the files that a table has in a sink. Versions that knew no choice
// of encodings wrote compact ones.
func FormOf(s state.SinkTable) sinks.Form {
	return sinks.Form{Folder: s.Folder, Compression: s.Compression, Encodings: cmp.Or(s.Encodings, definition.Compact)}
}
