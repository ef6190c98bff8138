package state

import (
	"errors"
	"fmt"

	"reconcile/state/internal/boltfile"
)

// format reads and proves what a state file holds, wherever the file is.
type format struct {
	place   string // of the state, for messages
	program string // version of this program
}

// damaged turns what boltfile found into the error that names the file and what
// to do, and leaves other errors alone.
func (s format) damaged(err error) error {
	if errors.Is(err, boltfile.ErrCorrupt) {
		return &DamagedError{Path: s.place, Reason: err.Error()}
	}
	return err
}

func (s format) damagedRecord(b bucket, key []byte, err error) error {
	return &DamagedError{Path: s.place, Reason: fmt.Sprintf("record %q of %s: %v", key, b, err)}
}

// readMeta returns the meta record of a view, checked on its own only.
func (s format) readMeta(v *boltfile.View) (metaRecord, error) {
	value, err := v.Get(bMeta.String(), []byte(metaKey))
	if err != nil {
		return metaRecord{}, err
	}
	if value == nil {
		return metaRecord{}, &DamagedError{Path: s.place, Reason: "it says nowhere what it is"}
	}
	payload, _, err := unseal(bMeta, []byte(metaKey), value)
	if err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	return s.decodeMeta(payload)
}

func (s format) decodeMeta(payload []byte) (metaRecord, error) {
	mode, err := decMode()
	if err != nil {
		return metaRecord{}, err
	}
	var head struct {
		Format  uint32 `cbor:"1,keyasint"`
		Program string `cbor:"2,keyasint"`
	}
	if err := mode.Unmarshal(payload, &head); err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	if head.Format > formatVersion {
		return metaRecord{}, &VersionError{Path: s.place, Found: head.Format, Supported: formatVersion,
			Writer: head.Program, Reader: s.program}
	}
	var m metaRecord
	if err := mode.Unmarshal(payload, &m); err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	return m, nil
}
