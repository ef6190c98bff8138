package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// The latest row of every raw user is kept as delivered (after masks), un-cast: which
// member of a group supplies a value depends on what casts, and that on the
// configuration. Its columns carry a prefix, so that no delivered name equals one of ours.
const (
	keptPrefix = "c:"
	// KeptUser is the column of the raw user of a row.
	KeptUser = "user"
	// KeptDump is the column of the dump of a row.
	KeptDump = "dump"
	// KeptNotes holds spellings and losers of spelling, as a rescue object.
	KeptNotes = "notes"
)

// KeptName is the name that a column of the payload has among the kept rows of users.
func KeptName(id string) string { return keptPrefix + id }

// Uncast returns the schema under which users are read and kept.
func (s *Schema) Uncast() *Schema {
	u := *s
	u.Payload = slices.Clone(s.Payload)
	for i := range u.Payload {
		u.Payload[i].Type, u.Payload[i].Name = typeString, KeptName(u.Payload[i].ID)
	}
	u.Payload[u.Rescued()].Name = KeptNotes
	u.Partition, u.PartitionColumn = definition.Partition{}, -1
	return &u
}

// What marks the notes of a row of users. No delivered name holds a NUL.
const (
	// spellingMark: the spelling under which a column was delivered where it is not the
	// column's own.
	spellingMark = "\x00"
	// floatMark, which begins like it: an id that came as a float, a double or
	// anything else that is no id, and so does not cast.
	floatMark = "\x00\x00"
	// loserMark, which begins like both: a value that another field of its column
	// outdid, where the field's name alone does not tell the column.
	loserMark = "\x00\x00\x00"
)

// SpellingNote notes that a column was delivered under another name than its own.
func SpellingNote(id, field string) column.Rescued {
	return column.Rescued{Name: spellingMark + id, Value: []byte(field)}
}

// NoIDNote notes that the text of a column looks like an id and was delivered as none.
func NoIDNote(id string) column.Rescued { return column.Rescued{Name: floatMark + id} }

// LoserName is the name of a note of a value that another field of its column outdid.
func LoserName(id, field string) string {
	return fmt.Sprintf("%s%d %s%s", loserMark, len(id), id, field)
}

// cutLoser takes apart what LoserName made.
func cutLoser(note string) (id, field string, ok bool) {
	rest, ok := strings.CutPrefix(note, loserMark)
	if !ok {
		return "", "", false
	}
	size, rest, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(size)
	if err != nil || n > len(rest) {
		return "", "", false
	}
	return rest[:n], rest[n:], true
}

// MaskNotes takes out of the notes of kept rows what the schema, which is un-cast,
// masks or no longer has.
func (s *Schema) MaskNotes(notes *column.Column) error {
	clean := column.NewDict()
	for i, code := range notes.Codes {
		if code == 0 {
			continue
		}
		items, err := column.SplitRescue(notes.Dict.Value(code))
		if err != nil {
			return fmt.Errorf("notes of a kept user: %w", err)
		}
		items = slices.DeleteFunc(items, func(it column.Rescued) bool { return !keepsNote(s, it.Name) })
		notes.Codes[i] = 0
		if len(items) > 0 {
			notes.Codes[i] = clean.Add(column.AppendRescue(nil, items))
		}
	}
	notes.Dict = clean
	return nil
}

// keepsNote reports whether a note of a kept row still belongs to it.
func keepsNote(s *Schema, note string) bool {
	if id, name, ok := cutLoser(note); ok {
		i := s.ByID(id)
		return i >= 0 && s.Payload[i].Mask == definition.MaskNone && s.Rescues(name)
	}
	return strings.HasPrefix(note, spellingMark) || s.Rescues(note)
}

// ModifiedMillis orders texts of last_modified: the least int64 stands for null.
func (s *Schema) ModifiedMillis(c *column.Column, i int) int64 {
	if c == nil || c.IsNull(i) {
		return math.MinInt64
	}
	ms, st := s.Payload[s.ByID(feed.LastModified)].Rule.ParseTimestamp(c.Bytes(i))
	if st != column.TimeOK {
		return math.MinInt64
	}
	return ms
}
