package column

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// outcome is what became of one value in a cast.
type outcome uint8

const (
	castUnknown outcome = iota // not cast yet
	castOK
	castRounded // a value, rounded
	castNull    // stands for no value, not a failure
	castFail
	castKept // a value, though not as it was
)

// orEmpty is the outcome of text that is no value: null if it is blank.
func orEmpty(b []byte) outcome {
	if len(trim(b)) == 0 {
		return castNull
	}
	return castFail
}

func orFail(ok bool) outcome {
	if ok {
		return castOK
	}
	return castFail
}

func (st TimeStatus) outcome() outcome {
	switch st {
	case TimeOK:
		return castOK
	case TimeNull:
		return castNull
	}
	return castFail
}

func textToInt(b []byte) (int64, outcome) {
	v, ok := parseInt(b)
	if !ok {
		return 0, orEmpty(b)
	}
	return v, castOK
}

func (r Rule) textToTime(b []byte) (int64, outcome) {
	ms, st := r.ParseTimestamp(b)
	return ms, st.outcome()
}

func (r Rule) textToDate(b []byte) (int64, outcome) {
	ms, st := r.ParseTimestamp(b)
	return floorDiv(ms, msPerDay), st.outcome()
}

func textToBool(b []byte) (int64, outcome) {
	b = trim(b)
	switch len(b) {
	case 0:
		return 0, castNull
	case 1:
		switch b[0] {
		case '1', 't', 'T':
			return 1, castOK
		case '0', 'f', 'F':
			return 0, castOK
		}
	case 4:
		return 1, orFail(bytes.EqualFold(b, []byte("true")))
	case 5:
		return 0, orFail(bytes.EqualFold(b, []byte("false")))
	}
	return 0, castFail
}

// textToDouble reads a finite number, or NaN or an infinity by name. Both
// zeros become the one, so that equal values are the same bits.
func textToDouble(b []byte) (float64, outcome) {
	b = trim(b)
	if len(b) == 0 {
		return 0, castNull
	}
	if _, ok := scanNumber(b); ok {
		f, err := strconv.ParseFloat(string(b), 64)
		return f + 0, orFail(err == nil)
	}
	return namedDouble(b)
}

func namedDouble(b []byte) (float64, outcome) {
	if bytes.EqualFold(b, []byte("nan")) {
		return math.NaN(), castOK
	}
	sign := 1
	if b[0] == '+' || b[0] == '-' {
		if b[0] == '-' {
			sign = -1
		}
		b = b[1:]
	}
	if bytes.EqualFold(b, []byte("infinity")) || bytes.EqualFold(b, []byte("inf")) {
		return math.Inf(sign), castOK
	}
	return 0, castFail
}

// textToString returns b, or a copy in which each run of invalid UTF-8 is one
// U+FFFD.
func textToString(_, b []byte) ([]byte, outcome) {
	if utf8.Valid(b) {
		return b, castOK
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD")), castKept
}

// textToJSON returns b without white space around it if it is JSON by RFC 8259
// in valid UTF-8.
func textToJSON(_, b []byte) ([]byte, outcome) {
	b = trim(b)
	if len(b) == 0 {
		return nil, castNull
	}
	return b, orFail(utf8.Valid(b) && json.Valid(b))
}
