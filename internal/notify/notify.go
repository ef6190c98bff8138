// Package notify tells others what an apply came to: it runs a command or calls a webhook,
// with a message as JSON, within a time that is bounded.
//
// A message holds no secret. Where a webhook lies, and what is sent to prove who calls, is
// one: neither is part of an error.
package notify

import (
	"slices"
	"time"
)

// Kind is what an event is about, as the configuration names it.
type Kind string

// The kinds of events.
const (
	HoldBegan     Kind = "hold_began"
	HoldEnded     Kind = "hold_ended"
	ResyncApplied Kind = "resync_applied"
	Failed        Kind = "exit_1"
	Partial       Kind = "exit_3"
	Locked        Kind = "exit_11"
	Stale         Kind = "exit_12"
	Guarded       Kind = "exit_13"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{HoldBegan, HoldEnded, ResyncApplied, Failed, Partial, Locked, Stale, Guarded}
}

// Version is raised when a field of a message changes its meaning or goes.
const Version = 1

// Message is what is sent.
type Message struct {
	Type    string `json:"type"` // "notification"
	Version int    `json:"version"`
	// Text says the same in one line, for people.
	Text     string    `json:"text"`
	Label    string    `json:"label"` // of the notify block
	Program  string    `json:"program"`
	Folder   string    `json:"folder"` // of the configuration
	Lineage  string    `json:"lineage,omitempty"`
	Command  string    `json:"command"`
	Began    time.Time `json:"began_at"`
	Ended    time.Time `json:"ended_at"`
	ExitCode int       `json:"exit_code"`
	Errors   []string  `json:"errors,omitempty"`
	Events   []Event   `json:"events"`
	// LeftOut counts the events that are not listed, as there are too many.
	LeftOut int `json:"events_left_out,omitempty"`
}

// Event is one thing that happened.
type Event struct {
	Event Kind `json:"event"`
	// Table, Sink, Dump and File are what it is about, as far as it is about one.
	Table  string     `json:"table,omitempty"`
	Sink   string     `json:"sink,omitempty"`
	Dump   int64      `json:"dump,omitempty"`
	File   string     `json:"file,omitempty"`
	Guard  string     `json:"guard,omitempty"`
	Accept string     `json:"accept,omitempty"` // what -accept takes
	Reason string     `json:"reason,omitempty"` // for people
	Since  *time.Time `json:"since,omitempty"`
	// Rows is how many the table has after a resync, Removed how many of those before went.
	Rows    *int64 `json:"rows,omitempty"`
	Removed *int64 `json:"rows_removed,omitempty"`
}

// most is how many events and errors a message lists.
const most = 100

// For is the message for a target: the events of kinds that it wants; false if there are
// none of these.
func (m Message) For(label string, on []Kind) (Message, bool) {
	m.Type, m.Version, m.Label = "notification", Version, label
	m.Events = slices.DeleteFunc(slices.Clone(m.Events), func(e Event) bool { return len(on) > 0 && !slices.Contains(on, e.Event) })
	if len(m.Events) == 0 {
		return m, false
	}
	m.Text = m.summary()
	if n := len(m.Events) - most; n > 0 {
		m.Events, m.LeftOut = m.Events[:most], n
	}
	m.Errors = m.Errors[:min(len(m.Errors), most)]
	return m, true
}
