package commit

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/lake"
	"reconcile/sinks"
	"reconcile/state"
)

// A plan lists the sinks, whose folders are as many as the partitions, and hardly any
// changed since the plan before. Sinks that can tell by a fingerprint of a folder which
// did not need not look into those (see sinks.Fingerprinter). It is made when an apply that
// changed something ends, and is kept with the table.

// Content is a table, with what it consists of.
type Content struct {
	Table *state.Table
	Parts []*state.Partition
}

// RenewFingerprints takes new fingerprints of the folders of tables of which a sink has at
// least so many files, and keeps them. A sink that fails is left without: the apply is
// done.
func RenewFingerprints(ctx context.Context, l *state.Lock, k *lake.Lake, tables []Content, least int) error {
	var changed []*state.Table
	for _, t := range tables {
		if own := withFingerprints(ctx, k, t, least); !slices.Equal(own, t.Table.Sinks) {
			record := *t.Table
			record.Sinks = own
			changed = append(changed, &record)
		}
	}
	if len(changed) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, t := range changed {
			errs = append(errs, tx.PutTable(t))
		}
		return errors.Join(errs...)
	})
}

// withFingerprints returns where sinks hold a table, with new fingerprints.
func withFingerprints(ctx context.Context, k *lake.Lake, t Content, least int) []state.SinkTable {
	out := slices.Clone(t.Table.Sinks)
	for i := range out {
		s := &out[i]
		m, ok := k.Sink(s.Root).(sinks.Fingerprinter)
		if !ok || k.Unusable(s.Root) != nil {
			continue
		}
		s.Fingerprint = ""
		if paths := pathsIn(i, t.Parts); len(paths) >= least {
			if got, err := m.Fingerprint(ctx, s.Folder, paths); err == nil {
				s.Fingerprint = got
			}
		}
	}
	return out
}

// pathsIn lists the files of a table in one of its sinks.
func pathsIn(sink int, parts []*state.Partition) []string {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				out = append(out, f.Path)
			}
		}
	}
	return out
}
