package exec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// encode returns v as deterministic CBOR: equal values give equal bytes.
func encode(v any) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}

// decode reads what encode wrote into v. Names of files and columns need not be UTF-8.
func decode(b []byte, v any) error {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
		UTF8:             cbor.UTF8DecodeInvalid,
	}.DecMode()
	if err != nil {
		return err
	}
	return mode.Unmarshal(b, v)
}

// EncodeTask writes a task down.
func EncodeTask(t *Task) ([]byte, error) {
	b, err := encode(t)
	if err != nil {
		return nil, fmt.Errorf("encode task: %w", err)
	}
	return b, nil
}

// EncodeResult writes a result down.
func EncodeResult(r *Result) ([]byte, error) {
	b, err := encode(r)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return b, nil
}

// DecodeTask reads what EncodeTask wrote. It refuses a task of another version.
func DecodeTask(b []byte) (*Task, error) {
	t := &Task{}
	if err := decode(b, t); err != nil {
		return nil, fmt.Errorf("decode task: %w", err)
	}
	if t.Version != FormatVersion {
		return nil, fmt.Errorf("decode task: it is of version %d, this is %d", t.Version, FormatVersion)
	}
	return t, nil
}

// DecodeResult reads what EncodeResult wrote.
func DecodeResult(b []byte) (*Result, error) {
	r := &Result{}
	if err := decode(b, r); err != nil {
		return nil, fmt.Errorf("decode result: %w", err)
	}
	return r, nil
}

// Digest returns what tells the task from all others, the lower-case hex SHA-256 of
// what it says without what is the attempt's: a task that is tried again has the same one.
func (t *Task) Digest() (string, error) {
	u := *t
	u.Attempt, u.Objects = "", ""
	u.Deliveries = slices.Clone(t.Deliveries)
	for i := range u.Deliveries {
		u.Deliveries[i].Files = Files{} // too many to be encoded at once
	}
	b, err := encode(u)
	sum := sha256.New()
	sum.Write(b)
	for i := range t.Deliveries {
		err = cmp.Or(err, t.Deliveries[i].Files.sum(sum))
	}
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
