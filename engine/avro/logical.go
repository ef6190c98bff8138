package avro

import "encoding/binary"

type logical uint8

const (
	noLogical logical = iota
	logicalDecimal
	logicalDate
	logicalTimeMillis
	logicalTimeMicros
	logicalMillis // timestamps, local ones too
	logicalMicros
	logicalNanos
	logicalUUID
	logicalDuration
)

// annotate sets the logical type of n from its definition. One that is unknown
// or does not fit its type is ignored, as Avro's specification demands.
func (n *node) annotate(o map[string]any) {
	name, _ := o["logicalType"].(string)
	switch {
	case name == "decimal" && (n.kind == kindBytes || n.kind == kindFixed):
		n.decimal(o)
	case name == "uuid" && n.kind == kindFixed && n.size == 16:
		n.logical = logicalUUID
	case name == "duration" && n.kind == kindFixed && n.size == 12:
		n.logical = logicalDuration
	case n.kind == kindInt:
		n.logical = intLogicals(name)
	case n.kind == kindLong:
		n.logical = longLogicals(name)
	}
}

// decimal takes scales that are at most the precision; both are whole.
func (n *node) decimal(o map[string]any) {
	precision, _ := o["precision"].(float64)
	scale, given := o["scale"].(float64)
	if o["scale"] != nil && !given {
		return
	}
	whole := precision == float64(int32(precision)) && scale == float64(int32(scale))
	if whole && precision > 0 && precision <= 3*maxDecimal && scale >= 0 && scale <= precision {
		n.logical, n.scale = logicalDecimal, int(scale)
	}
}

func intLogicals(name string) logical {
	switch name {
	case "date":
		return logicalDate
	case "time-millis":
		return logicalTimeMillis
	}
	return noLogical
}

func longLogicals(name string) logical {
	switch name {
	case "time-micros":
		return logicalTimeMicros
	case "timestamp-millis", "local-timestamp-millis":
		return logicalMillis
	case "timestamp-micros", "local-timestamp-micros":
		return logicalMicros
	case "timestamp-nanos", "local-timestamp-nanos":
		return logicalNanos
	}
	return noLogical
}

// appendUUID appends the canonical text of 16 bytes.
func appendUUID(dst, v []byte) []byte {
	const hex = "0123456789abcdef"
	for i, c := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[c>>4], hex[c&15])
	}
	return dst
}

// appendDuration appends the ISO 8601 text of months, days and milliseconds,
// none of which can be turned into another.
func appendDuration(dst, v []byte) []byte {
	months := binary.LittleEndian.Uint32(v)
	days := binary.LittleEndian.Uint32(v[4:])
	millis := binary.LittleEndian.Uint32(v[8:])
	dst = append(dst, 'P')
	if months != 0 {
		dst = append(appendUint(dst, months), 'M')
	}
	if days != 0 {
		dst = append(appendUint(dst, days), 'D')
	}
	if millis == 0 && months|days != 0 {
		return dst
	}
	dst = appendUint(append(dst, 'T'), millis/1000)
	if f := millis % 1000; f != 0 {
		dst = append(dst, '.', '0'+byte(f/100), '0'+byte(f/10%10), '0'+byte(f%10))
	}
	return append(dst, 'S')
}
