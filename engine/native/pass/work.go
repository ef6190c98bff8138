package pass

import (
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
)

// StoredBytes is the size of the data files of partitions, in the sink that is read.
func (r *Run) StoredBytes(parts ...*exec.Partition) int64 {
	n := int64(0)
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == r.Old.ReadFrom {
				n += f.Size
			}
		}
	}
	return n
}

// Stored is what partitions have in the sink that is read.
func (r *Run) Stored(parts ...*exec.Partition) exec.Extent {
	e := exec.Extent{Bytes: r.StoredBytes(parts...)}
	for _, p := range parts {
		e.Rows += p.Rows
	}
	if r.Old != nil {
		e.Columns = len(r.Old.Columns)
	}
	return e
}

// Delivered is what the part files have that were read into g, which has no other rows.
func (r *Run) Delivered(g *ingest.Ingest) exec.Extent {
	return exec.Extent{Bytes: r.DeliveredBytes(), Rows: g.Len(), Columns: len(g.Schema.Payload)}
}

// WorkOfWriting is about the work of writing rows that count as so many bytes of data files
// into every sink.
func (r *Run) WorkOfWriting(bytes int64) int64 {
	return exec.WorkOfWriting(bytes, len(r.Task.Sinks))
}

// WorkOfFiles is the work that each of so many files of a partition takes, in every sink,
// beside that of its rows.
func (r *Run) WorkOfFiles(files int) int64 {
	return exec.WorkOfFiles(files*len(r.Task.Sinks), len(r.Schema.FileColumns()))
}

// WorkOfSplicing is about the work of files of so many bytes of which most is copied, into
// every sink.
func (r *Run) WorkOfSplicing(stored int64) int64 {
	return exec.WorkOfSplicing(stored, len(r.Task.Sinks))
}
