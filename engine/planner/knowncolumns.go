package planner

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/internal/near"
	"reconcile/state"
)

// waitsForColumns reports whether what is known of a table's columns does not yet
// tell how it would be taken, and says so in the plan. Only the columns tell which
// globs match it, so that its blocks cannot be judged before.
func waitsForColumns(p *Session, t *Table, columns []string) bool {
	if t.Classify(columns) {
		return false
	}
	exact := slices.Contains(p.Ask.Config.ExactTables(), t.Name)
	if !exact && !p.Ask.TakesEvents(t.Name) {
		return false
	}
	malformed := slices.IndexFunc(t.All, func(d Delivery) bool { return d.Entry.Problem != "" })
	switch {
	case t.unread != nil:
		p.Holds = append(p.Holds, *t.unread)
	case malformed >= 0:
		d := t.All[malformed]
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Dump: d.Dump, Reason: d.Entry.Problem})
	case !exact:
		return false
	case len(columns) == 0:
		p.Notices = append(p.Notices, fmt.Sprintf("table %s has been delivered without columns and without rows so far; it is taken once something is known of it", t.Name))
	default:
		p.Holds = append(p.Holds, Unidentified(t.Name, columns))
	}
	return true
}

// Unidentified is the hold of a table that lacks its key columns.
func Unidentified(table string, columns []string) plan.Hold {
	reason := "it delivers neither event_id nor session_id beside user_id: nothing identifies its rows; remove its block, and say ignore " + quoted(table) + " {} instead"
	for _, key := range []string{feed.UserID, feed.EventID, feed.SessionID} {
		if field := near.Key(key, columns); field != "" && !slices.Contains(columns, key) && !feed.IsExact(field) {
			reason += fmt.Sprintf(" (%q is not %s: names of keys are exact)", field, key)
		}
	}
	return plan.Hold{Table: table, Reason: reason}
}

// Classify finds the table's kind and key.
func (t *Table) Classify(columns []string) (ok bool) {
	t.Kind, t.Key, ok = feed.Identify(t.Name, columns)
	return ok
}

// knownColumns lists what is known of the delivered columns: what the state has, unless
// the table goes back to earlier dumps, and what the manifests say. What is not applied
// yet is looked up in the headers of its files where its manifest has no list, or where
// no list has the keys and the time, which need not be in it. Files of a table that is not
// taken are opened once: it would be for ever.
func knownColumns(ctx context.Context, p *Session, t *Table) ([]string, error) {
	t.passedBy = passesBy(p, t.Name)
	out, err := t.columnsOfAll(ctx, p)
	if err != nil || !t.fromNotes || t.passedBy || !t.Classify(out) {
		return out, err
	}
	for i := range t.All { // what was noted of a table that is taken now may have changed
		t.All[i].Entry.Fields = nil
	}
	return t.columnsOfAll(ctx, p)
}

// passesBy reports whether no block takes a table, whatever columns it has.
func passesBy(p *Session, name string) bool {
	return p.Snap.Tables[name] == nil && !slices.Contains(p.Ask.Config.ExactTables(), name) && !p.Ask.TakesEvents(name)
}

// columnsOfAll are the columns that its deliveries have, and the state.
func (t *Table) columnsOfAll(ctx context.Context, p *Session) ([]string, error) {
	out := stateNames(t.Old)
	if len(t.All) > 0 && len(p.Ask.goesBack(t.Old)) > 0 {
		out = nil // it has columns that only later dumps brought
	}
	var bare, lists []Delivery
	var last []string // most dumps list the same columns
	for _, d := range t.All {
		if !d.Entry.HasColumns {
			bare = append(bare, d)
			continue
		}
		lists = append(lists, d)
		if !sameList(d.Entry.Columns, last) {
			last = d.Entry.Columns
			out = append(out, last...)
		}
	}
	for _, d := range bare {
		names, err := unappliedFields(ctx, p, t, d)
		if err != nil {
			return nil, err
		}
		if t.fields == nil {
			t.fields = map[int64][]string{}
		}
		t.fields[d.Dump] = unique(names)
		out = append(out, names...)
	}
	if !t.lacksExact(out) {
		return unique(out), nil
	}
	for _, d := range lists {
		names, err := unappliedFields(ctx, p, t, d)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(names, func(n string) bool { return !feed.IsExact(n) })...)
	}
	return unique(out), nil
}

// stateNames are the delivered names that the state knows of a table.
func stateNames(old *state.Table) []string {
	if old == nil {
		return nil
	}
	var out []string
	if old.Kind != feed.KindMapping {
		out = append(out, feed.UserID)
	}
	out = append(out, old.Key)
	for _, c := range old.Columns {
		if name := feed.Fold(c.Name); !old.ExactNames && feed.IsExact(name) {
			out = append(out, name)
			continue
		}
		out = append(out, c.Delivered)
	}
	return out
}

// lacksExact reports whether columns lack one that decides what the table is.
func (t *Table) lacksExact(columns []string) bool {
	if t.Name == feed.TableUsers || t.Name == feed.TableMapping {
		return false
	}
	key := feed.EventID
	if t.Name == feed.TableSessions {
		key = feed.SessionID
	}
	for _, name := range []string{feed.UserID, key, feed.Time} {
		if !slices.Contains(columns, name) {
			return true
		}
	}
	return false
}

// unappliedFields reads the names of the fields of a delivery's files, unless it is
// applied, nobody takes the table, or that was done before. A file that cannot be read holds the table where the files are read, or
// here if nothing else says what the table is like.
func unappliedFields(ctx context.Context, p *Session, t *Table, d Delivery) ([]string, error) {
	switch noted := d.Entry.Fields; {
	case t.Old == nil && noted != nil:
		t.fromNotes = true
		return slices.Clone(noted), nil
	case t.passedBy:
		return nil, nil
	case t.Old != nil && len(p.Ask.goesBack(t.Old)) == 0 && slices.ContainsFunc(t.Old.Applied, func(a state.Applied) bool { return a.Digest == d.Entry.Digest }):
		return nil, nil
	}
	out, bad, err := fieldsOf(ctx, p, d.Entry)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, err)
	}
	if bad != nil {
		t.unread = &plan.Hold{Table: t.Name, Dump: d.Dump, File: bad.File, Reason: bad.reason(ctx, p.Source)}
	} else if t.Old == nil && len(out) > 0 {
		p.Listing.NoteFields(d.Entry, out)
	}
	return out, nil
}

// mostUnread is how many files of an entry cannot be read until the others are not looked
// at, either.
const mostUnread = 100

// fieldsOf reads the names of the fields of an entry's files, each once. bad is the last
// file that cannot be read.
func fieldsOf(ctx context.Context, p *Session, e *dump.Entry) (names []string, bad *BadFileError, _ error) {
	known := map[string]bool{}
	unread := 0
	for key, err := range e.Files.All() {
		if err != nil {
			return nil, nil, err
		}
		h, err := partfile.Header(ctx, p.Source, key)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if dump.Unavailable(err) {
			return nil, nil, err
		}
		if err != nil {
			bad = &BadFileError{File: key, Err: err}
			if unread++; unread == mostUnread {
				break
			}
			continue
		}
		for _, name := range partfile.FieldNames(h) {
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	return names, bad, nil
}

// sameList is slices.Equal, where lists are mostly one and the same.
func sameList(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// unique returns names without those that repeat.
func unique(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		had := seen[n]
		seen[n] = true
		return had
	})
}
