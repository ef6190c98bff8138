package state

import (
	"encoding/json"
	"fmt"
)

// HeldStep is a step of a table that checks held: while nothing of it changes it is not
// staged again.
type HeldStep struct {
	// Inputs is the digest of what was judged, Dump the newest dump of it.
	Inputs string `json:"inputs"`
	Dump   int64  `json:"dump"`
	// Dumps are all that the step took, by the digests of their manifests' entries: an
	// acceptance is of no others.
	Dumps map[int64]string `json:"dumps"`
	// Judged are the checks that judged something of the step, Failed those of them that
	// hold it, with how many rows failed, of how many.
	Judged []HeldCheck `json:"judged"`
	Failed []HeldCheck `json:"failed"`
}

// HeldCheck is what a check found of a step.
type HeldCheck struct {
	Name   string `json:"check"`
	Text   string `json:"text"`
	Judged int64  `json:"judged,omitempty"`
	Failed int64  `json:"failed,omitempty"`
}

const heldStepPrefix = "check/"

// PutHeldStep notes that checks hold the step of a table; nil takes that back.
func PutHeldStep(tx *Tx, table string, h *HeldStep) error {
	if h == nil {
		return tx.DeleteSetting(heldStepPrefix + table)
	}
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("the held step of table %s: %w", table, err)
	}
	return tx.PutSetting(heldStepPrefix+table, data)
}

// JudgedBy reports whether a check judged a step of a table, that is published or held, in
// the way in which it does now.
func (f *Facts) JudgedBy(t *Table, table, check, text string) bool {
	if t != nil {
		for _, c := range t.Checks {
			if c.Name == check && c.Text == text {
				return true
			}
		}
	}
	if h := f.HeldSteps[table]; h != nil {
		for _, c := range h.Judged {
			if c.Name == check && c.Text == text {
				return true
			}
		}
	}
	return false
}

// NoteDumpRows adds to what is known of the rows of dumps what a commit read. Of dumps that
// the table does not have, or that do not count any more, nothing is kept, and of the others
// the newest.
func (t *Table) NoteDumpRows(was []DumpRows, read []DumpRows, counts func(dump int64) bool) {
	known := map[int64]int64{}
	for _, list := range [][]DumpRows{was, read} {
		for _, d := range list {
			known[d.Dump] = d.Rows
		}
	}
	t.DumpRows = nil
	for _, a := range t.Applied {
		if n, ok := known[a.Dump]; ok && counts(a.Dump) {
			t.DumpRows = append(t.DumpRows, DumpRows{a.Dump, n})
		}
	}
	t.DumpRows = t.DumpRows[max(0, len(t.DumpRows)-mostDumpRows):]
}

// mostDumpRows is of how many dumps the rows are kept.
const mostDumpRows = 100
