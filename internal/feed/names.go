// Package feed is the vendor's vocabulary: the names of tables and columns that have
// a meaning, the kinds of tables, and how names are compared. It knows no
// configuration and reads nothing.
package feed

import "strings"

// MostColumns is how many columns a table may have.
const MostColumns = 10_000

// Fold is the form in which names are compared: without case.
func Fold(name string) string { return strings.ToLower(name) }

// IsID reports whether a delivered column is an id. Only this very spelling is:
// a name that differs by case is a property of the shop's own.
func IsID(name string) bool {
	switch name {
	case UserID, EventID, SessionID, FromUserID, ToUserID:
		return true
	}
	return false
}

// IsTimestamp reports whether a delivered column is one of the timestamps, in
// this very spelling.
func IsTimestamp(name string) bool {
	switch name {
	case Time, JoinDate, LastModified:
		return true
	}
	return false
}

// IsExact reports whether a name is one of the eight that have a meaning in their
// very spelling: the ids and the timestamps.
func IsExact(name string) bool { return IsID(name) || IsTimestamp(name) }

// IsOurs reports whether a name is, without case, that of a column which reconcile
// adds.
func IsOurs(name string) bool {
	switch Fold(name) {
	case RawUserID, DumpID, RescuedData, CanonicalUserID:
		return true
	}
	return false
}

// Key tells delivered names apart: those with one key are spellings of one name. A
// name that differs by case from one of the eight is another name.
func Key(name string) string {
	f := Fold(name)
	if f != name && IsExact(f) {
		return f + "\x00"
	}
	return f
}

// Plain is a name without case and trailing underscores.
func Plain(name string) string { return strings.TrimRight(Fold(name), "_") }

// AvroForm is the name that an Avro writer makes of one: every code point that
// Avro does not allow becomes an underscore, and a leading digit gets one in front.
func AvroForm(name string) string {
	form := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_':
			return r
		}
		return '_'
	}, name)
	if form != "" && '0' <= form[0] && form[0] <= '9' {
		return "_" + form
	}
	return form
}
