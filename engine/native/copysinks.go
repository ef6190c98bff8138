package native

import (
	"context"
	"errors"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// copySinks gives sinks that the table gets the files of one that has them. The files of
// sinks that stay are left as they are, and those of others go.
func copySinks(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	r.Env.Events.Expect(exec.Writing, workOfCopying(r))
	c := r.NewOutcome(exec.Copied)
	c.Parts = make([]*write.Part, len(r.OldParts))
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(r.Env.Limits.Budget.Workers())
	for i, old := range r.OldParts {
		eg.Go(func() (err error) {
			c.Parts[i], err = copyPart(egctx, r, old)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	c.Counts.Rows = r.Old.Rows
	for _, p := range c.Parts {
		written := int64(0)
		for _, f := range p.Record.Files {
			if f.Staged != "" {
				written += f.Size
			}
		}
		if written > 0 {
			c.Counts.Partitions++
			c.Counts.Written += written
		}
	}
	return c, nil
}

// copyPart is copySinks for one partition.
func copyPart(ctx context.Context, r *pass.Run, old *exec.Partition) (*write.Part, error) {
	p := &write.Part{Record: *old}
	p.Record.Files = nil
	folder := ""
	if r.Task.Kind == feed.KindEvents {
		folder = rules.PartitionFolder(r.Attempt.Schema.Partition.Unit, write.PartValue(old))
	}
	for _, f := range old.Files {
		if at := slices.IndexFunc(r.Task.Sinks, func(t exec.Target) bool { return t.Root == r.Old.Sinks[f.Sink] }); at >= 0 {
			stays := f
			stays.Sink = at
			p.Record.Files = append(p.Record.Files, stays)
		}
		if f.Sink != r.Old.ReadFrom {
			continue
		}
		for i, target := range r.Task.Sinks {
			if !isNew(r, target) {
				continue
			}
			final := path.Join(folder, filename.Of(filename.Number(f.Path), 0))
			if err := copyFile(ctx, r, f, i, final, p); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// isNew reports whether a sink is one that the table gets.
func isNew(r *pass.Run, t exec.Target) bool { return !slices.Contains(r.Old.Sinks, t.Root) }

// workOfCopying is how much work it is to give the new sinks their files.
func workOfCopying(r *pass.Run) (work int64) {
	n := int64(0)
	for _, t := range r.Task.Sinks {
		if isNew(r, t) {
			n++
		}
	}
	for _, p := range r.OldParts {
		for _, f := range p.Files {
			if f.Sink == r.Old.ReadFrom {
				work += n * workOfFile(r, f)
			}
		}
	}
	return work
}

// workOfFile is that of copying a file.
func workOfFile(r *pass.Run, f exec.File) int64 {
	e := exec.Extent{Bytes: f.Size, Rows: f.Rows, Columns: len(r.Old.Columns)}
	return exec.WorkOfCopying(e.AsStored())
}

// copyFile stages a file in another sink.
func copyFile(ctx context.Context, r *pass.Run, f exec.File, sink int, final string, p *write.Part) (err error) {
	from, err := r.OpenData(ctx, f, r.Attempt.Schema.FileColumns())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	copied := r.Env.Events.Stretch(exec.Writing, f.Rows, workOfFile(r, f))
	defer copied.End()
	return r.Attempt.CopyFile(ctx, from, f, sink, final, p, copied)
}
