package state

import (
	"fmt"

	"reconcile/state/internal/boltfile"
)

// entry is one key with its checked payload. Of a small object, which is read
// when it is wanted and then checked by its digest, the payload is left out.
type entry struct {
	key     []byte
	payload []byte
}

// verify proves a state file: its structure, the checksum of every value but
// those of the small objects, and that no key of a bucket is missing or too
// many. It calls keep, if not nil, with each entry before all is known to be
// good; what that gathers counts only when verify returns nil.
func (s format) verify(v *boltfile.View, keep func(bucket, entry)) (metaRecord, error) {
	meta, err := s.readMeta(v) // first: of a newer format nothing else is known
	if err != nil {
		return metaRecord{}, err
	}
	var got [bucketCount]tally
	err = v.Walk(func(name string, key, value []byte) error {
		b, ok := bucketByName(name)
		if !ok || (b == bMeta && string(key) != metaKey) {
			return &DamagedError{Path: s.place, Reason: fmt.Sprintf("it holds the unknown record %q of %q", key, name)}
		}
		e, sum, err := checkEntry(b, key, value)
		if err != nil {
			return s.damagedRecord(b, key, err)
		}
		if b == bMeta {
			return nil
		}
		got[b].add(key, sum)
		if keep != nil {
			keep(b, e)
		}
		return nil
	})
	if err != nil {
		return metaRecord{}, err
	}
	return meta, s.compareTallies(meta, got)
}

func checkEntry(b bucket, key, value []byte) (entry, uint64, error) {
	if b == bInline {
		sum, err := storedSum(value)
		return entry{key: key}, sum, err
	}
	payload, sum, err := unseal(b, key, value)
	return entry{key: key, payload: payload}, sum, err
}

func (s format) compareTallies(meta metaRecord, got [bucketCount]tally) error {
	for b, g := range got {
		name := bucket(b).String()
		if want := meta.Tallies[name]; g != want {
			return &DamagedError{Path: s.place, Reason: fmt.Sprintf(
				"it holds %d records of %s with the digest %016x, %d with %016x were written", g.Count, name, g.Digest, want.Count, want.Digest)}
		}
	}
	return nil
}
