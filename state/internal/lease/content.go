package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"
)

// State is what became of a lease.
type State string

// A lease is held until it is released, or forced by somebody else. A held one
// whose TTL has passed is expired, which is not written anywhere.
const (
	Taken    State = "held"
	Released State = "released"
	Forced   State = "forced"
)

// Holder is the process that has a lease.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	User    string    `json:"user"`
	Command string    `json:"command"` // verb only, never flags: they may hold secrets
	Since   time.Time `json:"since"`
}

func (h Holder) String() string {
	if h == (Holder{}) {
		return "an unknown process"
	}
	return fmt.Sprintf("%s@%s (process %d, %q) since %s", h.User, h.Host, h.PID, h.Command, h.Since.UTC().Format(time.RFC3339))
}

// format is the version of what the object holds.
const format = 1

// content is what the object holds.
type content struct {
	Format     int    `json:"format"`
	State      State  `json:"state"`
	ID         string `json:"id"`
	Holder     Holder `json:"holder"`
	Generation uint64 `json:"generation"`
	// Counter is greater in each write than in the one before it.
	Counter uint64 `json:"counter"`
	TTL     int64  `json:"ttl_ms"`
	// Fence says that the holder, or the one after a release, owes a fence.
	Fence bool `json:"fence_owed"`
	// Renewed is, of a forced lease, when its holder wrote it last, by the store's
	// clock: forcing it gives the object a later time.
	Renewed *time.Time `json:"renewed,omitempty"`
	// Replaced says of a forced lease that it was damaged: what its generation was
	// is not known.
	Replaced bool `json:"replaced_damaged,omitempty"`
}

func (c *content) ttl() time.Duration { return time.Duration(c.TTL) * time.Millisecond }

// digestField ends the object, with a digest of all before it.
const digestField = `,"digest":"`

func (c *content) encode() ([]byte, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	body := data[:len(data)-1] // the brace comes last
	return fmt.Appendf(bytes.Clone(body), "%s%016x\"}\n", digestField, xxh3.Hash(body)), nil
}

// decode proves and reads what encode made.
func decode(data []byte) (*content, error) {
	c := &content{}
	i := bytes.LastIndex(data, []byte(digestField))
	if i < 0 || json.Unmarshal(data, c) != nil {
		return nil, errors.New("it is cut off or no lease")
	}
	if c.Format > format {
		return nil, fmt.Errorf("it has format %d, of a later version of reconcile: use that one", c.Format)
	}
	if want := fmt.Sprintf("%s%016x\"}\n", digestField, xxh3.Hash(data[:i])); string(data[i:]) != want {
		return nil, errors.New("its digest is not that of its content")
	}
	return c, c.check()
}

// check reports what no holder writes.
func (c *content) check() error {
	switch {
	case c.State != Taken && c.State != Released && c.State != Forced:
		return fmt.Errorf("its state is %q", c.State)
	case c.ID == "" || c.Counter == 0 || c.TTL <= 0 || c.Generation == 0 && !c.Replaced:
		return errors.New("it lacks an ID, a generation, a counter or a TTL")
	case c.State == Forced && c.Renewed == nil:
		return errors.New("it is forced and does not say when it was renewed")
	}
	return nil
}
