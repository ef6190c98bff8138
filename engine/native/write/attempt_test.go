package write

import (
	"context"
	"errors"
	"testing"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// specSink keeps what it is asked for, and refuses it.
type specSink struct {
	exec.Sink
	spec sinks.FileSpec
}

func (s *specSink) Stage(_ context.Context, _, _ string, spec sinks.FileSpec) (sinks.Writer, error) {
	s.spec = spec
	return nil, errors.ErrUnsupported
}

func TestDataFilesKeepToTheBudget(t *testing.T) {
	b := exec.RowBudget(1<<30, 2)
	var s specSink
	a := NewAttempt(&exec.Task{Sinks: []exec.Target{{Root: "lake"}}}, &exec.Env{Sinks: map[string]exec.Sink{"lake": &s}, Limits: exec.Limits{Budget: b}},
		&decode.Schema{Schema: rules.Schema{Kind: feed.KindMapping}})
	if _, err := a.openData(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	if got := s.spec.RowGroupBytes; got == 0 || got != b.FileRowGroup() {
		t.Errorf("rows of a data file may take %d bytes, the budget has %d", got, b.FileRowGroup())
	}
}
