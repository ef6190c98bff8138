package partfile

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/internal/errclass"
)

// badValue is content that the configuration does not take.
type badValue struct{}

func (badValue) Error() string     { return "no number" }
func (badValue) Cause() exec.Cause { return exec.Cause{Column: "a", Rule: "int"} }

// A file holds its table as long as what is wrong with it lasts. A source that cannot be
// read holds nothing.
func TestHeld(t *testing.T) {
	for what, c := range map[string]struct {
		err     error
		holds   bool
		lasting bool
		cause   exec.Cause
	}{
		"missing":       {&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, true, false, exec.Cause{}},
		"changed":       {ErrChanged, true, false, exec.Cause{}},
		"damaged":       {fmt.Errorf("block 3: %w", &avro.DamageError{}), true, true, exec.Cause{}},
		"without a key": {NewKeyError("event_id", []string{"Event_ID"}), true, true, exec.Cause{Key: "event_id"}},
		"bad value":     {fmt.Errorf("row 1: %w", badValue{}), true, true, exec.Cause{Column: "a", Rule: "int"}},
		"unavailable":   {errclass.New(errclass.SourceUnavailable, "no route to it"), false, false, exec.Cause{}},
	} {
		err := fmt.Errorf("table e: %w", &FileError{Dump: 7, Key: "sync_7/a.avro", Pin: "p", Err: c.err})
		bad := Holding(err)
		if c.holds != (bad != nil) {
			t.Errorf("%s: it holds the table by %v", what, bad)
		}
		if bad == nil {
			continue
		}
		want := exec.Held{Dump: 7, File: "sync_7/a.avro", Pin: "p", Reason: c.err.Error(), Lasting: c.lasting, Cause: c.cause}
		if what == "missing" {
			want.Reason = "the manifest lists this file, but it is not there"
		}
		if got := bad.Held(); *got != want {
			t.Errorf("%s: %+v, want %+v", what, *got, want)
		}
	}
	if bad := Holding(errors.New("no file")); bad != nil {
		t.Errorf("an error that is about no file holds a table by %v", bad)
	}
}
