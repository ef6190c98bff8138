package exec_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"reconcile/engine/exec"
	"reconcile/sinks"
)

func TestClassOf(t *testing.T) {
	down := &exec.Error{Class: exec.SinkUnavailable, Root: "/lake", Err: errors.New("no route")}
	for _, c := range []struct {
		err  error
		want exec.Class
	}{
		{nil, exec.Unclassed},
		{errors.New("other"), exec.Unclassed},
		{fmt.Errorf("table a: %w", down), exec.SinkUnavailable},
		{errors.Join(errors.New("other"), down), exec.SinkUnavailable},
		{fmt.Errorf("stage: %w", &sinks.UnavailableError{Root: "/lake", Err: errors.New("no route")}), exec.SinkUnavailable},
		{fmt.Errorf("read: %w", sinks.ErrDrift), exec.Changed},
		{fmt.Errorf("move: %w", sinks.ErrStagedLost), exec.StagedLost},
		{fmt.Errorf("read: %w", context.Canceled), exec.Cancelled},
	} {
		if got := exec.ClassOf(c.err); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
	if !errors.Is(down, down.Err) || down.Error() != "no route" {
		t.Error("the cause does not show")
	}
}
