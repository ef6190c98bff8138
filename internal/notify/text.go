package notify

import (
	"fmt"
	"strings"

	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

const (
	mostNames = 3   // tables that a text names of each kind
	mostText  = 300 // characters of an error that a text quotes
)

// summary says in one line what a message is about.
func (m *Message) summary() string {
	parts := []string{}
	for _, kind := range Kinds() {
		var about []string
		n := 0
		for _, e := range m.Events {
			if e.Event != kind {
				continue
			}
			if n++; n <= mostNames {
				about = append(about, e.subject())
			}
		}
		if n == 0 {
			continue
		}
		part := phrase(kind)
		if names := strings.Join(about, ", "); strings.Trim(names, ", ") != "" {
			part += ": " + names
		}
		if n > mostNames {
			part += " and " + amount.Number(n-mostNames) + " more"
		}
		parts = append(parts, part)
	}
	text := fmt.Sprintf("reconcile %s in %s: %s", m.Command, plain.Text(m.Folder), strings.Join(parts, "; "))
	if len(m.Errors) > 0 {
		text += ": " + cut(plain.Text(m.Errors[0]))
	}
	return text
}

// subject names what an event is about.
func (e *Event) subject() string {
	switch {
	case e.Table != "" && e.Dump != 0:
		return plain.Sprintf("table.%s at dump %d", e.Table, e.Dump)
	case e.Table != "":
		return plain.Sprintf("table.%s", e.Table)
	case e.Sink != "":
		return plain.Sprintf("sink %s", e.Sink)
	case e.Dump != 0:
		return fmt.Sprintf("dump %d", e.Dump)
	case e.File != "":
		return plain.Text(e.File)
	}
	return ""
}

func phrase(k Kind) string {
	switch k {
	case HoldBegan:
		return "held now"
	case HoldEnded:
		return "no longer held"
	case ResyncApplied:
		return "full resync applied"
	case Failed:
		return "failed (exit code 1)"
	case Partial:
		return "something is held or failed (exit code 3)"
	case Locked:
		return "the state is locked (exit code 11)"
	case Stale:
		return "the saved plan is stale (exit code 12)"
	}
	return "a guard holds something, or nothing new came (exit code 13)"
}

func cut(s string) string {
	if r := []rune(s); len(r) > mostText {
		return string(r[:mostText]) + " ..."
	}
	return s
}
