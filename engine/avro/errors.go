package avro

import (
	"errors"
	"fmt"
	"strings"

	"reconcile/internal/amount"
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
	var large *LimitError
	if errors.As(e.Err, &large) {
		return fmt.Sprintf("Avro block %d at byte %d: %v", e.Block, e.Offset, large)
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
	errShort   = errors.New("the block ends inside a value")
	errVarint  = errors.New("an integer is longer than 64 bits")
	errInt     = errors.New("an int is outside 32 bits")
	errLength  = errors.New("a length is negative or more than the block has left")
	errBoolean = errors.New("a boolean is neither 0 nor 1")
	errEnum    = errors.New("an enum index names no symbol")
	errBranch  = errors.New("a union index names no branch")
	errItems   = errors.New("an array or map block does not have the size it claims")
	errDepth   = fmt.Errorf("values are nested more than %d deep", maxDepth)
	errDecimal = fmt.Errorf("a decimal has more than %d bytes", maxDecimal)
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
	return fmt.Sprintf("its records have %s fields, and a table may have %s columns", amount.Number(int(e)), amount.Number(MostFields))
}

// LimitError says that a block of a file, or a value in it, takes more memory than the
// Limits allow. The file may be whole.
type LimitError struct {
	What  string // takes more than it may
	Size  int    // bytes that it takes; more than MostSize if so many are not counted, 0 if that is not known
	Limit int    // bytes that it may take
	// Advice is that of the Limits.
	Advice string
}

// MostSize is the greatest size that is counted of what takes more than it may.
const MostSize = 256 << 20

// What takes more memory than it may.
const (
	blockStored   = "it is stored in"
	blockUnpacked = "it unpacks to"
	valueText     = "a value of it makes a text of"
	dictionary    = "it asks for a dictionary of"
)

// Error says how much it takes, and how much it may.
func (e *LimitError) Error() string {
	size := amount.Number(e.Size)
	switch {
	case e.Size == 0:
		size = "more"
	case e.Size > MostSize:
		size = "more than " + amount.Number(MostSize)
	}
	text := fmt.Sprintf("%s %s bytes, and up to %s are taken", e.What, size, amount.Number(e.Limit))
	if e.Advice != "" {
		text += ", " + e.Advice
	}
	return text
}
