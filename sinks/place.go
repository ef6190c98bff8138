package sinks

import "cmp"

// Place is a file of a sink, or a folder, in the sink at a root.
type Place struct{ Root, Path string }

// Compare orders places by root and path.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Root, q.Root), cmp.Compare(p.Path, q.Path))
}
