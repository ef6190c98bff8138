package exectest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reconcile/engine/exec"
	"reconcile/internal/parquet"
	"reconcile/sinks"
)

// checkDone checks that the staged files are there, and that rows add up.
func (w *watch) checkDone(t *exec.Task, d *exec.Done) {
	for _, p := range d.Partitions {
		rows := make([]int64, len(t.Sinks))
		for _, f := range p.Files {
			rows[f.Sink] += f.Rows
			if f.Staged == "" {
				continue
			}
			if err := checkStaged(t, f); err != nil {
				w.t.Errorf("table %s: %v", t.Table, err)
			}
		}
		for i, n := range rows {
			if n != p.Rows {
				w.t.Errorf("table %s: sink %d has %d rows of partition %d, which has %d", t.Table, i, n, p.Ordinal, p.Rows)
			}
		}
	}
	if n := rowsAfter(t, d); d.Strategy != exec.Metadata && n != d.Counts.Rows {
		w.t.Errorf("table %s: its partitions have %d rows, and the counts say %d", t.Table, n, d.Counts.Rows)
	}
}

// rowsAfter is how many rows the partitions have of which a table consists afterwards.
func rowsAfter(t *exec.Task, d *exec.Done) int64 {
	n := int64(0)
	replaced := slices.Clone(d.Removed)
	for _, p := range d.Partitions {
		n += p.Rows
		replaced = append(replaced, p.Ordinal)
	}
	if t.Stored == nil || d.All {
		return n
	}
	for _, p := range t.Stored.Partitions {
		if !slices.Contains(replaced, p.Ordinal) {
			n += p.Rows
		}
	}
	return n
}

// checkStaged compares a staged file with what a result says of it.
func checkStaged(t *exec.Task, f exec.File) (err error) {
	if !strings.Contains(f.Staged, t.Attempt) {
		return fmt.Errorf("%s is not staged in the attempt's folder", f.Staged)
	}
	file, err := os.Open(filepath.Join(t.Sinks[f.Sink].Root, filepath.FromSlash(f.Staged)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sinks.NewDigestLike(f.Digest)
	n, err := io.Copy(sum, file)
	if err == nil && (n != f.Size || sinks.DigestText(sum) != f.Digest) {
		err = fmt.Errorf("%s has other content than the result says", f.Staged)
	}
	if err != nil {
		return err
	}
	return checkGroups(file, f)
}

// checkGroups compares the row groups of a file with those of a result.
func checkGroups(r io.ReaderAt, f exec.File) error {
	file, err := parquet.Open(r, f.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Staged, err)
	}
	if file.RowGroups() != len(f.Groups) {
		return fmt.Errorf("%s has %d row groups, and the result says where %d are", f.Staged, file.RowGroups(), len(f.Groups))
	}
	for i, at := range f.Groups {
		if at < 0 || at >= f.Size || i > 0 && at <= f.Groups[i-1] {
			return fmt.Errorf("%s has %d bytes, and row groups at %d", f.Staged, f.Size, f.Groups)
		}
	}
	return nil
}

// checkObjects checks that new objects are where a result says, and are what it says: those
// that lie elsewhere in the task's place for them. Those that a plan keeps are thrown away.
func (w *watch) checkObjects(ctx context.Context, t *exec.Task, env *exec.Env, d *exec.Done) {
	planned := len(t.Sinks) > 0 && strings.HasPrefix(t.Sinks[0].Root, filepath.Join(w.dir, "scratch"))
	for _, o := range d.Objects {
		if planned && o.Bytes == nil && o.Location == "" {
			continue
		}
		if o.Location != "" && filepath.Dir(o.Location) != t.Objects {
			w.t.Errorf("table %s: object %s is at %s, which is not in %s", t.Table, o.Ref.Digest, o.Location, t.Objects)
		}
		if err := checkObject(ctx, env, o); err != nil {
			w.t.Errorf("table %s: object %s: %v", t.Table, o.Ref.Digest, err)
		}
	}
}

func checkObject(ctx context.Context, env *exec.Env, o *exec.Object) error {
	sum := sha256.New()
	var from io.Reader = bytes.NewReader(o.Bytes)
	switch {
	case o.Bytes != nil:
	case o.Location != "":
		f, err := os.Open(o.Location)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		from = f
	default:
		obj, err := env.Objects.Open(ctx, o.Ref)
		if err != nil {
			return err
		}
		return errors.Join(obj.Verify(ctx), obj.Close())
	}
	n, err := io.Copy(sum, from)
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && (n != o.Ref.Size || got != o.Ref.Digest) {
		err = fmt.Errorf("it has %d bytes of the digest %s", n, got)
	}
	return err
}
