package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/xxh3"
)

// formatVersion is the format of the file as a whole: what buckets there are
// and what their keys and records mean. It is raised when an older program
// would misread the file, not when a record gets one more field.
const formatVersion = 1

// A value is the framing byte, 8 bytes of checksum, then the payload.
const (
	framing    = 1
	valueStart = 9
)

// A bucket is one kind of record.
type bucket int

const (
	bTables     bucket = iota // delivered name -> Table
	bPartitions               // name and ordinal -> Partition
	bDumps                    // id -> Dump
	bMapping                  // one key -> Mapping
	bHolds                    // table, NUL, dump -> Hold
	bPublishes                // table -> Publish
	bSettings                 // any key -> bytes
	bInline                   // SHA-256 -> the bytes of a small object
	bucketCount

	// bMeta holds the meta record, and is not counted in it.
	bMeta = bucketCount
)

// bucketNames are the names in the file, by bucket.
func (b bucket) String() string {
	return [...]string{"tables", "partitions", "dumps", "mapping", "holds", "publishes", "settings", "inline", "meta"}[b]
}

func bucketByName(name string) (bucket, bool) {
	for b := range bMeta + 1 {
		if b.String() == name {
			return b, true
		}
	}
	return 0, false
}

// checksum is over all that a value is: bucket, key and payload.
func checksum(b bucket, key, payload []byte) uint64 {
	return xxh3.HashSeed(payload, xxh3.HashSeed(key, uint64(b)+1))
}

// seal frames a payload.
func seal(b bucket, key, payload []byte) []byte {
	v := make([]byte, valueStart, valueStart+len(payload))
	v[0] = framing
	binary.LittleEndian.PutUint64(v[1:], checksum(b, key, payload))
	return append(v, payload...)
}

// storedSum returns the checksum that a value carries.
func storedSum(value []byte) (uint64, error) {
	if len(value) < valueStart {
		return 0, errors.New("its value is cut")
	}
	if value[0] != framing {
		return 0, fmt.Errorf("its value begins with %#x, not %#x", value[0], framing)
	}
	return binary.LittleEndian.Uint64(value[1:]), nil
}

// unseal returns the payload of a value whose checksum is right, and that.
func unseal(b bucket, key, value []byte) ([]byte, uint64, error) {
	sum, err := storedSum(value)
	if err != nil {
		return nil, 0, err
	}
	payload := value[valueStart:]
	if checksum(b, key, payload) != sum {
		return nil, 0, errors.New("its checksum is wrong")
	}
	return payload, sum, nil
}

// tally is the count and digest of a bucket. The digest is the sum, modulo
// 2^64, of a hash of each key and the checksum that its value carries: the order
// does not matter, and of a value that is not read, its key still counts.
type tally struct {
	Count  uint64 `cbor:"1,keyasint"`
	Digest uint64 `cbor:"2,keyasint"`
}

func (t *tally) add(key []byte, sum uint64)    { t.Count++; t.Digest += xxh3.HashSeed(key, sum) }
func (t *tally) remove(key []byte, sum uint64) { t.Count--; t.Digest -= xxh3.HashSeed(key, sum) }

// metaRecord says what the file is. Of a newer format only Format and Program
// can be relied on.
type metaRecord struct {
	Format  uint32           `cbor:"1,keyasint"`
	Program string           `cbor:"2,keyasint"`
	Lineage string           `cbor:"3,keyasint"`
	Serial  uint64           `cbor:"4,keyasint"`
	Tallies map[string]tally `cbor:"5,keyasint"` // by bucket name
	// Slot and Record are, in a copy of a state of an object store, the serial and the
	// digest of the record of its log that this is the content after.
	Slot   uint64 `cbor:"10,keyasint,omitempty"`
	Record []byte `cbor:"11,keyasint,omitempty"`
	// Generation is that of the lease under which the record was made.
	Generation uint64 `cbor:"12,keyasint,omitempty"`
}

// clone returns a copy that shares nothing with m.
func (m metaRecord) clone() metaRecord {
	m.Tallies, m.Record = maps.Clone(m.Tallies), slices.Clone(m.Record)
	return m
}

// metaKey is the one key of bMeta.
const metaKey = "state"

// The key of the one record of bMapping.
const mappingKey = "newest"

// decMode accepts what encMode writes, of any length: names can be any bytes
// and lists can be long.
func decMode() (cbor.DecMode, error) {
	const unlimited = 1<<31 - 1
	return cbor.DecOptions{
		MaxArrayElements: unlimited,
		MaxMapPairs:      unlimited,
		UTF8:             cbor.UTF8DecodeInvalid,
	}.DecMode()
}

// encode makes the bytes of a record the same whenever it is the same.
func encode(record any) ([]byte, error) {
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(record)
}

// partitionPrefix begins the keys of a table's partitions. The length in front
// keeps one name from being the beginning of another.
func partitionPrefix(table string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(table))), table...)
}

func partitionKey(table string, ordinal uint32) []byte {
	return binary.BigEndian.AppendUint32(partitionPrefix(table), ordinal)
}

// splitPartitionKey is the inverse of partitionKey.
func splitPartitionKey(key []byte) (table []byte, ordinal uint32, ok bool) {
	n, used := binary.Uvarint(key)
	if used <= 0 || n > uint64(len(key)) || len(key) != used+int(n)+4 {
		return nil, 0, false
	}
	return key[used : used+int(n)], binary.BigEndian.Uint32(key[used+int(n):]), true
}

// dumpKey sorts as the id does.
// holdKey orders the holds of a table by dump.
func holdKey(table string, dump int64) []byte {
	return append(append([]byte(table), 0), dumpKey(dump)...)
}

func dumpKey(id int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(id)^1<<63)
}
