package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// bytesNow is what the table takes in its sinks or, when none is left, in what it
// is made from.
func (t *Table) bytesNow() int64 {
	n := int64(0)
	for _, p := range t.Parts {
		for _, f := range p.Files {
			n += f.Size
		}
	}
	switch {
	case n > 0 || t.Old == nil:
		return n
	case t.Kind == feed.KindUsers:
		return t.Old.Users.Size
	}
	return t.rereads
}

// What is spilled takes about so much of scratch_dir, by the bytes of the files
// that it comes from.
const (
	scratchOfAvro    = 1.2
	scratchOfParquet = 2
)

// scratchOf estimates what a pass takes in scratch_dir: nothing if its rows fit in
// memory. Stored rows are spilled where all rows are judged again, because whole
// says so or as the pending ones are too many for the delta path.
func scratchOf(b exec.Budget, stored, pending int64, whole bool) int64 {
	if !whole && b.Holds(pending) {
		return 0
	}
	if b.Holds(stored + pending) {
		return 0
	}
	return int64(scratchOfAvro*float64(pending) + scratchOfParquet*float64(stored))
}

// estimate fills in what an apply would write, without decoding rows.
func estimate(ctx context.Context, p *Session, t *Table) error {
	now := t.bytesNow()
	whole := t.Old == nil || t.Change.Class >= plan.ClassRewrite && !OnlySinks(t)
	copied := bytesToCopy(t)
	if t.BytesToWrite = copied; copied > 0 {
		t.Partitions = int64(len(t.Parts))
	}
	in, files, resync := liveBytes(t)
	come := files > 0 || t.Kind == feed.KindMapping // whose files are not those of the step
	if !come && len(t.rekeyed) == 0 && !whole && !resync {
		return nil // what is taken has nothing for the table
	}
	t.Scratch = scratchOf(p.Budget, now, in, whole || resync)
	size := publishedSize(t, in)
	switch {
	case t.Old == nil:
		t.BytesToWrite = size
	case resync && t.Kind != feed.KindMapping:
		t.Partitions, t.replaces, t.BytesToWrite = int64(len(t.Parts)), now, size
	case whole || t.Kind == feed.KindUsers:
		t.Partitions, t.replaces, t.BytesToWrite = int64(len(t.Parts)), now, now+size
	case len(t.Pending) > 0 || t.remap:
		old, n, err := toRewrite(ctx, p, t, come)
		if err != nil {
			return err
		}
		t.Partitions, t.replaces, t.BytesToWrite = max(t.Partitions, n), old, copied+old+size
	}
	return nil
}

// publishedSize estimates what the rows of part files take in the sinks: from what those of
// the table's last dumps came to, if that is known.
func publishedSize(t *Table, delivered int64) int64 {
	if t.Old == nil {
		return exec.PublishedOf(delivered) * int64(len(t.Definition.Sinks))
	}
	perByte := rowsPerDelivered(t)
	if perByte == 0 || t.Old.Rows == 0 {
		return exec.PublishedOf(delivered) * int64(len(t.Old.Sinks))
	}
	return int64(float64(delivered) * perByte * float64(t.bytesNow()) / float64(t.Old.Rows))
}

// rowsPerDelivered is how many rows a byte of the table's last dumps brought, 0 if that is
// not known.
func rowsPerDelivered(t *Table) float64 {
	var ids []int64
	size := int64(0)
	for _, d := range t.Old.Read {
		ids = append(ids, d.Dump)
		for _, f := range d.Files {
			size += f.Size
		}
	}
	log, err := t.Old.Commits()
	if err != nil || size == 0 {
		return 0
	}
	for _, c := range slices.Backward(log) {
		if slices.Equal(c.Dumps, ids) {
			return float64(c.Added+c.Replaced) / float64(size)
		}
	}
	return 0
}

// toRewrite estimates how many partitions the steps write, and of how many bytes these are
// now. Rows that come, if any do, go where those of the newest dump went, as a rule to the
// partitions of the last days. The rows of users that get another person are where the
// index says.
func toRewrite(ctx context.Context, p *Session, t *Table, come bool) (bytes, partitions int64, err error) {
	rekeyed, err := rekeyedParts(ctx, p, t)
	if err != nil {
		return 0, 0, err
	}
	newest := newestDump(t.Parts)
	for _, part := range t.Parts {
		takes := come && (part.Newest == nil || *part.Newest >= newest)
		if takes || rekeyed == nil || rekeyed[part.Ordinal] {
			partitions++
			bytes += sizeOf(part)
		}
	}
	if come || len(t.rekeyed) > maxProbed { // who was not asked for may have rows
		partitions = max(partitions, 1)
	}
	return bytes, partitions, nil
}

// newestDump is the greatest dump of which partitions have rows, 0 if none is known.
func newestDump(parts []*state.Partition) int64 {
	newest := int64(0)
	for _, part := range parts {
		if part.Newest != nil {
			newest = max(newest, *part.Newest)
		}
	}
	return newest
}

func sizeOf(part *state.Partition) int64 {
	n := int64(0)
	for _, f := range part.Files {
		n += f.Size
	}
	return n
}

// maxProbed is of how many users an estimate asks the index at most. Of more, every so
// manieth is asked.
const maxProbed = 10_000

// rekeyedParts returns the ordinals of the partitions that have rows of users who get
// another person; nil if that is not known, as where the index is damaged, which the apply
// finds out.
func rekeyedParts(ctx context.Context, p *Session, t *Table) (map[uint32]bool, error) {
	out := map[uint32]bool{}
	if len(t.rekeyed) == 0 {
		return out, nil
	}
	users := t.rekeyed
	if every := (len(users) + maxProbed - 1) / maxProbed; every > 1 {
		users = nil
		for i := 0; i < len(t.rekeyed); i += every {
			users = append(users, t.rekeyed[i])
		}
	}
	for _, ref := range t.Old.Index {
		err := lookUp(ctx, p, ref, users, out)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, nil
		}
	}
	return out, nil
}

// lookUp adds to parts the partitions where a run of an index knows rows of users, which are
// sorted.
func lookUp(ctx context.Context, p *Session, ref state.Ref, users []int64, parts map[uint32]bool) (err error) {
	obj, err := p.Objects.OpenObject(ctx, ref)
	if err != nil {
		return fmt.Errorf("the index: %w", err)
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	run, err := index.Open(obj, obj.Size(), p.Budget.IndexFilters())
	if err != nil {
		return fmt.Errorf("the index: %w", obj.Damaged(err))
	}
	_, err = index.Visit(ctx, []*index.Run{run}, users, func(entries []index.Entry) error {
		for _, e := range entries {
			parts[e.Part] = true
		}
		return nil
	})
	return err
}
