package errclass_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"reconcile/internal/errclass"
)

func TestOf(t *testing.T) {
	other := errors.New("other")
	down := &errclass.Error{Class: errclass.SinkUnavailable, About: "/lake", Err: errors.New("no route")}
	lost := errclass.New(errclass.LeaseLost, "taken over")
	for _, c := range []struct {
		err  error
		want errclass.Class
	}{
		{nil, errclass.Unclassed},
		{other, errclass.Unclassed},
		{errclass.New(errclass.Unclassed, "none"), errclass.Unclassed},
		{down, errclass.SinkUnavailable},
		{fmt.Errorf("table a: %w", down), errclass.SinkUnavailable},
		{errors.Join(other, down), errclass.SinkUnavailable},
		{fmt.Errorf("read: %w", context.Canceled), errclass.Cancelled},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), errclass.Cancelled},
		{errors.Join(context.Canceled, fmt.Errorf("table a: %w", errors.Join(other, down))), errclass.SinkUnavailable},
		{errors.Join(down, fmt.Errorf("unlock: %w", lost)), errclass.LeaseLost},
		{errors.Join(fmt.Errorf("unlock: %w", lost), down), errclass.LeaseLost},
		{&errclass.Error{Class: errclass.Changed, Err: down}, errclass.Changed},
	} {
		if got := errclass.Of(c.err); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
	if !errors.Is(down, down.Err) || down.Error() != "no route" {
		t.Error("the cause does not show")
	}
	found := errclass.Find(fmt.Errorf("table a: %w", down))
	if class, about := found.ErrorClass(); class != errclass.SinkUnavailable || about != "/lake" || found.Error() != "no route" {
		t.Errorf("found %v, %q, %q", found, class, about)
	}
	if found := errclass.Find(other); found != nil {
		t.Errorf("found %v in an error without a class", found)
	}
}
