package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestContractTimestamps: every form of a timestamp, on time, where it also
// decides on the partition. An empty want is null; one that begins with "!" is
// null, too, and what is rescued.
func TestContractTimestamps(t *testing.T) {
	cases := []struct {
		typ  string
		v    any
		want string
	}{
		{"string", "1767571200123", "2026-01-05T00:00:00.123Z"},
		{"string", " 1767571200123 ", "2026-01-05T00:00:00.123Z"},
		{"string", "1767571200123.0", "2026-01-05T00:00:00.123Z"},
		{"string", "1767571200123.9", "2026-01-05T00:00:00.123Z"},
		{"string", "1.767571200123e12", "2026-01-05T00:00:00.123Z"},
		{"string", "1767571200", "2026-01-05T00:00:00.000Z"},
		{"string", "1767571200.5", "2026-01-05T00:00:00.500Z"},
		{"string", "99999999999", "5138-11-16T09:46:39.000Z"},
		{"string", "100000000000", "1973-03-03T09:46:40.000Z"},
		{"string", "99999999999999", "5138-11-16T09:46:39.999Z"},
		{"string", "100000000000000", "1973-03-03T09:46:40.000Z"},
		{"string", "1767571200123456", "2026-01-05T00:00:00.123Z"},
		{"string", "99999999999999999", "5138-11-16T09:46:39.999Z"},
		{"string", "100000000000000000", "1973-03-03T09:46:40.000Z"},
		{"string", "1767571200123456789", "2026-01-05T00:00:00.123Z"},
		{"string", "-5", "!-5"},
		{"string", "-0", ""}, {"string", "00", ""}, {"string", "0.0", ""}, {"string", "0", ""},
		{"string", "0e5", ""}, {"string", "", ""}, {"string", "  ", ""}, {"string", "Invalid date", ""}, {"string", "invalid DATE", ""},
		{"string", " 0 ", ""}, {"string", "-0.0", ""},
		{"string", "2026-01-05T10:00:00Z", "2026-01-05T10:00:00.000Z"},
		{"string", "2026-01-05T10:00:00.1239Z", "2026-01-05T10:00:00.123Z"},
		{"string", "2026-01-05T10:00:00.1+02:00", "2026-01-05T08:00:00.100Z"},
		{"string", "2026-01-05 10:00:00 UTC", "2026-01-05T10:00:00.000Z"},
		{"string", "2026-01-05 10:00:00.5", "2026-01-05T10:00:00.500Z"},
		{"string", "2026-01-05T10:00:00-0230", "2026-01-05T12:30:00.000Z"},
		{"string", "2026-01-05T10:00:00+05", "2026-01-05T05:00:00.000Z"},
		{"string", "2026-01-05", "2026-01-05T00:00:00.000Z"},
		{"string", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
		{"string", "1969-12-31T23:59:59Z", "!1969-12-31T23:59:59Z"},
		{"string", "1970-01-01T00:30:00+01:00", "!1970-01-01T00:30:00+01:00"},
		{"string", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
		{"string", "9999-12-31T23:59:59-01:00", "!9999-12-31T23:59:59-01:00"},
		{"string", "2026-02-29", "!2026-02-29"}, {"string", "yesterday", "!yesterday"}, {"string", "NaN", "!NaN"}, {"string", "0x10", "!0x10"},
		{"string", "1e30", "!1e30"},
		{"long", 1767571200123, "2026-01-05T00:00:00.123Z"},
		{"long", 0, ""}, {"long", -1, "!-1"}, {"long", 1, "1970-01-01T00:00:01.000Z"},
		{"long", math.MaxInt64, "2262-04-11T23:47:16.854Z"}, {"long", math.MinInt64, "!-9223372036854775808"},
		{"int", 1767571200, "2026-01-05T00:00:00.000Z"},
		{"double", 1767571200123.0, "2026-01-05T00:00:00.123Z"},
		{"double", 1767571200.25, "2026-01-05T00:00:00.250Z"},
		{"double", math.Copysign(0, -1), ""}, {"double", math.NaN(), "!NaN"}, {"double", math.Inf(1), "!Infinity"},
		{"double", 1e25, "!1e+25"},
		{"ms", 5, "1970-01-01T00:00:00.005Z"},
		{"us", 5_999, "1970-01-01T00:00:00.005Z"},
		{"us", 1767571200123456, "2026-01-05T00:00:00.123Z"},
		{"localms", 1767571200123, "2026-01-05T00:00:00.123Z"},
		{"date", 20458, "2026-01-05T00:00:00.000Z"},
	}
	for _, name := range []string{"time", "joindate", "last_modified"} {
		a := newBed(t, `table "*" { 
			sinks = [sink.parquet.lake]
			partition_by = [date(time)]
		}`)
		d := dumpOf(1)
		var want []string
		for i, c := range cases {
			f := avroPart(fmt.Sprintf("event_id user_id %s:%s", name, c.typ), row(i, 7, c.v))
			f.Key = fmt.Sprintf("x/%d.avro", i)
			d.Entries = append(d.Entries, more("e", f))
			v, part, rescued := c.want, "date=__HIVE_DEFAULT_PARTITION__", "-"
			original, bad := strings.CutPrefix(v, "!")
			switch {
			case bad:
				v, rescued = "-", fmt.Sprintf("{%q:%q}", name, original)
			case v == "":
				v = "-"
			case name == "time":
				part = "date=" + v[:10]
			}
			want = append(want, fmt.Sprintf("%d %s %s %s", i, v, rescued, part))
		}
		a.run(d)
		a.want("e", "event_id "+name+" _rescued_data @", want...)
	}
}
