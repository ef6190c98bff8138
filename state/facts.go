package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Facts are what the state remembers beside its tables, dumps and mapping. In the file
// each is a setting of its own. The maps are never nil in what Load returns.
type Facts struct {
	// Lost are the tables whose last commit cannot be made visible, and that are to be
	// rebuilt.
	Lost map[string]*LostCommit
	// Forgotten are the roots of sinks that were taken out of the state: to ask for
	// that once more is no mistake.
	Forgotten map[string]bool
	// Accepted are the deliveries that guards do not judge again, with the digest of
	// the manifest's entry.
	Accepted map[Delivery]string
	// JudgedMasks are the digests of masks that were compared with what is delivered.
	JudgedMasks map[string]bool
	// RemovedTables are those that removed blocks took out of the state.
	RemovedTables map[string]bool
	// PlainLeft says that deleted records may still hold plain values of a column that
	// is masked by now.
	PlainLeft bool
	// HeldSteps are the steps that checks hold, by table.
	HeldSteps map[string]*HeldStep
	// Waiting is what the last apply left waiting.
	Waiting Waiting
	// Successor is the place that the state was moved to: it is closed. Arriving is the
	// place that it is being moved from: it is not open yet. Both are empty of a state
	// that can be used.
	Successor, Arriving string
}

// LostCommit says why a table is to be rebuilt, and which files of the content before
// the state no longer lists: they go when the rebuilt ones are there.
type LostCommit struct {
	Why  string `json:"why"`
	Left []Step `json:"left,omitempty"` // removals
}

// Delivery is what one dump brings of one table.
type Delivery struct {
	Table string
	Dump  int64
}

// The names of the settings that are facts.
const (
	lostPrefix      = "rebuild/"
	forgottenPrefix = "forgotten/"
	acceptedPrefix  = "accepted/"
	judgedPrefix    = "mask/"
	removedPrefix   = "mask/removed/" // to be looked for before judgedPrefix
	plainLeftKey    = "compact"
	successorKey    = "successor"
	arrivingKey     = "arriving"
)

func (d Delivery) key() string { return acceptedPrefix + d.Table + "@" + strconv.FormatInt(d.Dump, 10) }

func newFacts() Facts {
	return Facts{Lost: map[string]*LostCommit{}, Forgotten: map[string]bool{}, Accepted: map[Delivery]string{},
		JudgedMasks: map[string]bool{}, RemovedTables: map[string]bool{},
		HeldSteps: map[string]*HeldStep{}}
}

// addSetting adds the fact that a setting is; false says that it is none.
func (f *Facts) addSetting(key string, value []byte) (bool, error) {
	switch key {
	case plainLeftKey:
		f.PlainLeft = true
		return true, nil
	case successorKey:
		f.Successor = string(value)
		return true, nil
	case arrivingKey:
		f.Arriving = string(value)
		return true, nil
	}
	if table, ok := strings.CutPrefix(key, lostPrefix); ok {
		f.Lost[table] = &LostCommit{}
		return true, json.Unmarshal(value, f.Lost[table])
	}
	if table, ok := strings.CutPrefix(key, heldStepPrefix); ok {
		f.HeldSteps[table] = &HeldStep{}
		return true, json.Unmarshal(value, f.HeldSteps[table])
	}
	if root, ok := strings.CutPrefix(key, forgottenPrefix); ok {
		f.Forgotten[root] = true
		return true, nil
	}
	if table, ok := strings.CutPrefix(key, removedPrefix); ok {
		f.RemovedTables[table] = true
		return true, nil
	}
	if digest, ok := strings.CutPrefix(key, judgedPrefix); ok {
		f.JudgedMasks[digest] = true
		return true, nil
	}
	if name, ok := strings.CutPrefix(key, acceptedPrefix); ok {
		at := strings.LastIndexByte(name, '@')
		dump, err := strconv.ParseInt(name[at+1:], 10, 64)
		if at < 0 || err != nil {
			return true, fmt.Errorf("%q names no delivery", name)
		}
		f.Accepted[Delivery{name[:at], dump}] = string(value)
		return true, nil
	}
	return false, nil
}

// SetLost notes that a table is to be rebuilt; nil takes that back.
func (tx *Tx) SetLost(table string, lost *LostCommit) error {
	if lost == nil {
		return tx.DeleteSetting(lostPrefix + table)
	}
	data, err := json.Marshal(lost)
	if err != nil {
		return fmt.Errorf("the lost commit of table %s: %w", table, err)
	}
	return tx.PutSetting(lostPrefix+table, data)
}

// SetForgotten records that the state forgot the sink at a root.
func (tx *Tx) SetForgotten(root string) error { return tx.PutSetting(forgottenPrefix+root, nil) }

// SetAccepted notes that guards do not judge a delivery again, while the manifest's
// entry has a digest.
func (tx *Tx) SetAccepted(d Delivery, digest string) error {
	return tx.PutSetting(d.key(), []byte(digest))
}

// DeleteAccepted takes SetAccepted back.
func (tx *Tx) DeleteAccepted(d Delivery) error { return tx.DeleteSetting(d.key()) }

// SetJudgedMask notes that the mask with a digest was compared with what is delivered,
// or takes that back.
func (tx *Tx) SetJudgedMask(digest string, judged bool) error {
	return setFlag(tx, judgedPrefix+digest, judged)
}

// SetRemovedTable notes that a removed block took a table out of the state, or takes
// that back.
func (tx *Tx) SetRemovedTable(table string, removed bool) error {
	return setFlag(tx, removedPrefix+table, removed)
}

// SetPlainLeft notes that deleted records may hold plain values, or takes that back.
func (tx *Tx) SetPlainLeft(left bool) error {
	if !left {
		return tx.DeleteSetting(plainLeftKey)
	}
	return tx.PutSetting(plainLeftKey, nil)
}

// setSuccessor closes the state, which was moved to a place.
func setSuccessor(tx *Tx, place string) error {
	tx.changes.Successor = place
	return tx.PutSetting(successorKey, []byte(place))
}

// setArriving says that the state is being moved from a place; none opens it.
func setArriving(tx *Tx, place string) error {
	if place == "" {
		return tx.DeleteSetting(arrivingKey)
	}
	return tx.PutSetting(arrivingKey, []byte(place))
}

// putFacts puts all facts but where the state was moved to or from.
func putFacts(tx *Tx, f *Facts) error {
	var errs []error
	for table, lost := range f.Lost {
		errs = append(errs, tx.SetLost(table, lost))
	}
	for root := range f.Forgotten {
		errs = append(errs, tx.SetForgotten(root))
	}
	for d, digest := range f.Accepted {
		errs = append(errs, tx.SetAccepted(d, digest))
	}
	for digest := range f.JudgedMasks {
		errs = append(errs, tx.SetJudgedMask(digest, true))
	}
	for table := range f.RemovedTables {
		errs = append(errs, tx.SetRemovedTable(table, true))
	}
	for table, held := range f.HeldSteps {
		errs = append(errs, PutHeldStep(tx, table, held))
	}
	if f.PlainLeft {
		errs = append(errs, tx.SetPlainLeft(true))
	}
	if !f.Waiting.Empty() {
		errs = append(errs, tx.SetWaiting(&f.Waiting))
	}
	return errors.Join(errs...)
}

func setFlag(tx *Tx, key string, on bool) error {
	if !on {
		return tx.DeleteSetting(key)
	}
	return tx.PutSetting(key, []byte{1})
}
