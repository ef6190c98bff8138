package dump_test

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/dump"
)

func TestMissingFilesOfOtherNames(t *testing.T) {
	const listed = "the manifest lists this file, but it is not there"
	there := func(name string) string {
		return listed + `; there is "` + name + `", which is the same name encoded or decoded: names are taken as the manifest writes them, so copy the file under the name that it lists`
	}
	for _, c := range []struct{ listed, there, want string }{
		{"sync_1/part%2D0.avro", "sync_1/part-0.avro", there("sync_1/part-0.avro")},
		{"sync_1/a b.avro", "sync_1/a%20b.avro", there("sync_1/a%20b.avro")},
		{"sync_1/a b.avro", "sync_1/a+b.avro", there("sync_1/a+b.avro")},
		{"sync_1/a+b.avro", "sync_1/a b.avro", there("sync_1/a b.avro")},
		{"sync_1/_heap_table_name=e/0.avro", "sync_1/_heap_table_name%3De/0.avro", there("sync_1/_heap_table_name%3De/0.avro")},
		{"sync_1/caf%C3%A9 a.avro", "sync_1/other.avro", listed + "; what looks encoded in its name is part of the name: names are taken as the manifest writes them"},
		{"sync_1/100%.avro", "sync_1/other.avro", listed},
		{"sync_1/a.avro", "sync_1/other.avro", listed},
		// What would lead elsewhere is not looked for.
		{"sync_1/%2e%2e/%2e%2e/outside.avro", "../outside.avro", listed + "; what looks encoded in its name is part of the name: names are taken as the manifest writes them"},
	} {
		store, dir := source(t, nil)
		file := filepath.Join(dir, filepath.FromSlash(c.there))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		s := dump.Open(store, dump.Options{})
		_, err := s.Stat(ctx, c.listed)
		if err == nil {
			t.Fatalf("%s is there", c.listed)
		}
		if got := s.FileReason(ctx, c.listed, err); got != c.want {
			t.Errorf("%s beside %s:\n got %s\nwant %s", c.listed, c.there, got, c.want)
		}
	}
}
