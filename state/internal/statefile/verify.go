package statefile

import (
	"os"

	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/kv"
)

// Verify proves a state file: its structure, the checksum of every value but
// those of the small objects, and that no key of a bucket is missing or too
// many. It calls keep, if not nil, with each entry before all is known to be
// good; what that gathers counts only when Verify returns nil.
func (s Format) Verify(v *boltfile.View, keep func(kv.Bucket, kv.Entry)) (Meta, error) {
	meta, err := s.ReadMeta(v) // first: of a newer format nothing else is known
	if err != nil {
		return Meta{}, err
	}
	var got [kv.BucketCount]kv.Tally
	err = v.Walk(func(name string, key, value []byte) error {
		b, ok := kv.BucketByName(name)
		if !ok || (b == kv.Meta && string(key) != metaKey) {
			return s.damage("it holds the unknown record %q of %q", key, name)
		}
		e, sum, err := checkEntry(b, key, value)
		if err != nil {
			return s.damagedRecord(b, key, err)
		}
		if b == kv.Meta {
			return nil
		}
		got[b].Add(key, sum)
		if keep != nil {
			keep(b, e)
		}
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	return meta, s.compareTallies(meta, got)
}

func checkEntry(b kv.Bucket, key, value []byte) (kv.Entry, uint64, error) {
	if b == kv.Inline {
		sum, err := kv.StoredSum(value)
		return kv.Entry{Key: key}, sum, err
	}
	payload, sum, err := kv.Unseal(b, key, value)
	return kv.Entry{Key: key, Payload: payload}, sum, err
}

func (s Format) compareTallies(meta Meta, got [kv.BucketCount]kv.Tally) error {
	for b, g := range got {
		name := kv.Bucket(b).String()
		if want := meta.Tallies[name]; g != want {
			return s.damage("it holds %d records of %s with the digest %016x, %d with %016x were written", g.Count, name, g.Digest, want.Count, want.Digest)
		}
	}
	return nil
}

// VerifyFile proves a file and returns its meta record.
func (s Format) VerifyFile(f *os.File) (meta Meta, err error) {
	err = s.View(f, func(v *boltfile.View) error {
		meta, err = s.Verify(v, nil)
		return err
	})
	return meta, err
}
