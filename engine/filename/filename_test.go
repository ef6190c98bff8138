package filename

import "testing"

func TestFileNumber(t *testing.T) {
	for name, want := range map[string]int{"part-00000.parquet": 0, "a=1/part-00012.parquet": 12, "part-123456.parquet": 123456,
		"part-00000-1.parquet": 0, "a=1/part-00012-345.parquet": 12, "part-00001-01.parquet": -1, "part-00001-.parquet": -1, "part-00001-0.parquet": -1,
		"part-0.parquet": -1, "part-00001.parquetx": -1, "part--0001.parquet": -1, "x.parquet": -1} {
		if got := Number(name); got != want {
			t.Errorf("%s has number %d, want %d", name, got, want)
		}
	}
}
