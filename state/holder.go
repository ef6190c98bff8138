package state

import (
	"fmt"
	"os"
	"os/user"
	"time"
)

// Holder says who holds the lock, for the message to those who want it too.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	User    string    `json:"user"`
	Command string    `json:"command"` // verb only, never flags: they may hold secrets
	Since   time.Time `json:"since"`
}

// NewHolder describes this process.
func NewHolder(command string) Holder {
	h := Holder{PID: os.Getpid(), Command: command, Since: time.Now().UTC().Truncate(time.Second)}
	if host, err := os.Hostname(); err == nil {
		h.Host = host
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	} else { // an image has no list of users
		h.User = fmt.Sprintf("uid %d", os.Getuid())
	}
	return h
}
