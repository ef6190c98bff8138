package kv

import (
	"errors"
	"fmt"
)

// stored is the form in which a transaction is stored. The order of its lists is
// that of the file, so that a transaction has one form.
type stored struct {
	Serial     uint64      `cbor:"1,keyasint"`
	Before     uint64      `cbor:"2,keyasint,omitempty"`
	Lineage    string      `cbor:"3,keyasint"`
	Generation uint64      `cbor:"4,keyasint,omitempty"`
	Replaces   bool        `cbor:"5,keyasint,omitempty"`
	Collect    [][]byte    `cbor:"6,keyasint,omitempty"`
	Wiped      [][]byte    `cbor:"7,keyasint,omitempty"`
	Puts       []storedPut `cbor:"8,keyasint,omitempty"`
}

// storedPut is one record that is put, or deleted if it has no value. The value carries
// its checksum.
type storedPut struct {
	Bucket string `cbor:"1,keyasint"`
	Key    []byte `cbor:"2,keyasint"`
	Value  []byte `cbor:"3,keyasint,omitempty"`
}

// Encode returns the bytes of a transaction.
func (c *Changes) Encode() ([]byte, error) {
	r := stored{Serial: c.Serial, Before: c.Before, Lineage: c.Lineage, Generation: c.Generation,
		Replaces: c.Replaces, Collect: c.Collect, Wiped: c.Wiped}
	for b := range BucketCount {
		for _, key := range c.SortedKeys(b) {
			r.Puts = append(r.Puts, storedPut{Bucket: b.String(), Key: []byte(key), Value: c.Puts[b][key]})
		}
	}
	return Encode(r)
}

// DecodeChanges is the inverse of Encode. The values of all records are checked.
func DecodeChanges(data []byte) (*Changes, error) {
	mode, err := DecMode()
	if err != nil {
		return nil, err
	}
	var r stored
	if err := mode.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("decode transaction: %w", err)
	}
	c := NewChanges(r.Serial, r.Before, r.Lineage, r.Generation)
	c.Replaces, c.Collect, c.Wiped = r.Replaces, r.Collect, r.Wiped
	for _, p := range r.Puts {
		b, ok := BucketByName(p.Bucket)
		if !ok || b >= BucketCount || len(p.Key) == 0 {
			return nil, fmt.Errorf("decode transaction: record %q of the unknown bucket %q", p.Key, p.Bucket)
		}
		if p.Value != nil {
			if err := checkPut(b, p); err != nil {
				return nil, fmt.Errorf("decode transaction: record %q of %s: %w", p.Key, b, err)
			}
		}
		c.Puts[b][string(p.Key)] = p.Value
	}
	if r.Serial <= r.Before {
		return nil, errors.New("decode transaction: its serial is not above that of the state before it")
	}
	return c, nil
}

// checkPut proves the value of a record that is put.
func checkPut(b Bucket, p storedPut) error {
	if b == Inline {
		_, err := StoredSum(p.Value)
		return err
	}
	_, _, err := Unseal(b, p.Key, p.Value)
	return err
}
