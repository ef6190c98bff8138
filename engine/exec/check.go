package exec

import (
	"errors"
	"fmt"
	"slices"
)

// Check fails if the result is not of a task, or of another attempt at it, or if it is
// none that a task can have.
func (r *Result) Check(t *Task) error {
	digest, err := t.Digest()
	if err != nil {
		return err
	}
	if r.Task != digest || r.Attempt != t.Attempt {
		return fmt.Errorf("table %s: the executor returned the result of another task: of %s in %s, asked for was %s in %s", t.Table, r.Task, r.Attempt, digest, t.Attempt)
	}
	err = r.checkOutcome()
	if err == nil && r.Done != nil {
		err = r.Done.check(t)
	}
	if err != nil {
		return fmt.Errorf("table %s: the executor returned a result that cannot be: %w", t.Table, err)
	}
	return nil
}

// checkOutcome fails unless the result has what belongs to its outcome, and nothing else.
func (r *Result) checkOutcome() error {
	want := []Outcome{r.Outcome}
	switch r.Outcome {
	case OutcomeDone, OutcomeHeld, OutcomeAgain:
	case OutcomeNothing:
		want = nil
	default:
		return fmt.Errorf("its outcome is %q", r.Outcome)
	}
	if has := r.outcomes(); !slices.Equal(has, want) {
		return fmt.Errorf("its outcome is %q, and it has what belongs to %q", r.Outcome, has)
	}
	if r.Again != nil && len(r.Again.Columns) == 0 {
		return errors.New("it does not say what the task lacks")
	}
	return nil
}

// outcomes lists the outcomes of which the result has what belongs to them.
func (r *Result) outcomes() []Outcome {
	var out []Outcome
	if r.Done != nil {
		out = append(out, OutcomeDone)
	}
	if r.Held != nil {
		out = append(out, OutcomeHeld)
	}
	if r.Again != nil {
		out = append(out, OutcomeAgain)
	}
	return out
}

// check fails if what is done cannot be of a task.
func (d *Done) check(t *Task) error {
	if d.Strategy == "" {
		return errors.New("it does not say which strategy was taken")
	}
	for i := range d.Partitions {
		for _, f := range d.Partitions[i].Files {
			if f.Sink < 0 || f.Sink >= len(t.Sinks) {
				return fmt.Errorf("file %s is of sink %d, and there are %d", f.Path, f.Sink, len(t.Sinks))
			}
			if !ascend(f.Groups, f.Size) {
				return fmt.Errorf("file %s has %d bytes, and row groups at %d", f.Path, f.Size, f.Groups)
			}
		}
	}
	return nil
}

// ascend reports whether offsets are in order, each below the end.
func ascend(offsets []int64, end int64) bool {
	for i, at := range offsets {
		if at < 0 || at >= end || i > 0 && at <= offsets[i-1] {
			return false
		}
	}
	return true
}
