package feed

import (
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		table, columns, kind, key string
		ok, special, events       bool
	}{
		{"users", "", KindUsers, UserID, true, true, false},
		{"user_migrations", "", KindMapping, FromUserID, true, true, false},
		{"sessions", "user_id event_id session_id", KindEvents, SessionID, true, false, true},
		{"sessions", "user_id event_id", KindEvents, SessionID, false, false, true},
		{"checkout", "user_id session_id event_id", KindEvents, EventID, true, false, true},
		{"checkout", "user_id session_id", KindEvents, SessionID, true, false, true},
		{"checkout", "event_id session_id", KindEvents, EventID, false, false, false},
		{"checkout", "user_id Event_id", KindEvents, SessionID, false, false, false},
		{"_event_metadata", "user_id event_id", KindEvents, EventID, true, true, true},
	} {
		columns := strings.Fields(c.columns)
		kind, key, ok := Identify(c.table, columns)
		if kind != c.kind || key != c.key || ok != c.ok {
			t.Errorf("%s (%s) is %s by %s, %v", c.table, c.columns, kind, key, ok)
		}
		if IsSpecial(c.table) != c.special || HasEvents(columns) != c.events {
			t.Errorf("%s (%s): special %v, events %v", c.table, c.columns, IsSpecial(c.table), HasEvents(columns))
		}
	}
}
