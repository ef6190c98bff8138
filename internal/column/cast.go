package column

import (
	"math"
	"slices"
)

// Fail is a value that a cast could not take over as it was.
type Fail struct {
	// Row is its index in the source.
	Row int
	// Text is the value as delivered, raw bytes if it is not valid UTF-8. It
	// can be the source dictionary's: read it only, while that lives.
	Text []byte
	// Kept says that the row has a value all the same, with invalid bytes
	// replaced; else it is null.
	Kept bool
}

// rules are the ways to one type. int and float are set only where they give
// what text gives for the text of the value. The functions take the rule, and
// capture nothing, so that a batch allocates none of them.
type rules[T any] struct {
	rule  Rule
	text  func(Rule, []byte) (T, outcome)
	int   func(Rule, int64) (T, outcome)
	float func(Rule, float64) (T, outcome)
}

// ints returns the ways to a type that is held as int64.
func (rule Rule) ints(from Type) rules[int64] {
	r := rules[int64]{rule: rule}
	switch rule.Type.ID {
	case Int64:
		r.text = func(_ Rule, b []byte) (int64, outcome) { return textToInt(b) }
		r.int = func(_ Rule, v int64) (int64, outcome) { return v, castOK }
	case Boolean:
		r.text = func(_ Rule, b []byte) (int64, outcome) { return textToBool(b) }
		r.int = func(_ Rule, v int64) (int64, outcome) { return v, orFail(v == 0 || v == 1) }
	case Timestamp:
		r.text, r.int = Rule.textToTime, Rule.intToTime
	case Date:
		r.text, r.int = Rule.textToDate, Rule.intToDate
	case Decimal:
		r.text = Rule.smallDecimal
		r.int = func(rule Rule, v int64) (int64, outcome) { return scaleInt(v, rule.Type) }
	}
	switch {
	case from.ID == Double:
		r.float = throughInt(r)
	case from.ID == Timestamp && rule.Type.ID == Timestamp:
		r.int = Rule.timeInYears
	case from.ID != Int64:
		r.int = nil
	}
	return r
}

func (rule Rule) intToTime(v int64) (int64, outcome) {
	ms, st := rule.timestampFromInt(v)
	return ms, st.outcome()
}

func (rule Rule) intToDate(v int64) (int64, outcome) {
	ms, st := rule.timestampFromInt(v)
	return floorDiv(ms, msPerDay), st.outcome()
}

// timeInYears takes over a timestamp that the rule has room for.
func (rule Rule) timeInYears(v int64) (int64, outcome) {
	ms, st := rule.inYears(v)
	return ms, st.outcome()
}

// throughInt is the native way for doubles: most are integers, the rest go
// through their text.
func throughInt(r rules[int64]) func(Rule, float64) (int64, outcome) {
	return func(rule Rule, f float64) (int64, outcome) {
		if v, ok := exactInt(f); ok {
			return r.int(rule, v)
		}
		var buf [32]byte
		return r.text(rule, AppendDouble(buf[:0], f))
	}
}

func doubleRules(from Type) rules[float64] {
	r := rules[float64]{text: func(_ Rule, b []byte) (float64, outcome) { return textToDouble(b) }}
	switch from.ID {
	case Int64:
		r.int = func(_ Rule, v int64) (float64, outcome) { return float64(v), castOK }
	case Double:
		r.float = func(_ Rule, f float64) (float64, outcome) {
			if f != f {
				return math.NaN(), castOK
			}
			return f + 0, castOK
		}
	}
	return r
}

// fixed is the end of a column that is not bytes.
type fixed[T any] struct {
	vals    []T
	null    []bool
	rounded int64
}

// put adds one row and passes on its outcome. What gave no value is null.
func (f *fixed[T]) put(v T, o outcome) outcome {
	if o == castRounded {
		f.rounded++
	} else if o != castOK {
		if f.null == nil {
			f.null = make([]bool, len(f.vals), cap(f.vals))
		}
		f.null = append(f.null, true)
		var zero T
		f.vals = append(f.vals, zero)
		return o
	}
	if f.null != nil {
		f.null = append(f.null, false)
	}
	f.vals = append(f.vals, v)
	return o
}

func castFixed[T any](src *Column, out *fixed[T], r rules[T]) []Fail {
	n := src.Len()
	out.vals = slices.Grow(out.vals, n)
	kind := src.Type.Kind()
	switch {
	case isText(src.Type):
		return castTexts(src, out, r.rule, r.text)
	case kind == KindInt64 && r.int != nil:
		return castNative(src, src.Ints, out, r.rule, r.int)
	case kind == KindDouble && r.float != nil:
		return castNative(src, src.Floats, out, r.rule, r.float)
	}
	var fails []Fail
	var buf []byte
	for i := range n {
		if src.IsNull(i) {
			var zero T
			out.put(zero, castNull)
			continue
		}
		buf = AppendText(buf[:0], src, i)
		if out.put(r.text(r.rule, buf)) == castFail {
			fails = append(fails, Fail{Row: i, Text: slices.Clone(buf)})
		}
	}
	return fails
}

// isText says whether the values of a column are their own text.
func isText(t Type) bool { return t.ID == String || t.ID == JSON }

func castNative[S, T any](src *Column, vals []S, out *fixed[T], rule Rule, cast func(Rule, S) (T, outcome)) []Fail {
	var fails []Fail
	for i, v := range vals {
		if src.Null != nil && src.Null[i] {
			var zero T
			out.put(zero, castNull)
			continue
		}
		if out.put(cast(rule, v)) == castFail {
			fails = append(fails, Fail{Row: i, Text: AppendText(nil, src, i)})
		}
	}
	return fails
}

// memo keeps the outcomes of a cast by dictionary code. An empty one keeps
// nothing.
type memo[T any] struct {
	vals []T
	outs []outcome
}

func castTexts[T any](src *Column, out *fixed[T], rule Rule, cast func(Rule, []byte) (T, outcome)) []Fail {
	var m memo[T]
	// Where few values repeat, or the dictionary is that of many more rows,
	// remembering costs more than casting again.
	if n := src.Dict.Len(); 2*n <= len(src.Codes) {
		m = memo[T]{make([]T, n), make([]outcome, n)}
	}
	var fails []Fail
	for i, code := range src.Codes {
		var v T
		o := castNull
		switch {
		case code == 0:
		case m.outs == nil:
			v, o = cast(rule, src.Dict.Value(code))
		case m.outs[code] == castUnknown:
			v, o = cast(rule, src.Dict.Value(code))
			m.vals[code], m.outs[code] = v, o
		default:
			v, o = m.vals[code], m.outs[code]
		}
		if out.put(v, o) == castFail {
			fails = append(fails, Fail{Row: i, Text: src.Dict.Value(code)})
		}
	}
	return fails
}
