package dump

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"reconcile/internal/amount"
)

// manifest is what one manifest says, before its meaning is judged against
// that of others.
type manifest struct {
	at         addresses
	lists      *columnLists
	id         int64
	hasID      bool
	hasTables  bool
	entries    []*Entry // in the order of the manifest, tables perhaps repeated
	properties string   // key
	badID      bool     // there is a dump_id, and a fault says what is wrong with it
	badTables  bool
	faults     []fault // why the dump is held: the first few
	faulty     int     // how many there are
	notices    []string
}

// fault is a reason why a dump is held.
type fault struct {
	text  string
	entry *Entry // that it is about, which the text ends with; nil for none
	at    int    // which of the tables the entry is
	rest  string // what follows the entry
}

// String names the entry, of which the name may stand behind what is wrong.
func (f fault) String() string {
	switch {
	case f.entry == nil:
		return f.text
	case f.entry.Name == "":
		return fmt.Sprintf("%sentry %d of its tables%s", f.text, f.at, f.rest)
	}
	return fmt.Sprintf("%stable %s, entry %d of its tables,%s", f.text, abbreviate(f.entry.Name), f.at, f.rest)
}

// fault notes why the dump is held.
func (m *manifest) fault(format string, args ...any) {
	m.note(fault{text: fmt.Sprintf(format, args...)})
}

// faultOf notes what is wrong with the entry that is read: text, the entry and rest make
// a sentence.
func (m *manifest) faultOf(text, rest string) {
	m.note(fault{text, m.entries[len(m.entries)-1], len(m.entries), rest})
}

func (m *manifest) note(f fault) {
	const most = 3
	if m.faulty++; m.faulty <= most {
		m.faults = append(m.faults, f)
	}
}

// reason puts all faults in one text.
func (m *manifest) reason() string {
	var texts []string
	for _, f := range m.faults {
		texts = append(texts, f.String())
	}
	s := strings.Join(texts, "; ")
	if n := m.faulty - len(m.faults); n > 0 {
		s += fmt.Sprintf("; and %s more like these", amount.Number(n))
	}
	return s
}

// parseManifest reads a manifest. What can be read is returned also when
// something is wrong: with text that is not JSON as an error, with what breaks
// the dump in faults, with what breaks one table in its entry. The manifest
// keeps slices of data, which nobody may change afterwards.
func parseManifest(data []byte, at addresses, lists *columnLists) (*manifest, error) {
	m := &manifest{at: at, lists: lists}
	s := strings.TrimPrefix(unsafe.String(unsafe.SliceData(data), len(data)), "\ufeff")
	if strings.TrimSpace(s) == "" {
		return m, errors.New("it is empty")
	}
	if what := foreign(data); what != "" {
		return m, errors.New(what)
	}
	if !utf8.ValidString(s) {
		return m, errors.New("it is not valid UTF-8")
	}
	p := &scanner{s: s}
	if p.peek() != '{' {
		if err := p.skip(); err != nil {
			return m, err
		}
		return m, errors.New(notAnObject(s))
	}
	if err := m.read(p); err != nil {
		return m, err
	}
	if !p.end() {
		return m, p.fail("something after the end")
	}
	if !m.hasID && !m.badID {
		m.fault("it has no dump_id")
	}
	if !m.hasTables && !m.badTables {
		m.fault("it has no tables")
	}
	return m, nil
}

func (m *manifest) read(p *scanner) error {
	var seen member
	return p.object(func(name string) error {
		var is member
		var read func(*scanner) error
		switch name {
		case "dump_id":
			is, read = memberID, m.readID
		case "tables":
			is, read = memberTables, m.readTables
		case "property_definitions":
			is, read = memberProperties, m.readProperties
		default:
			return p.skip()
		}
		if !seen.add(is) {
			m.fault("it says %s twice", name)
			return p.skip()
		}
		return read(p)
	})
}

// member is a set of the names that mean something in an object.
type member uint8

const (
	memberID member = 1 << iota
	memberTables
	memberProperties
	memberName
	memberFiles
	memberColumns
	memberIncremental
)

// add adds m and reports whether it is new.
func (s *member) add(m member) bool {
	fresh := *s&m == 0
	*s |= m
	return fresh
}

// readID reads dump_id, which is an int64 as a number without point and
// exponent, or as decimal text.
func (m *manifest) readID(p *scanner) error {
	var text string
	var err error
	switch c := p.peek(); {
	case c == '"':
		text, err = p.text()
		text = strings.TrimSpace(text)
	case c == '-' || '0' <= c && c <= '9':
		text, err = p.number()
	case c == 'n':
		return p.literal("null") // as if it were not there
	default:
		m.badID = true
		m.fault("its dump_id is no number")
		return p.skip()
	}
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.HasPrefix(text, "+") {
		m.badID = true
		m.fault("its dump_id %s is not a whole number of 64 bits", abbreviate(text))
		return nil
	}
	m.id, m.hasID = id, true
	return nil
}

func (m *manifest) readTables(p *scanner) error {
	switch p.peek() {
	case '[':
	case 'n':
		return p.literal("null")
	default:
		m.badTables = true
		m.fault("its tables are not a list")
		return p.skip()
	}
	m.hasTables = true
	r := &entryReader{m: m, p: p}
	n := 0
	err := p.array(func() error {
		if n++; n > MostTables {
			return p.skip()
		}
		m.entries = append(m.entries, &Entry{})
		if p.peek() != '{' {
			m.faultOf("", " is not an object")
			return p.skip()
		}
		return r.read(m.entries[len(m.entries)-1])
	})
	if n > MostTables {
		m.faults, m.faulty = nil, 0 // what is wrong with each matters less
		m.fault("it lists %s tables, and at most %s are read", amount.Number(n), amount.Number(MostTables))
	}
	return err
}

func (m *manifest) readProperties(p *scanner) error {
	if p.peek() != '"' {
		if p.peek() != 'n' {
			m.notices = append(m.notices, "its property_definitions are no address; they are left out")
		}
		return p.skip()
	}
	url, err := p.text()
	if err != nil || url == "" {
		return err
	}
	m.properties, err = m.at.key(url)
	if err != nil {
		m.fault("its property_definitions %v", err)
	}
	return nil
}

// abbreviate quotes a text of any length for a message.
func abbreviate(s string) string {
	const most = 200
	if len(s) > most {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:most], ""))
	}
	return strconv.Quote(s)
}
