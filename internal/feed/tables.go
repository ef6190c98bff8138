package feed

import "slices"

// The names of the columns that the vendor gives a meaning to.
const (
	UserID       = "user_id"
	EventID      = "event_id"
	SessionID    = "session_id"
	FromUserID   = "from_user_id"
	ToUserID     = "to_user_id"
	Time         = "time"
	JoinDate     = "joindate"
	LastModified = "last_modified"
)

// The names of the columns that reconcile adds to the vendor's.
const (
	RawUserID       = "_raw_user_id"
	DumpID          = "_dump_id"
	RescuedData     = "_rescued_data"
	CanonicalUserID = "canonical_user_id"
)

// The names of the tables that have a meaning of their own.
const (
	TableUsers         = "users"
	TableSessions      = "sessions"
	TableMapping       = "user_migrations"
	TableEventMetadata = "_event_metadata"
)

// The kinds of tables.
const (
	KindEvents  = "events"  // a row is an event or a session of a user
	KindUsers   = "users"   // a row is a user
	KindMapping = "mapping" // a row maps one user to another
)

// Identify returns the kind of a table and the delivered name of the column that,
// with user_id where there is one, identifies its rows. It reports false for a table
// that lacks one of these columns: nothing identifies its rows.
func Identify(table string, columns []string) (kind, key string, ok bool) {
	switch table {
	case TableUsers:
		return KindUsers, UserID, true
	case TableMapping:
		return KindMapping, FromUserID, true
	}
	key = EventID
	if table == TableSessions || !slices.Contains(columns, EventID) {
		key = SessionID
	}
	return KindEvents, key, slices.Contains(columns, key) && slices.Contains(columns, UserID)
}

// HasEvents reports whether columns look like those of a table of events or sessions.
func HasEvents(columns []string) bool {
	return slices.Contains(columns, UserID) && (slices.Contains(columns, EventID) || slices.Contains(columns, SessionID))
}

// IsSpecial reports whether a table is none of events, so that a glob never means it.
func IsSpecial(table string) bool {
	return table == TableUsers || table == TableMapping || table == TableEventMetadata
}
