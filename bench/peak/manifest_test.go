package peak

import (
	"fmt"
	"strings"
	"testing"
)

// What manifests say takes little memory, however many columns, tables and files they list
// and however large they are. What is too large is held.
func TestManifests(t *testing.T) {
	const bound = usualLimit << 20 / 4
	const done, partial = 0, 3 // exit codes
	column := func(i int) string { return fmt.Sprintf(`"column_%d"`, i) }
	empty := func(i int) string { return fmt.Sprintf(`{"name":"t%d","files":[],"incremental":true}`, i) }
	for what, c := range map[string]struct {
		manifest string
		exit     int
		says     []string
	}{
		"3,000,000 columns": {entry(1, "[]", list(3_000_000, 0, column)), partial,
			[]string{"manifests/sync_1.json", "and at most 16,777,216 are read: a quarter of memory_limit", `set memory_limit = "191MiB" or more`}},
		"columns up to the bound": {entry(1, "[]", list(0, bound-1000, column)), partial, []string{"table.e, dump 1", "columns for it, and a table may have 10,000"}},
		"10,000 columns":          {entry(1, "[]", list(10_000, 0, column)), done, nil},
		"files up to the bound":   {entry(1, list(0, bound-1000, address), "null"), partial, []string{"table.e, dump 1", "files for it, and at most 65,536 are read"}},
		"65,536 files":            {entry(1, list(65_536, 0, address), "null"), partial, []string{"table.e, dump 1, sync_1/"}},
		"20,001 tables":           {`{"dump_id":1,"tables":` + list(20_001, 0, empty) + `}`, partial, []string{"dump 1, manifests/sync_1.json", "it lists 20,001 tables, and at most 20,000 are read"}},
		"20,000 tables":           {`{"dump_id":1,"tables":` + list(20_000, 0, empty) + `}`, done, nil},
		"tables up to the bound":  {`{"dump_id":1,"tables":` + list(0, bound-1000, func(int) string { return "{}" }) + `}`, partial, []string{"at most 20,000 are read"}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.write("source/manifests/sync_1.json", []byte(c.manifest))
			for _, command := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
				r := s.within(c.exit, command...)
				r.has(t, c.says...)
			}
		})
	}
}

// entry is a manifest with one table.
func entry(dump int, files, columns string) string {
	return fmt.Sprintf(`{"dump_id":%d,"tables":[{"name":"e","incremental":true,"files":%s,"columns":%s}]}`, dump, files, columns)
}

// address is that of a part file.
func address(i int) string {
	return fmt.Sprintf(`"s3://b/sync_1/_heap_table_name=e/part-%05d-0123456789abcdef.avro"`, i)
}

// list is a list of n elements, or without n of as many as so many bytes hold.
func list(n, size int, element func(i int) string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < n || n == 0; i++ {
		s := element(i)
		if n == 0 && b.Len()+len(s)+2 > size {
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s)
	}
	b.WriteByte(']')
	return b.String()
}
