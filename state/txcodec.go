package state

import (
	"errors"
	"fmt"
)

// txRecord is the form in which a transaction is stored. The order of its lists is
// that of the file, so that a transaction has one form.
type txRecord struct {
	Serial     uint64   `cbor:"1,keyasint"`
	Before     uint64   `cbor:"2,keyasint,omitempty"`
	Lineage    string   `cbor:"3,keyasint"`
	Generation uint64   `cbor:"4,keyasint,omitempty"`
	Replaces   bool     `cbor:"5,keyasint,omitempty"`
	Collect    [][]byte `cbor:"6,keyasint,omitempty"`
	Wiped      [][]byte `cbor:"7,keyasint,omitempty"`
	Puts       []txPut  `cbor:"8,keyasint,omitempty"`
}

// txPut is one record that is put, or deleted if it has no value. The value carries
// its checksum.
type txPut struct {
	Bucket string `cbor:"1,keyasint"`
	Key    []byte `cbor:"2,keyasint"`
	Value  []byte `cbor:"3,keyasint,omitempty"`
}

// encodeTx returns the bytes of a transaction.
func encodeTx(tx *Tx) ([]byte, error) {
	r := txRecord{Serial: tx.serial, Before: tx.before, Lineage: tx.lineage, Generation: tx.generation,
		Replaces: tx.replaces, Collect: tx.collect, Wiped: tx.wiped}
	for b := range bucketCount {
		for _, key := range tx.sortedKeys(b) {
			r.Puts = append(r.Puts, txPut{Bucket: b.String(), Key: []byte(key), Value: tx.puts[b][key]})
		}
	}
	return encode(r)
}

// decodeTx is the inverse of encodeTx. The values of all records are checked.
func decodeTx(data []byte) (*Tx, error) {
	mode, err := decMode()
	if err != nil {
		return nil, err
	}
	var r txRecord
	if err := mode.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("decode transaction: %w", err)
	}
	tx := newTx(r.Serial, Head{Serial: r.Before, Lineage: r.Lineage, Generation: r.Generation})
	tx.replaces, tx.collect, tx.wiped = r.Replaces, r.Collect, r.Wiped
	for _, p := range r.Puts {
		b, ok := bucketByName(p.Bucket)
		if !ok || b >= bucketCount || len(p.Key) == 0 {
			return nil, fmt.Errorf("decode transaction: record %q of the unknown bucket %q", p.Key, p.Bucket)
		}
		if p.Value != nil {
			if err := checkPut(b, p); err != nil {
				return nil, fmt.Errorf("decode transaction: record %q of %s: %w", p.Key, b, err)
			}
		}
		tx.puts[b][string(p.Key)] = p.Value
	}
	if r.Serial <= r.Before {
		return nil, errors.New("decode transaction: its serial is not above that of the state before it")
	}
	return tx, nil
}

// checkPut proves the value of a record that is put.
func checkPut(b bucket, p txPut) error {
	if b == bInline {
		_, err := storedSum(p.Value)
		return err
	}
	_, _, err := unseal(b, p.Key, p.Value)
	return err
}
