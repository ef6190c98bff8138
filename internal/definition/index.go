package definition

import (
	"slices"

	"reconcile/internal/feed"
)

// nameIndex finds what a table says of names. It holds places and names alone, so that
// copies of the table share it.
type nameIndex struct {
	renaming map[string][]int // blocks with As, by label
	renamed  map[string]int   // how many labels of Renamed have a key
	newNames map[string]bool  // that blocks give, folded

	// Blocks without As: those of keys and timestamps by their label, the others by what
	// is the same for all spellings of it.
	exact, byKey, byFold map[string][]int

	listedKeys, listedFolds map[string]bool // of Columns
}

// Prepare makes look-ups of names fast in a table that is made or decoded. Nobody else may
// use the table meanwhile.
func (t *Table) Prepare() {
	t.names = newNameIndex(t)
	for i := range t.Masks {
		t.Masks[i].Prepare()
	}
}

// Prepared returns the table, or a copy of it, with fast look-ups of names.
func (t *Table) Prepared() *Table {
	if t.names != nil {
		return t
	}
	out := *t
	out.Masks = slices.Clone(t.Masks)
	out.Prepare()
	return &out
}

func (t *Table) index() *nameIndex {
	if t.names != nil {
		return t.names
	}
	return newNameIndex(t)
}

func newNameIndex(t *Table) *nameIndex {
	x := &nameIndex{renaming: map[string][]int{}, renamed: map[string]int{}, newNames: map[string]bool{},
		exact: map[string][]int{}, byKey: map[string][]int{}, byFold: map[string][]int{},
		listedKeys: map[string]bool{}, listedFolds: map[string]bool{}}
	for i := range t.Blocks {
		switch b := &t.Blocks[i]; {
		case b.As != "":
			x.renaming[b.Name] = append(x.renaming[b.Name], i)
			x.newNames[feed.Fold(b.As)] = true
		case feed.IsExact(b.Name):
			x.exact[b.Name] = append(x.exact[b.Name], i)
		default:
			key, fold := feed.Key(b.Name), feed.Fold(b.Name)
			x.byKey[key], x.byFold[fold] = append(x.byKey[key], i), append(x.byFold[fold], i)
		}
	}
	for _, label := range t.Renamed {
		x.renamed[feed.Key(label)]++
	}
	for _, name := range t.Columns {
		x.listedKeys[feed.Key(name)] = true
		if !feed.IsExact(name) {
			x.listedFolds[feed.Fold(name)] = true
		}
	}
	return x
}
