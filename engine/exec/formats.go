package exec

import (
	"fmt"

	"reconcile/engine/index"
	"reconcile/engine/rules"
)

// Formats are the versions of the forms in which an executor is to write what it stages.
type Formats struct {
	DataFiles  int `cbor:"1,keyasint,omitempty"` // order of rows, columns beside the payload, labels in the footer
	Index      int `cbor:"2,keyasint,omitempty"` // runs of the index
	RowObjects int `cbor:"3,keyasint,omitempty"` // shadow rows and kept users
	Quarantine int `cbor:"4,keyasint,omitempty"` // records of rows without their keys
	Content    int `cbor:"5,keyasint,omitempty"` // number of the content rules, see rules.ContentVersion
}

// CurrentFormats are those that this program writes.
func CurrentFormats() Formats {
	return Formats{DataFiles: 1, Index: index.FormatVersion, RowObjects: 1, Quarantine: 1, Content: rules.ContentVersion}
}

// CheckWritable fails if the task is of another version than this program's, or asks for
// forms that an executor does not write.
func (t *Task) CheckWritable(writes Formats) error {
	if t.Version != FormatVersion {
		return fmt.Errorf("table %s: its task is of version %d, this is %d", t.Table, t.Version, FormatVersion)
	}
	if t.Formats != writes {
		return fmt.Errorf("table %s: its task asks for the formats %+v, the executor writes %+v", t.Table, t.Formats, writes)
	}
	return nil
}
