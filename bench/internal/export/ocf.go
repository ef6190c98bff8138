package export

import (
	"bufio"
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/snappy"
)

// blockBytes ends a block, as the usual Java writer does.
const blockBytes = 64_000

// writeFile writes a part file of n rows, the i-th of which next describes in
// its argument. It returns the size of the file.
func (w *world) writeFile(name string, fields []field, n int, next func(i int, r *row)) (_ int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return 0, err
	}
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	b := &blocks{out: bufio.NewWriterSize(f, 1<<20), codec: w.o.Codec, sync: md5.Sum([]byte(filepath.Base(name)))}
	if err := b.header(fields); err != nil {
		return 0, err
	}
	r := &row{w: w}
	for i := range n {
		next(i, r)
		for k := range fields {
			b.rows = fields[k].add(r, b.rows)
		}
		b.count++
		if len(b.rows) >= blockBytes {
			if err := b.end(); err != nil {
				return 0, err
			}
		}
	}
	if err := b.end(); err != nil {
		return 0, err
	}
	return b.size, b.out.Flush()
}

// blocks writes the blocks of an Avro object container.
type blocks struct {
	out   *bufio.Writer
	codec string
	sync  [md5.Size]byte
	rows  []byte
	count int
	pack  []byte
	head  []byte
	size  int64
}

func (b *blocks) write(p []byte) error {
	b.size += int64(len(p))
	_, err := b.out.Write(p)
	return err
}

func (b *blocks) header(fields []field) error {
	type avroField struct {
		Name string   `json:"name"`
		Type []string `json:"type"`
	}
	list := make([]avroField, len(fields))
	for i, f := range fields {
		list[i] = avroField{f.name, []string{"null", f.typ}}
	}
	schema, err := json.Marshal(map[string]any{"type": "record", "name": "topLevelRecord", "fields": list})
	if err != nil {
		return fmt.Errorf("encoding the schema: %w", err)
	}
	h := binary.AppendVarint([]byte("Obj\x01"), 2)
	for _, v := range [][]byte{[]byte("avro.codec"), []byte(b.codec), []byte("avro.schema"), schema} {
		h = append(binary.AppendVarint(h, int64(len(v))), v...)
	}
	return b.write(append(append(h, 0), b.sync[:]...))
}

// end writes the rows so far as a block.
func (b *blocks) end() error {
	if b.count == 0 {
		return nil
	}
	data := b.rows
	if b.codec == "snappy" {
		b.pack = snappy.Encode(b.pack[:cap(b.pack)], b.rows)
		b.pack = binary.BigEndian.AppendUint32(b.pack, crc32.ChecksumIEEE(b.rows))
		data = b.pack
	}
	b.head = binary.AppendVarint(b.head[:0], int64(b.count))
	b.head = binary.AppendVarint(b.head, int64(len(data)))
	for _, p := range [][]byte{b.head, data, b.sync[:]} {
		if err := b.write(p); err != nil {
			return err
		}
	}
	b.rows, b.count = b.rows[:0], 0
	return nil
}
