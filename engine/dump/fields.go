package dump

// NoteFields has Known keep what the files of an entry have, so that nobody need look there
// again.
func (l *Listing) NoteFields(e *Entry, names []string) {
	e.Fields = names
	l.Fresh++
}
