package peak

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	engineexec "reconcile/engine/exec"
)

// program is where TestMain built the program.
var program string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == launch {
		os.Exit(launched(os.Args[2:]))
	}
	os.Exit(runWithProgram(m))
}

// launch has the test binary run a command, and print at last what it had resident. What a
// process had resident counts for those that it starts, too, and tests make large exports.
const launch = "launch"

func launched(args []string) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	err := c.Run()
	if c.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	kept := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS != "darwin" {
		kept <<= 10
	}
	fmt.Println(kept, (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Nanoseconds())
	return c.ProcessState.ExitCode()
}

func runWithProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reconcile-peak-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "reconcile")
	if out, err := exec.Command("go", "build", "-o", program, "reconcile/cmd/reconcile").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// usualLimit is the memory_limit of a site, in MiB.
const usualLimit = 64

// mappingTable is always delivered as a whole.
const mappingTable = "user_migrations"

// site is a folder with an export of one table, and a configuration for it.
type site struct {
	t     *testing.T
	dir   string
	dumps int
	table string
	limit int64 // memory_limit, in MiB
	// settings are those of tables.
	settings string
}

const configuration = `
reconcile {
  memory_limit = %q
  state "local" { path = "state/state.db" }
}
source "local" { path = "source" }
sink "parquet" "lake" { path = "lake" }
table "*" {
  sinks = [sink.parquet.lake]
  %s
}
table "users" { sinks = [sink.parquet.lake] }
`

func newSite(t *testing.T) *site {
	s := &site{t: t, dir: t.TempDir(), table: "events", limit: usualLimit}
	s.configure("")
	return s
}

// configure gives the tables of the site more settings.
func (s *site) configure(settings string) {
	s.t.Helper()
	s.settings = settings
	s.write("main.hcl", fmt.Appendf(nil, configuration, fmt.Sprint(s.limit, "MiB"), settings))
}

func (s *site) write(name string, data []byte) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// field is a field of a part file, whose type is any Avro schema.
type field struct {
	Name string `json:"name"`
	Type any    `json:"type"`
}

func optional(typ string) []string { return []string{"null", typ} }

// deliver adds a dump with one part file of the table "events", which fill writes.
func (s *site) deliver(fields []field, codec string, fill func(f *partFile)) {
	s.t.Helper()
	s.dumps++
	name := fmt.Sprintf("source/sync_%d/part.avro", s.dumps)
	s.write(name, nil)
	out, err := os.Create(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	f := &partFile{t: s.t, out: bufio.NewWriterSize(out, 1<<20), codec: codec}
	f.header(fields)
	fill(f)
	f.end()
	if err := f.out.Flush(); err != nil {
		s.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		s.t.Fatal(err)
	}
	columns := make([]string, len(fields))
	for i := range fields {
		columns[i] = fields[i].Name
	}
	manifest, err := json.Marshal(map[string]any{"dump_id": s.dumps, "tables": []any{map[string]any{
		"name": s.table, "files": []string{fmt.Sprintf("s3://bucket/sync_%d/part.avro", s.dumps)}, "incremental": s.table != mappingTable, "columns": columns}}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(fmt.Sprintf("source/manifests/sync_%d.json", s.dumps), manifest)
}

// ran is how a run of the program ended.
type ran struct {
	exit     int
	output   string
	resident int64         // bytes at most
	took     time.Duration // of processors
}

// run runs the program in the site.
func (s *site) run(args ...string) ran {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := exec.CommandContext(s.t.Context(), self, append([]string{launch, program, "-chdir=" + s.dir}, args...)...)
	var used, out bytes.Buffer
	c.Stdout, c.Stderr = &used, &out
	err = c.Run()
	if c.ProcessState == nil {
		s.t.Fatal(err)
	}
	r := ran{exit: c.ProcessState.ExitCode(), output: out.String()}
	if _, err := fmt.Sscan(used.String(), &r.resident, &r.took); err != nil {
		s.t.Fatalf("%v: %s", err, r.output)
	}
	s.t.Logf("%s: exit code %d, %d MiB resident, %.1f s of CPU", strings.Join(args, " "), r.exit, r.resident>>20, r.took.Seconds())
	return r
}

// apply applies what is pending, within the limit.
func (s *site) apply(exit int) ran {
	s.t.Helper()
	return s.within(exit, "apply", "-auto-approve")
}

// within runs the program, which is to end so and to keep within the limit.
func (s *site) within(exit int, args ...string) ran {
	s.t.Helper()
	r := s.run(args...)
	if r.exit != exit {
		s.t.Fatalf("exit code %d instead of %d:\n%.2000s", r.exit, exit, r.output)
	}
	if most := engineexec.Resident(s.limit << 20); r.resident > most {
		s.t.Errorf("%s: %d MiB resident, more than %d", args[0], r.resident>>20, most>>20)
	}
	return r
}

// load applies what is pending with another memory_limit, and so much that large row groups
// come to be; later runs have the usual one.
func (s *site) load() {
	s.t.Helper()
	usual := s.limit
	s.limit = 1024
	s.configure(s.settings)
	if r := s.run("apply", "-auto-approve"); r.exit != 0 {
		s.t.Fatalf("exit code %d:\n%s", r.exit, r.output)
	}
	s.limit = usual
	s.configure(s.settings)
}

// has checks that what was printed has a text.
func (r *ran) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.output, text) {
			t.Errorf("what was printed lacks %q:\n%.2000s", text, r.output)
		}
	}
}

// partFile writes an Avro object container.
type partFile struct {
	t     *testing.T
	out   *bufio.Writer
	codec string
	rows  []byte
	count int
}

// blockBytes ends a block, as the usual Java writer does.
const blockBytes = 64_000

var syncMarker = []byte("0123456789abcdef")

func (f *partFile) header(fields []field) {
	schema, err := json.Marshal(map[string]any{"type": "record", "name": "event", "fields": fields})
	if err != nil {
		f.t.Fatal(err)
	}
	h := binary.AppendVarint([]byte("Obj\x01"), 2)
	for _, v := range [][]byte{[]byte("avro.codec"), []byte(f.codec), []byte("avro.schema"), schema} {
		h = append(binary.AppendVarint(h, int64(len(v))), v...)
	}
	f.write(h, []byte{0}, syncMarker)
}

// row adds a row, and ends the block when it is large enough.
func (f *partFile) row(record []byte) {
	f.rows = append(f.rows, record...)
	f.count++
	if len(f.rows) >= blockBytes {
		f.end()
	}
}

// end writes the rows so far as a block.
func (f *partFile) end() {
	if f.count > 0 {
		f.block(f.count, f.rows)
	}
	f.rows, f.count = f.rows[:0], 0
}

func (f *partFile) block(count int, rows []byte) {
	data := rows
	if f.codec == "deflate" {
		var z bytes.Buffer
		w, err := flate.NewWriter(&z, 9)
		if err != nil {
			f.t.Fatal(err)
		}
		_, _ = w.Write(rows)
		if err := w.Close(); err != nil {
			f.t.Fatal(err)
		}
		data = z.Bytes()
	}
	f.write(binary.AppendVarint(nil, int64(count)), binary.AppendVarint(nil, int64(len(data))), data, syncMarker)
}

func (f *partFile) write(parts ...[]byte) {
	for _, p := range parts {
		_, _ = f.out.Write(p) // Flush has the error
	}
}
