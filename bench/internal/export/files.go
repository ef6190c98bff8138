package export

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// bucket is where manifests say that the files lie.
const bucket = "s3://bench/"

type manifest struct {
	DumpID int             `json:"dump_id"`
	Tables []manifestTable `json:"tables"`
}

type manifestTable struct {
	Name        string   `json:"name"`
	Files       []string `json:"files"`
	Columns     []string `json:"columns"`
	Incremental bool     `json:"incremental"`
}

func manifestName(dir string, id int) string {
	return filepath.Join(dir, "manifests", fmt.Sprintf("sync_%d.json", id))
}

func writeManifest(dir string, m manifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := manifestName(dir, m.DumpID)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}

// writeTable writes the part files of one table, several at a time.
func (w *world) writeTable(dir string, total *counter, t tableRows) (manifestTable, error) {
	m := manifestTable{Name: t.name, Files: []string{}, Incremental: !t.full}
	for _, f := range t.fields {
		m.Columns = append(m.Columns, f.name)
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	folder := fmt.Sprintf("sync_%d/_heap_table_name=%s", w.current+1, t.name)
	for part := range slices.Chunk(t.rows, w.o.FileRows) {
		key := path.Join(folder, fmt.Sprintf("part-%05d-%016x.avro", len(m.Files), w.hash(ofTime, w.current<<16+len(m.Files))))
		m.Files = append(m.Files, bucket+key)
		g.Go(func() error {
			size, err := w.writeFile(filepath.Join(dir, filepath.FromSlash(key)), t.fields, len(part), func(i int, r *row) { t.fill(r, int(part[i])) })
			total.rows.Add(int64(len(part)))
			total.bytes.Add(size)
			return err
		})
	}
	return m, g.Wait()
}
