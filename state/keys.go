package state

import "encoding/binary"

// The keys of records within their buckets. Those of tables, publish lists and settings
// are their names.

// mappingKey is the key of the one record of its bucket.
const mappingKey = "newest"

// manifestsKey is the setting that is a Ref.
const manifestsKey = "manifests"

// partitionPrefix begins the keys of a table's partitions. The length in front
// keeps one name from being the beginning of another.
func partitionPrefix(table string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(table))), table...)
}

// tableOfPrefix is the inverse of partitionPrefix.
func tableOfPrefix(prefix []byte) string {
	_, used := binary.Uvarint(prefix)
	return string(prefix[max(used, 0):])
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

// holdKey orders the holds of a table by dump.
func holdKey(table string, dump int64) []byte {
	return append(append([]byte(table), 0), dumpKey(dump)...)
}

// dumpKey sorts as the id does.
func dumpKey(id int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(id)^1<<63)
}
