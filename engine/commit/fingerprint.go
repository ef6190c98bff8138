package commit

import (
	"context"
	"errors"

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
		if renewFingerprints(ctx, k, t, least) {
			changed = append(changed, t.Table)
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

// renewFingerprints gives a table new fingerprints, and reports whether they are other
// ones.
func renewFingerprints(ctx context.Context, k *lake.Lake, t Content, least int) bool {
	changed := false
	for i := range t.Table.Sinks {
		s := &t.Table.Sinks[i]
		m, ok := k.Sink(s.Root).(sinks.Fingerprinter)
		if !ok || k.Unusable(s.Root) != nil {
			continue
		}
		fingerprint := ""
		if paths := pathsIn(i, t.Parts); len(paths) >= least {
			if got, err := m.Fingerprint(ctx, s.Folder, paths); err == nil {
				fingerprint = got
			}
		}
		changed = changed || fingerprint != s.Fingerprint
		s.Fingerprint = fingerprint
	}
	return changed
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
