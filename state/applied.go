package state

import "github.com/fxamacker/cbor/v2"

// A table has a dump for each night, and nearly all of its record is their list.
// readTable reads that as partitionReader does, and leaves the rest to the library.
// Nobody may change the payload from then on.
func readTable(mode cbor.DecMode, payload []byte, t *Table) error {
	if applied, rest, ok := cutApplied(payload); ok && mode.Unmarshal(rest, t) == nil && t.Applied == nil {
		t.Applied = applied
		return nil
	}
	*t = Table{}
	return mode.Unmarshal(payload, t)
}

// cutApplied takes the list of applied dumps out of the record of a table.
func cutApplied(payload []byte) (applied []Applied, rest []byte, ok bool) {
	r := recordReader{b: payload}
	n := r.length(majorMap)
	first, last := len(payload)-len(r.b), uint64(0)
	for range n {
		at := len(payload) - len(r.b)
		switch r.field(&last) {
		case 1, 2, 3:
			r.text()
		case 4:
			r.uint()
		case 5:
			applied = r.applied()
			rest = append(mapHead(n-1), payload[first:at]...)
			return applied, append(rest, r.b...), !r.bad
		default:
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// mapHead is the head of a map of so many fields.
func mapHead(n int) []byte {
	const inOneByte = 24
	if n < inOneByte {
		return []byte{majorMap<<5 | byte(n)}
	}
	return []byte{majorMap<<5 | inOneByte, byte(n)}
}

func (r *recordReader) applied() []Applied {
	list := make([]Applied, r.length(majorArray))
	for i := range list {
		a := &list[i]
		var last uint64
		for range r.length(majorMap) {
			switch r.field(&last) {
			case 1:
				a.Dump = r.int()
			case 2:
				a.Digest = r.text()
			case 3:
				a.Incremental = r.bool()
			case 4:
				a.Skipped = r.bool()
			case 5:
				a.Lost = r.bool()
			case 10:
				a.StoodIn = r.bool()
			default: // of a newer program
				r.bad = true
			}
		}
	}
	return list
}
