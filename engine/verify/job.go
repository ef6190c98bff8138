package verify

import (
	"reconcile/engine/exec"
	"reconcile/engine/lake"
)

// job is one table that is verified, and what that takes.
type job struct {
	source *source
	lake   *lake.Lake
	piles  *piles
	sample Sample
	tell   exec.Events
	load   load
	a      *applied
	people *people
	out    *Table
}

// piled makes the piles of delivered rows and, by sink, of published ones.
func (j *job) piled() (delivered *pile, published []*pile) {
	n := len(j.a.record.Sinks)
	for range n {
		published = append(published, j.piles.pile(1+n))
	}
	return j.piles.pile(1 + n), published
}

// noteLost notes the part files that could not be read.
func (j *job) noteLost(files []*sourceFile) {
	for _, f := range files {
		if f.lost != "" {
			j.out.gone(f.dump, f.key, f.lost)
		}
	}
}

// judged begins to judge what was read, heap by heap.
func (j *job) judged() *exec.Stretch {
	return j.tell.Stretch(exec.Judging, heaps, j.load.workOfJudging())
}
