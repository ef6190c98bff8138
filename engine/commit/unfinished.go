package commit

// Unfinished is why the last commits of tables cannot be finished, as one command finds
// out. The zero Unfinished is empty. One goroutine uses it at a time.
type Unfinished struct {
	why map[string]error // by table
}

// Why returns why the last commit of a table cannot be finished, nil if it can.
func (u *Unfinished) Why(table string) error { return u.why[table] }

// Clear forgets what was found out.
func (u *Unfinished) Clear() { u.why = nil }

func (u *Unfinished) noteReason(table string, why error) {
	if u.why == nil {
		u.why = map[string]error{}
	}
	u.why[table] = why
}
