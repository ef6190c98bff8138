package peak

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Many manifests are pending, each of which lists so many files that it is nearly too large.
// The files are not there, so that each command looks for all of them.
func TestManyManifests(t *testing.T) {
	s := newSite(t)
	files := list(65_536, 0, func(i int) string {
		return fmt.Sprintf(`"s3://b/sync_1/_heap_table_name=e/part-%05d-%0100x.avro"`, i, i)
	})
	dumps := 0
	write := func(upTo int) {
		for dumps < upTo {
			dumps++
			s.write(fmt.Sprintf("source/manifests/sync_%d.json", dumps), []byte(entry(dumps, files, `["event_id","user_id"]`)))
		}
	}
	const partial = 3 // exit code
	write(4)
	few := s.within(partial, "plan")
	write(20)
	many := s.within(partial, "plan")
	if many.took > 2*5*few.took {
		t.Errorf("5 times as many manifests take %.1f s of CPU, and not about 5 times %.1f s", many.took.Seconds(), few.took.Seconds())
	}
}

// One apply takes several dumps of many small files.
func TestManyFiles(t *testing.T) {
	const dumps, files = 3, 50_000
	s := newSite(t)
	r := rand.New(rand.NewPCG(1, 1))
	for dump := range dumps {
		urls := list(files, 0, func(i int) string {
			var data bytes.Buffer
			f := &partFile{t: t, out: bufio.NewWriter(&data), codec: "null"}
			f.header(required)
			if i%100 == 0 {
				f.row(event(nil, int64(dump*files+i), 1, "text"))
			}
			f.end()
			if err := f.out.Flush(); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("sync_%d/_heap_table_name=e/part-%05d-%s.avro", dump+1, i, randomText(r, 40))
			s.write("source/"+name, data.Bytes())
			return fmt.Sprintf(`"s3://b/%s"`, name)
		})
		s.write(fmt.Sprintf("source/manifests/sync_%d.json", dump+1), []byte(entry(dump+1, urls, `["event_id","user_id","text"]`)))
	}
	s.within(0, "plan")
	s.apply(0)
	s.within(0, "plan") // nothing is pending, and every file is looked at
}
