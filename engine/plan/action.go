package plan

import "fmt"

// Action is what a plan does to a table; its text is its symbol in a plan.
type Action string

// The actions.
const (
	None    Action = ""
	Create  Action = "+"
	Update  Action = "~"
	Rebuild Action = "-/+"
	Destroy Action = "-"
	Forget  Action = "."
)

// Class is what a change of the configuration costs a table.
type Class int

// The classes, each more expensive than the one before.
const (
	ClassNone     Class = iota
	ClassMetadata       // nothing is rewritten
	ClassRewrite        // from what the sink and the state hold
	ClassRebuild        // from the source
)

// String names the class as plans do.
func (c Class) String() string {
	return [...]string{"none", "metadata only", "rewrite from the sink", "rebuild from the source"}[c]
}

// ConfigDiff is what has to change about what a table has, and why it is of its class.
type ConfigDiff struct {
	Class   Class    `cbor:"1,keyasint,omitempty"`
	Reasons []string `cbor:"2,keyasint,omitempty"`
	// Masks says that a column that was plain is masked.
	Masks bool `cbor:"3,keyasint,omitempty"`
}

// Add takes in another reason; the greatest class counts.
func (d *ConfigDiff) Add(c Class, format string, args ...any) {
	d.Class = max(d.Class, c)
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}
