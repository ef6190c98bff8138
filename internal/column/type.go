package column

import (
	"fmt"
	"strconv"
	"strings"
)

// TypeID names a declared column type.
type TypeID uint8

// The declared types of the configuration language.
const (
	String TypeID = iota
	Int64
	Double
	Boolean
	Timestamp // milliseconds since the epoch, UTC
	Date      // days since the epoch
	Decimal
	JSON
)

// Type is the declared type of a column. Precision and Scale are set for
// Decimal only. The zero value is String.
type Type struct {
	ID        TypeID
	Precision int
	Scale     int
}

// The types that columns which are not declared have.
var (
	Int64Type  = Type{ID: Int64}
	StringType = Type{}
)

// Kind is the physical form of a column in memory.
type Kind uint8

const (
	// KindBytes columns hold dictionary codes: String, JSON and decimals of
	// more than 18 digits (16 bytes, big-endian two's complement).
	KindBytes Kind = iota
	// KindInt64 columns hold int64: Int64, Boolean (0 and 1), Timestamp
	// (milliseconds), Date (days) and decimals of at most 18 digits (unscaled).
	KindInt64
	// KindDouble columns hold float64.
	KindDouble
)

// Kind returns the physical form that holds values of t.
func (t Type) Kind() Kind {
	switch t.ID {
	case Int64, Boolean, Timestamp, Date:
		return KindInt64
	case Double:
		return KindDouble
	case Decimal:
		if t.Precision <= 18 {
			return KindInt64
		}
	}
	return KindBytes
}

var typeNames = [...]string{String: "string", Int64: "int64", Double: "double", Boolean: "boolean",
	Timestamp: "timestamp", Date: "date", Decimal: "decimal", JSON: "json"}

// String returns t as the configuration language writes it, for example
// "decimal(12,2)".
func (t Type) String() string {
	if t.ID == Decimal {
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	}
	return typeNames[t.ID]
}

// TypeNames lists the types that ParseType takes, for suggestions.
func TypeNames() []string {
	return []string{"string", "int64", "double", "boolean", "timestamp", "date", "decimal(p,s)", "json"}
}

// ParseType reads a type as the configuration language writes it. Decimals
// have 1 to 38 digits, of which at most all are behind the point.
func ParseType(s string) (Type, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	for id, name := range typeNames {
		if s == name && TypeID(id) != Decimal {
			return Type{ID: TypeID(id)}, nil
		}
	}
	if args, ok := strings.CutPrefix(s, "decimal("); ok {
		if args, ok = strings.CutSuffix(args, ")"); ok {
			return parseDecimalType(s, args)
		}
	}
	return Type{}, fmt.Errorf("unknown type %q; known are %s", s, strings.Join(TypeNames(), ", "))
}

func parseDecimalType(s, args string) (Type, error) {
	ps, ss, ok := strings.Cut(args, ",")
	if !ok {
		ss = "0"
	}
	p, err1 := strconv.Atoi(strings.TrimSpace(ps))
	sc, err2 := strconv.Atoi(strings.TrimSpace(ss))
	if err1 != nil || err2 != nil || p < 1 || p > 38 || sc < 0 || sc > p {
		return Type{}, fmt.Errorf("%q: a decimal has 1 to 38 digits and a scale from 0 to that many", s)
	}
	return Type{ID: Decimal, Precision: p, Scale: sc}, nil
}
