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

func TestShares(t *testing.T) {
	files := []*dataFile{{File: state.File{Path: "small", Size: 2*leastShare - 1}}, {File: state.File{Path: "large", Size: 100 * leastShare}}}
	for _, c := range []struct {
		workers int
		want    string
	}{
		{1, "[small 1/1 large 1/1]"},
		{3, "[small 1/1 large 1/3 large 2/3 large 3/3]"},
	} {
		var got []string
		for _, s := range shares(files, c.workers) {
			got = append(got, fmt.Sprintf("%s %d/%d", s.Path, s.n+1, s.of))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%d workers: %v, want %s", c.workers, got, c.want)
		}
	}
	for all := range 10 {
		next := 0
		for _, s := range shares(files[1:], 4) {
			from, to := s.groups(all)
			if from != next {
				t.Errorf("of %d row groups share %d begins with %d, want %d", all, s.n, from, next)
			}
			next = to
		}
		if next != all {
			t.Errorf("of %d row groups %d are read", all, next)
		}
	}
}

// brokenSink opens no file.
type brokenSink struct{ sinks.Sink }

func (brokenSink) Open(context.Context, string, string, []column.Column) (sinks.Reader, error) {
	return nil, errors.New("it is damaged")
}

// What is wrong with a file is told once, however many goroutines meet it.
func TestFaultOfShares(t *testing.T) {
	files := []*dataFile{{File: state.File{Path: "a", Size: 100 * leastShare}}, {File: state.File{Path: "b", Size: 1}}}
	out := &Sink{}
	j := &job{load: load{published: make([]volume, 1)}, tell: exec.Events{Progress: func(exec.Progress) {}}}
	err := j.published(t.Context(), brokenSink{}, files, rowsReader{}, 4, out, func() chooser { return &userChooser{} })
	if want := []Fault{{"a", "it is damaged"}, {"b", "it is damaged"}}; err != nil || fmt.Sprint(out.Faults) != fmt.Sprint(want) {
		t.Errorf("%v, %v, want %v", out.Faults, err, want)
	}
}
