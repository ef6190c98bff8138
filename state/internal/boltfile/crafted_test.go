package boltfile_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"reconcile/state/internal/boltfile"
)

const pageSize = 4096

// manyKeys makes a file with a bucket of several leaves and returns its bytes
// after each of four transactions.
func manyKeys(t *testing.T) (path string, versions [][]byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	for i := range 4 {
		db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true, PageSize: pageSize})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			for k := 0; k < 900 && err == nil; k++ {
				err = b.Put(fmt.Appendf(nil, "%06d", k), fmt.Appendf(nil, "value %d of %d", i, k))
			}
			return err
		})
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, data)
	}
	return path, versions
}

// branchPage returns the offset of the branch page that is in use.
func branchPage(t *testing.T, path string, data []byte) int {
	t.Helper()
	for at := 2 * pageSize; at+pageSize <= len(data); at += pageSize {
		if binary.NativeEndian.Uint16(data[at+8:]) != 1 {
			continue
		}
		bad := slices.Clone(data)
		clear(bad[at : at+pageSize])
		if _, err := walkBytes(t, path, bad); err != nil {
			return at
		}
	}
	t.Fatal("no branch page: the test is void")
	return 0
}

func walkBytes(t *testing.T, path string, data []byte) (content, error) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return walk(path)
}

func TestCraftedBranches(t *testing.T) {
	path, versions := manyKeys(t)
	data := versions[len(versions)-1]
	if _, err := walkBytes(t, path, data); err != nil {
		t.Fatal(err)
	}
	at := branchPage(t, path, data)
	own := uint64(at / pageSize)
	child := func(b []byte, i int) []byte { return b[at+16+16*i+8:][:8] }
	for what, c := range map[string]struct {
		change func(b []byte)
		want   string
	}{
		"a page that leads to itself": {func(b []byte) { binary.NativeEndian.PutUint64(child(b, 0), own) }, "used twice"},
		"a child twice":               {func(b []byte) { copy(child(b, 1), child(b, 0)) }, "used twice"},
		"children swapped": {func(b []byte) {
			first := string(child(b, 0))
			copy(child(b, 0), child(b, 1))
			copy(child(b, 1), first)
		}, "out of order"},
		"a child beyond the end": {func(b []byte) { binary.NativeEndian.PutUint64(child(b, 0), 1<<40) }, "refers to page"},
		"a meta page as a child": {func(b []byte) { binary.NativeEndian.PutUint64(child(b, 0), 1) }, "refers to page"},
		"no children":            {func(b []byte) { binary.NativeEndian.PutUint16(b[at+10:], 0) }, "is empty"},
		"the last child dropped": {func(b []byte) {
			n := binary.NativeEndian.Uint16(b[at+10:])
			binary.NativeEndian.PutUint16(b[at+10:], n-1)
		}, "neither used nor free"},
		"runs over the next page": {func(b []byte) { binary.NativeEndian.PutUint32(b[at+12:], 1) }, "page"},
		"runs over the end":       {func(b []byte) { binary.NativeEndian.PutUint32(b[at+12:], 1<<31) }, "runs over the end"},
	} {
		bad := slices.Clone(data)
		c.change(bad)
		_, err := walkBytes(t, path, bad)
		if !errors.Is(err, boltfile.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
		if err := getAll(path); err != nil && !errors.Is(err, boltfile.ErrCorrupt) {
			t.Errorf("%s: Get: %v", what, err)
		}
	}
}

func getAll(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return boltfile.Read(f, func(v *boltfile.View) error {
		for k := range 900 {
			if _, err := v.Get("b", fmt.Appendf(nil, "%06d", k)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestCraftedMetaPages(t *testing.T) {
	path, versions := manyKeys(t)
	newest := versions[3]
	var txid uint64
	if err := readView(path, func(v *boltfile.View) { txid = v.TxID() }); err != nil {
		t.Fatal(err)
	}
	slot := int(txid%2) * pageSize
	for what, change := range map[string]func(b []byte){
		"the newest is zeroed":    func(b []byte) { clear(b[slot : slot+pageSize]) },
		"the older is zeroed":     func(b []byte) { clear(b[pageSize-slot:][:pageSize]) },
		"the older is much older": func(b []byte) { copy(b[pageSize-slot:][:pageSize], versions[0][pageSize-slot:]) },
		"another version":         func(b []byte) { b[slot+16+4]++ },
	} {
		bad := slices.Clone(newest)
		change(bad)
		if _, err := walkBytes(t, path, bad); !errors.Is(err, boltfile.ErrCorrupt) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func readView(path string, fn func(*boltfile.View)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return boltfile.Read(f, func(v *boltfile.View) error { fn(v); return nil })
}
