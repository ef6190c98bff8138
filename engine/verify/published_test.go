package verify

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"reconcile/engine/exec"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// brokenSink opens no file.
type brokenSink struct{ sinks.Sink }

func (brokenSink) Open(context.Context, string, string, []column.Column) (sinks.Reader, error) {
	return nil, errors.New("it is damaged")
}

// What is wrong with a file is told once, however many goroutines meet it.
func TestFaultOfShares(t *testing.T) {
	files := []*dataFile{{File: state.File{Path: "a", Size: 100 * sinks.LeastShare}}, {File: state.File{Path: "b", Size: 1}}}
	out := &Sink{}
	j := &job{load: load{published: make([]volume, 1)}, tell: exec.Events{Progress: func(exec.Progress) {}}}
	err := j.published(t.Context(), brokenSink{}, files, rowsReader{}, 4, out, func() chooser { return &userChooser{} })
	if want := []Fault{{"a", "it is damaged"}, {"b", "it is damaged"}}; err != nil || fmt.Sprint(out.Faults) != fmt.Sprint(want) {
		t.Errorf("%v, %v, want %v", out.Faults, err, want)
	}
}
