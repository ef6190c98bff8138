package plan

import (
	"fmt"
	"strconv"
	"strings"

	"reconcile/internal/amount"
)

// FailedCheck is a check that a staged step of a table does not pass.
type FailedCheck struct {
	Check string `cbor:"1,keyasint"` // its name
	Table string `cbor:"2,keyasint"`
	Kind  string `cbor:"3,keyasint"` // as the configuration calls it
	Text  string `cbor:"4,keyasint"` // what it asks for
	Warns bool   `cbor:"5,keyasint,omitempty"`
	// Dump is the newest that the step takes. With Accept it is let through.
	Dump int64 `cbor:"6,keyasint"`
	// Judged is how many rows were judged, Failed how many of them failed. Of a check of
	// dumps they are dumps.
	Judged int64 `cbor:"7,keyasint,omitempty"`
	Failed int64 `cbor:"8,keyasint"`
	// Columns are those that Rows show, by their published names: first the key.
	Columns []string    `cbor:"9,keyasint,omitempty"`
	Rows    []FailedRow `cbor:"10,keyasint,omitempty"` // the first ones that failed
	Dumps   []DumpCount `cbor:"11,keyasint,omitempty"` // that failed
}

// FailedRow is a row that fails a check, as it would be published.
type FailedRow struct {
	Dump int64 `cbor:"1,keyasint"`
	// Values are those of the columns, as text; nil for null.
	Values []*string `cbor:"2,keyasint"`
}

// DumpCount is how many rows a dump delivers, and twice the median of those before it.
type DumpCount struct {
	Dump        int64 `cbor:"1,keyasint"`
	Rows        int64 `cbor:"2,keyasint"`
	TwiceMedian int64 `cbor:"3,keyasint"`
}

// CheckAddress is what plans and flags call a check.
func CheckAddress(name string) string { return "check." + name }

// Accept is what -accept names to let the step pass.
func (f *FailedCheck) Accept() string {
	return CheckAddress(f.Check) + "@" + strconv.FormatInt(f.Dump, 10)
}

// OfCheck reports whether a check holds it, and no guard.
func (h *Hold) OfCheck() bool { return strings.HasPrefix(h.Guard, CheckAddress("")) }

// Unjudged is a check that has judged no step of a table since it was declared.
type Unjudged struct {
	Check string `cbor:"1,keyasint"`
	Table string `cbor:"2,keyasint"`
}

// TableCheck is a check that judges a step of a table.
type TableCheck struct {
	Check string `cbor:"1,keyasint"`
	Kind  string `cbor:"2,keyasint"`
	Warns bool   `cbor:"3,keyasint,omitempty"`
	// Reads are columns of the whole table that it reads, and Users says that it reads the
	// ids of users.
	Reads []string `cbor:"4,keyasint,omitempty"`
	Users bool     `cbor:"5,keyasint,omitempty"`
}

// Found says what the check found.
func (f *FailedCheck) Found() string {
	if len(f.Dumps) > 0 || f.Kind == "rows" {
		return f.found("dump")
	}
	return f.found("row")
}

func (f *FailedCheck) found(what string) string {
	return fmt.Sprintf("%s, %s: %s of %s %s", CheckAddress(f.Check), f.Text, amount.Number(f.Failed), amount.Of(f.Judged, what),
		amount.Verb(f.Failed, "fails", "fail"))
}
