package avro

import (
	"errors"
	"fmt"
	"strings"

	"reconcile/internal/feed"
)

// DamageError says that the bytes of a file are not what they should be:
// reading them again will not help. Errors of the reader that supplies them
// are never DamageErrors.
type DamageError struct {
	Block  int    // counted from 0; -1 is the header
	Offset int64  // of the block, or of the place in the header, in the file
	Reason string // what is wrong
	Err    error  // what a codec or parser had to say, or nil
}

// Error names the place and the reason.
func (e *DamageError) Error() string {
	var b strings.Builder
	var other unsupportedError
	if errors.As(e.Err, &other) {
		return other.Error()
	}
	var wide fieldsError
	if errors.As(e.Err, &wide) {
		return wide.Error()
	}
	if e.Block < 0 {
		fmt.Fprintf(&b, "damaged Avro header at byte %d: %s", e.Offset, e.Reason)
	} else {
		fmt.Fprintf(&b, "damaged Avro block %d at byte %d: %s", e.Block, e.Offset, e.Reason)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *DamageError) Unwrap() error { return e.Err }

// The ways in which a value can be wrong. They say nothing of the place, so
// that the row path need not build them.
var (
	errShort    = errors.New("the block ends inside a value")
	errVarint   = errors.New("an integer is longer than 64 bits")
	errInt      = errors.New("an int is outside 32 bits")
	errLength   = errors.New("a length is negative or more than the block has left")
	errBoolean  = errors.New("a boolean is neither 0 nor 1")
	errEnum     = errors.New("an enum index names no symbol")
	errBranch   = errors.New("a union index names no branch")
	errItems    = errors.New("an array or map block does not have the size it claims")
	errDepth    = fmt.Errorf("values are nested more than %d deep", maxDepth)
	errDecimal  = fmt.Errorf("a decimal has more than %d bytes", maxDecimal)
	errText     = limitError{says: "the text of the values exceeds %d bytes"}
	errTooLarge = limitError{says: "decompresses to more than %d bytes"}
)

// unsupportedError says that a file is whole and cannot be decoded.
type unsupportedError struct{ codec string }

func (e unsupportedError) Error() string {
	return fmt.Sprintf("its Avro codec %q is not supported; supported are %s", e.codec, strings.Join(codecs(), ", "))
}

// MostFields is how many fields the records of a file may have.
const MostFields = feed.MostColumns

// fieldsError says that records have so many fields. The file is whole.
type fieldsError int

func (e fieldsError) Error() string {
	return fmt.Sprintf("its records have %d fields, and a table may have %d columns", int(e), MostFields)
}

// limitError says that something takes more than it may.
type limitError struct {
	says  string
	limit int
}

func (e limitError) Error() string { return fmt.Sprintf(e.says, e.limit) }

// of returns the error of a limit.
func (e limitError) of(limit int) error { return limitError{e.says, limit} }

// Is reports whether it is the same error, of whatever limit.
func (e limitError) Is(target error) bool {
	other, ok := target.(limitError)
	return ok && other.says == e.says
}
