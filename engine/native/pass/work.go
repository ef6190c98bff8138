package pass

import "reconcile/engine/exec"

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

// WorkOfWriting is about the work of writing rows that are so many bytes of data files, or
// of part files, into every sink.
func (r *Run) WorkOfWriting(stored, delivered int64) int64 {
	return exec.WorkOfWriting(stored+exec.PublishedOf(delivered), len(r.Task.Sinks))
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
