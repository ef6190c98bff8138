package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"reconcile/config"
	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/internal/blob/s3test"
)

// TestOperations acts out what docs/operations.md has recipes for, with the real program
// and a real S3 server: each run is that of a new runner with nothing on its disk but the
// configuration. After each step the tables are compared with the model.
func TestOperations(t *testing.T) {
	server := s3test.Start(t)
	for name, act := range map[string]func(o *operations){
		"nights on fresh runners":          (*operations).nights,
		"two runners race":                 (*operations).race,
		"a killed runner, another ends it": (*operations).killed,
		"a frozen lease":                   (*operations).frozen,
		"a damaged object":                 (*operations).damagedObject,
		"a lost state":                     (*operations).lostState,
		"a lost state, dumps expired":      (*operations).lostStateAndDumps,
		"a restored old state":             (*operations).restored,
		"the bucket of the state is gone":  (*operations).lostPlace,
		"a moved lake":                     (*operations).movedLake,
		"a lake that is not mounted":       (*operations).notMounted,
		"yesterday and back":               (*operations).yesterday,
		"local to S3 and back":             (*operations).migrated,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			act(newOperations(t, server))
		})
	}
}

// operations is a site whose export, state and lake all machines reach.
type operations struct {
	t       *testing.T
	server  *s3test.Server
	bucket  string
	site    string // a folder for what is mounted everywhere
	world   *model.World
	arrived []*model.Dump

	state, lake, source, more string // of the configuration
	conf                      string // all of it, empty for what these make
	env                       []string
	runner                    string // folder of the last runner
	ttl                       bool   // runners have leases that end soon
}

const operationTables = `
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

func newOperations(t *testing.T, s *s3test.Server) *operations {
	t.Helper()
	o := &operations{t: t, server: s, bucket: s.Bucket(t), site: t.TempDir()}
	o.world = worldOf(40)
	o.state, o.lake = o.onS3("state"), "s3://"+o.bucket+"/lake"
	if err := os.MkdirAll(filepath.Join(o.site, "dumps", "manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

// worldOf is an export with so many new rows of a table in a dump.
func worldOf(rows int) *model.World {
	return model.Random(rand.New(rand.NewSource(16)), model.GenOptions{Dumps: 8, Rows: rows, Users: 12 + rows/10, Tame: true, KeepMappings: true})
}

// onS3 is a state block for a prefix of the bucket.
func (o *operations) onS3(prefix string) string {
	return fmt.Sprintf("state \"s3\" {\n bucket = %q\n prefix = %q\n%s}", o.bucket, prefix, o.connection())
}

func (o *operations) connection() string {
	return fmt.Sprintf(" region = \"us-east-1\"\n endpoint = %q\n force_path_style = true\n", o.server.Endpoint)
}

// onDisk is a state block for a file that stays.
func (o *operations) onDisk() string {
	return fmt.Sprintf("state \"local\" { path = %q }", filepath.Join(o.site, "state", "state.db"))
}

// text is the configuration.
func (o *operations) text() string {
	if o.conf != "" {
		return o.conf
	}
	sink := fmt.Sprintf("sink \"parquet\" \"lake\" {\n path = %q\n", o.lake)
	if strings.HasPrefix(o.lake, "s3://") {
		sink += o.connection()
	} else {
		sink += " shared = true\n"
	}
	return fmt.Sprintf("reconcile {\n%s\n}\nsource \"local\" {\n path = %q\n%s}\n%s}\n%s%s",
		o.state, filepath.Join(o.site, "dumps"), o.source, sink, operationTables, o.more)
}

// newRunner makes a machine that has nothing but the configuration.
func (o *operations) newRunner() {
	o.t.Helper()
	o.runner = o.t.TempDir()
	if err := os.WriteFile(filepath.Join(o.runner, "main.hcl"), []byte(o.text()), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// command is a program on the runner, about to be started.
func (o *operations) command(program string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.runner, &out, &out
	cmd.Env = slices.Concat(s3test.Environ(), o.server.Env(), o.env)
	return cmd, &out
}

// run runs the program on a new runner; it must end with a code.
func (o *operations) run(code int, args ...string) string {
	o.t.Helper()
	o.newRunner()
	program := "reconcile"
	if o.ttl {
		program = "reconcile-brief-lease"
	}
	cmd, out := o.command(program, args...)
	return o.ended(cmd, out, cmd.Run(), code)
}

// ended checks how a program ended, and returns what it printed.
func (o *operations) ended(cmd *exec.Cmd, out *bytes.Buffer, err error, code int) string {
	o.t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		o.t.Fatalf("reconcile %s ended with %d, want %d:\n%s", strings.Join(cmd.Args[1:], " "), got, code, out)
	}
	return out.String()
}

// apply applies on a new runner, and checks the tables.
func (o *operations) apply(flags ...string) string {
	o.t.Helper()
	out := o.run(0, append([]string{"apply", "-auto-approve", "-lock-timeout=2m"}, flags...)...)
	o.check(o.arrived)
	return out
}

// arrive delivers the next dumps.
func (o *operations) arrive(n int) {
	o.t.Helper()
	for _, d := range o.world.Dumps[len(o.arrived):][:n] {
		if err := d.Write(filepath.Join(o.site, "dumps")); err != nil {
			o.t.Fatal(err)
		}
		o.arrived = append(o.arrived, d)
	}
}

// folder is where a place in a bucket or on a disk is as files.
func (o *operations) folder(place string) string {
	if key, ok := strings.CutPrefix(place, "s3://"); ok {
		return filepath.Join(o.server.Dir, key)
	}
	return place
}

// check compares all tables with what the model makes of dumps.
func (o *operations) check(dumps []*model.Dump) {
	o.t.Helper()
	for _, name := range (&model.World{Dumps: dumps}).Tables() {
		o.checkTable(name, dumps)
	}
}

// checkTable compares one table, if the configuration takes it.
func (o *operations) checkTable(name string, dumps []*model.Dump) {
	o.t.Helper()
	cfg, _, diags := config.Load(o.runner, config.Options{Version: "0.1.0", Env: o.lookup})
	if diags.HasErrors() {
		o.t.Fatal(diags)
	}
	t, diags := cfg.Table(name, deliveredColumns(dumps, name))
	if diags.HasErrors() {
		o.t.Fatal(diags)
	}
	if t == nil {
		return
	}
	s := model.FromDefinition(t, cfg.MaskKey)
	set, _ := model.AppliedFor(dumps, name, s)
	want, err := model.Expect(set, model.MappingFor(dumps, model.Guard{}).Dump, s, name)
	if err != nil {
		o.t.Fatal(err)
	}
	got, err := reader.Read(filepath.Join(o.folder(o.lake), t.Folder), name, want)
	if err != nil {
		o.t.Fatal(err)
	}
	if diff := append(want.Diff(got.Rows), want.DiffColumns(got.Columns)...); len(diff) > 0 {
		o.t.Fatalf("table %s is not what it should be:\n%s", name, strings.Join(diff, "\n"))
	}
}

// deliveredColumns are the columns that dumps list of a table.
func deliveredColumns(dumps []*model.Dump, table string) (out []string) {
	for _, d := range dumps {
		for _, e := range d.Entries {
			if e.Table == table {
				out = append(out, e.Columns...)
			}
		}
	}
	return out
}

// lookup looks up a variable of the environment that runners have.
func (o *operations) lookup(name string) (string, bool) {
	for _, kv := range slices.Backward(o.env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// idle checks that nothing is left to do.
func (o *operations) idle() {
	o.t.Helper()
	o.run(0, "plan", "-detailed-exitcode")
}

func (o *operations) nights() {
	for range 5 {
		o.arrive(1)
		o.apply()
		o.idle()
	}
}

func (o *operations) race() {
	for range 4 {
		o.arrive(1)
		var wg sync.WaitGroup
		var codes [2]int
		for i := range codes {
			o.newRunner()
			cmd, out := o.command("reconcile", "apply", "-auto-approve")
			wg.Go(func() {
				_ = cmd.Run()
				codes[i] = cmd.ProcessState.ExitCode()
				if codes[i] != exitDone && codes[i] != exitLocked {
					o.t.Errorf("it ended with %d:\n%s", codes[i], out)
				}
			})
		}
		wg.Wait()
		if !slices.Contains(codes[:], exitDone) {
			o.t.Fatalf("nobody applied: %v", codes)
		}
		o.check(o.arrived)
	}
	o.idle()
}

func (o *operations) killed() {
	o.ttl = true
	o.arrive(2)
	o.apply()
	for _, point := range []string{"stage.close=exit", "state.commit.before=exit", "state.commit.after=exit", "publish.move.after=exit", "publish.clear.after=exit"} {
		o.arrive(1)
		o.newRunner()
		cmd, out := o.command("reconcile-brief-lease", "apply", "-auto-approve", "-lock-timeout=2m")
		cmd.Env = append(cmd.Env, failpointEnv+"="+point)
		o.ended(cmd, out, cmd.Run(), 137)
		o.apply()
	}
	o.idle()
}

func (o *operations) frozen() {
	o.ttl = true
	o.arrive(2)
	o.apply()
	o.arrive(1)
	o.newRunner()
	cmd, out := o.command("reconcile-waiting-brief-lease", "apply", "-auto-approve")
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	if waiting := filepath.Join(o.runner, "waiting"); !appears(waiting) {
		o.t.Fatalf("%s does not come", waiting)
	}
	frozen := o.runner
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		o.t.Fatal(err)
	}
	if shown := o.run(0, "lock", "show"); !strings.Contains(shown, "apply") {
		o.t.Errorf("lock show says %q", shown)
	}
	o.apply()
	o.arrive(1)
	o.apply()
	err := os.WriteFile(filepath.Join(frozen, "go-on"), nil, 0o600)
	if err := errors.Join(err, cmd.Process.Signal(syscall.SIGCONT)); err != nil {
		o.t.Fatal(err)
	}
	o.ended(cmd, out, cmd.Wait(), exitLocked)
	o.check(o.arrived)
	o.idle()
}

func (o *operations) damagedObject() {
	o.world = worldOf(1500) // small objects lie inside the state
	o.arrive(3)
	o.apply()
	objects := o.files(filepath.Join(o.folder("s3://"+o.bucket), "state", "objects"))
	if len(objects) == 0 {
		o.t.Fatal("the state has no objects")
	}
	for _, path := range objects {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 {
			data[len(data)/2] ^= 0x40
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			o.t.Fatal(err)
		}
	}
	o.arrive(1)
	o.run(exitPartial, "apply", "-auto-approve")
	o.apply("-repair")
	o.arrive(1)
	o.apply()
	o.idle()
}

// files lists the files below a folder.
func (o *operations) files(dir string) (out []string) {
	o.t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func (o *operations) lose(path string) {
	o.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operations) lostState() {
	for range 3 {
		o.arrive(1)
		o.apply()
	}
	o.lose(o.folder("s3://" + o.bucket + "/state"))
	o.run(exitError, "apply", "-auto-approve")
	o.run(0, "state", "rebuild", "-auto-approve")
	o.check(o.arrived)
	o.idle()
	for range 2 {
		o.arrive(1)
		o.apply()
	}
	o.idle()
}

func (o *operations) lostStateAndDumps() {
	for range 4 {
		o.arrive(1)
		o.apply()
	}
	o.lose(o.folder("s3://" + o.bucket + "/state"))
	for _, d := range o.arrived[:2] {
		o.lose(filepath.Join(o.site, "dumps", d.ManifestKey()))
	}
	said := o.run(exitError, "state", "rebuild", "-auto-approve")
	flags := regexp.MustCompile(`-accept-loss=\w+`).FindAllString(said, -1)
	if len(flags) == 0 {
		o.t.Fatalf("it says nothing of what is lost:\n%s", said)
	}
	o.run(0, append([]string{"state", "rebuild", "-auto-approve"}, flags...)...)
	o.check(o.arrived)
	o.run(0, "plan")
}

func (o *operations) restored() {
	o.arrive(3)
	o.apply()
	backup := filepath.Join(o.site, "backup")
	o.run(0, "state", "backup", backup)
	o.arrive(2)
	o.apply()
	o.run(0, "state", "restore", "-auto-approve", backup)
	o.run(exitPartial, "apply", "-auto-approve")
	o.apply("-repair")
	o.arrive(1)
	o.apply()
	o.idle()
}

func (o *operations) lostPlace() {
	gone := o.server.Bucket(o.t)
	place := "s3://" + gone + "/state"
	o.state = strings.Replace(o.state, o.bucket, gone, 1)
	o.arrive(3)
	o.apply()
	backup := filepath.Join(o.site, "backup")
	o.run(0, "state", "backup", backup)
	o.lose(o.folder("s3://" + gone))
	o.state = o.onS3("again")
	o.run(0, "state", "restore", backup)
	if said := o.run(exitError, "plan"); !strings.Contains(said, "-state-lost="+place) {
		o.t.Errorf("it says %q", said)
	}
	o.apply("-state-lost=" + place)
	o.arrive(1)
	o.apply("-state-lost=" + place) // the first one had nothing to commit
	o.idle()
	o.lose(o.folder("s3://" + o.bucket + "/again"))
	o.run(0, "state", "rebuild", "-auto-approve")
	o.check(o.arrived)
	o.idle()
}

func (o *operations) movedLake() {
	o.lake = filepath.Join(o.site, "lake")
	o.arrive(3)
	o.apply()
	was := o.lake
	o.lake = filepath.Join(o.site, "elsewhere", "lake")
	if err := errors.Join(os.MkdirAll(filepath.Dir(o.lake), 0o755), os.Rename(was, o.lake)); err != nil {
		o.t.Fatal(err)
	}
	o.run(exitError, "apply", "-auto-approve")
	right := o.lake
	o.lake = filepath.Join(o.site, "elsewhere", "laek") // where nothing is
	o.more = fmt.Sprintf("moved {\n from = %q\n to = %q\n}\n", was, o.lake)
	o.run(exitError, "apply", "-auto-approve")
	o.lake = right
	o.more = fmt.Sprintf("moved {\n from = %q\n to = %q\n}\n", was, o.lake)
	o.apply()
	o.arrive(1)
	o.apply()
	o.idle()
}

func (o *operations) notMounted() {
	o.lake = filepath.Join(o.site, "lake")
	o.arrive(2)
	o.apply()
	away := o.lake + ".away"
	if err := os.Rename(o.lake, away); err != nil {
		o.t.Fatal(err)
	}
	o.arrive(1)
	o.run(exitPartial, "apply", "-auto-approve")
	if list, _ := os.ReadDir(o.lake); len(list) > 0 {
		o.t.Fatalf("something was written where the lake is not mounted: %v", list)
	}
	if err := errors.Join(os.RemoveAll(o.lake), os.Rename(away, o.lake)); err != nil {
		o.t.Fatal(err)
	}
	o.apply()
	o.lose(o.lake)
	o.run(exitPartial, "apply", "-auto-approve")
	o.apply("-sink-lost=" + o.lake)
	o.idle()
}

func (o *operations) yesterday() {
	for range 4 {
		o.arrive(1)
		o.apply()
	}
	until := o.arrived[2].ID
	o.source = fmt.Sprintf(" until_dump = %d\n", until)
	o.run(0, "apply", "-auto-approve")
	o.check(slices.DeleteFunc(slices.Clone(o.arrived), func(d *model.Dump) bool { return d.ID > until }))
	o.idle()
	o.source = ""
	o.apply()
	o.idle()
}

func (o *operations) migrated() {
	remote := o.state
	o.state = o.onDisk()
	o.arrive(2)
	o.apply()
	backup := filepath.Join(o.site, "backup")
	o.run(0, "state", "backup", backup)
	for _, to := range []string{remote, o.onDisk(), o.onS3("again")} {
		o.state = to
		o.run(exitError, "apply", "-auto-approve")
		o.run(0, "init", "-migrate-state", "-lock-timeout=2m")
		o.check(o.arrived)
		o.idle()
		o.arrive(1)
		o.apply()
	}
	o.state = remote // which is closed: nothing opens it again
	if said := o.run(exitError, "state", "restore", backup); !strings.Contains(said, "closed") {
		o.t.Errorf("it says %q", said)
	}
	o.state = o.onS3("again")
	o.withoutConnection()
}

// withoutConnection moves the state to a file where nothing in the configuration says how
// its bucket is reached any more.
func (o *operations) withoutConnection() {
	o.t.Helper()
	away := filepath.Join(o.site, "lake")
	if err := os.Rename(o.folder(o.lake), away); err != nil {
		o.t.Fatal(err)
	}
	o.more, o.lake = fmt.Sprintf("moved {\n from = %q\n to = %q\n}\n", o.lake, away), away
	o.apply()
	o.state = fmt.Sprintf("state \"local\" { path = %q }", filepath.Join(o.site, "last", "state.db"))
	o.env = []string{"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1"}
	if said := o.run(exitError, "init", "-migrate-state"); !strings.Contains(said, "set AWS_REGION, AWS_PROFILE or AWS_ENDPOINT_URL_S3") {
		o.t.Errorf("it says %q", said)
	}
	o.env = []string{"AWS_ENDPOINT_URL_S3=" + o.server.Endpoint}
	o.run(0, "init", "-migrate-state")
	o.env = nil
	o.apply()
	o.idle()
}
