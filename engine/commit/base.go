package commit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"reconcile/engine/exec"
	"reconcile/state"
)

// BaseError says that a result was computed from a table that is not the state's any
// more: it counts no longer.
type BaseError struct {
	Table     string
	From, Now exec.Base
}

func (e *BaseError) Error() string {
	return fmt.Sprintf("its new content was computed from commit %d, and the state has another one by now (commit %d): plan again", e.From.Commit, e.Now.Commit)
}

// BaseOf is what a task says that it is made from: a table as the state has it, nil of one
// that it does not have. What a sink may change without a commit counts for nothing, as
// the pins of files.
func BaseOf(t *state.Table, parts []*state.Partition) exec.Base {
	if t == nil {
		return exec.Base{}
	}
	return exec.Base{Commit: t.Commit, Record: digestOfRecord(t), Partitions: digestOfPartitions(parts)}
}

// digestOfRecord is the digest of what a record says of the content.
func digestOfRecord(t *state.Table) string {
	var d digester
	d.text(t.Name)
	d.text(t.Kind)
	d.text(t.Key)
	d.text(t.PartitionBy)
	d.number(int64(t.Generation), int64(t.NextOrdinal), t.Rows, int64(len(t.Applied)))
	for _, a := range t.Applied {
		d.number(a.Dump)
		d.text(a.Digest)
		d.flag(a.Incremental, a.Skipped, a.Lost, a.StoodIn)
	}
	d.flag(t.HasMapping)
	d.number(t.MappingDump)
	d.text(t.Mapping.Digest)
	d.text(t.Users.Digest)
	for _, refs := range [][]state.Ref{t.Index, t.UserRuns} {
		d.number(int64(len(refs)))
		for _, r := range refs {
			d.text(r.Digest)
		}
	}
	return d.sum()
}

// digestOfPartitions is the digest of which files and rows partitions have.
func digestOfPartitions(parts []*state.Partition) string {
	var d digester
	for _, p := range parts {
		d.number(int64(p.Ordinal), p.Value, p.Rows, int64(len(p.Files)))
		d.flag(p.Null)
		d.text(p.Shadow.Digest)
		for _, f := range p.Files {
			d.number(int64(f.Sink), f.Size, f.Rows)
			d.text(f.Path)
		}
	}
	return d.sum()
}

// digester collects values, each so that no others are taken for it.
type digester struct{ b []byte }

func (d *digester) number(ns ...int64) {
	for _, n := range ns {
		d.b = append(strconv.AppendInt(d.b, n, 10), ',')
	}
}

func (d *digester) text(s string) {
	d.number(int64(len(s)))
	d.b = append(d.b, s...)
}

func (d *digester) flag(fs ...bool) {
	for _, f := range fs {
		d.b = strconv.AppendBool(d.b, f)
	}
}

func (d *digester) sum() string {
	sum := sha256.Sum256(d.b)
	return hex.EncodeToString(sum[:])
}
