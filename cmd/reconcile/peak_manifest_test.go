package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	engineexec "reconcile/engine/exec"
)

const (
	peakMemoryLimit   = 64 << 20
	peakConfiguration = `
reconcile { memory_limit = "64MiB" }
source "local" { path = "dumps" }
sink "parquet" "lake" { path = "lake" }
table "*" { sinks = [sink.parquet.lake] }
`
)

// What manifests say takes little memory, however many columns, tables and files they list
// and however large they are. What is too large is held.
func TestManifestsKeepWithinMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	program := filepath.Join(t.TempDir(), "reconcile")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	const bound = peakMemoryLimit / 4
	column := func(i int) string { return fmt.Sprintf(`"column_%d"`, i) }
	address := func(i int) string {
		return fmt.Sprintf(`"s3://b/sync_1/_heap_table_name=e/part-%05d-0123456789abcdef.avro"`, i)
	}
	empty := func(i int) string { return fmt.Sprintf(`{"name":"t%d","files":[],"incremental":true}`, i) }
	for what, c := range map[string]struct {
		manifest string
		exit     int
		says     []string
	}{
		"3,000,000 columns": {peakEntry("[]", peakList(3_000_000, 0, column)), exitPartial,
			[]string{"manifests/sync_1.json", "and at most 16777216 are read: a quarter of memory_limit", `set memory_limit = "191MiB" or more`}},
		"columns up to the bound": {peakEntry("[]", peakList(0, bound-1000, column)), exitPartial, []string{"table.e, dump 1", "columns for it, and a table may have 10000"}},
		"10,000 columns":          {peakEntry("[]", peakList(10_000, 0, column)), exitDone, nil},
		"files up to the bound":   {peakEntry(peakList(0, bound-1000, address), "null"), exitPartial, []string{"table.e, dump 1", "files for it, and at most 65536 are read"}},
		"65,536 files":            {peakEntry(peakList(65_536, 0, address), "null"), exitPartial, []string{"table.e, dump 1, sync_1/"}},
		"20,001 tables":           {`{"dump_id":1,"tables":` + peakList(20_001, 0, empty) + `}`, exitPartial, []string{"dump 1, manifests/sync_1.json", "it lists 20001 tables, and at most 20000 are read"}},
		"20,000 tables":           {`{"dump_id":1,"tables":` + peakList(20_000, 0, empty) + `}`, exitDone, nil},
		"tables up to the bound":  {`{"dump_id":1,"tables":` + peakList(0, bound-1000, func(int) string { return "{}" }) + `}`, exitPartial, []string{"at most 20000 are read"}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			writePeakFile(t, filepath.Join(dir, "main.hcl"), peakConfiguration)
			writePeakFile(t, filepath.Join(dir, "dumps", "manifests", "sync_1.json"), c.manifest)
			for _, command := range []string{"plan", "apply"} {
				peak, text := runForPeak(t, program, dir, c.exit, command)
				t.Logf("%s: %.1f MB resident at most, for a manifest of %.1f MB", command, float64(peak)/1e6, float64(len(c.manifest))/1e6)
				if most := engineexec.Resident(peakMemoryLimit); peak > most {
					t.Errorf("%s: %d bytes were resident, at most %d may be", command, peak, most)
				}
				for _, s := range c.says {
					if !strings.Contains(text, s) {
						t.Errorf("%s does not say %q:\n%.2000s", command, s, text)
					}
				}
			}
		})
	}
}

// peakEntry is a manifest with one table.
func peakEntry(files, columns string) string {
	return `{"dump_id":1,"tables":[{"name":"e","incremental":true,"files":` + files + `,"columns":` + columns + `}]}`
}

// peakList is a list of n elements, or without n of as many as so many bytes hold.
func peakList(n, size int, element func(i int) string) string {
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

func writePeakFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// runForPeak runs the program and returns how many bytes that had resident at most, and
// what it said.
func runForPeak(t *testing.T, program, dir string, exit int, command string) (peak int64, text string) {
	t.Helper()
	args := []string{"-test.run=^TestLaunchForPeak$", "--", program, "-chdir=" + dir, command}
	if command == "apply" {
		args = append(args, "-auto-approve")
	}
	said := filepath.Join(t.TempDir(), "said")
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), launchEnv+"="+said)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	var code int
	numbers, text, _ := strings.Cut(string(data), "\n")
	if _, err := fmt.Sscan(numbers, &peak, &code); err != nil || code != exit {
		t.Fatalf("%s: %v, exit code %d instead of %d\n%.2000s", command, err, code, exit, text)
	}
	return peak, text
}

// launchEnv names the variable with the file to which TestLaunchForPeak writes.
const launchEnv = "RECONCILE_TEST_LAUNCH"

// TestLaunchForPeak runs a program and writes its peak, its exit code and what it said to a
// file. It is no test: as a process counts what its parent has resident when it starts, the
// parent has to be a small one.
func TestLaunchForPeak(t *testing.T) {
	said := os.Getenv(launchEnv)
	if said == "" {
		t.Skip("it is run by tests of peaks")
	}
	command := flag.Args()
	cmd := exec.Command(command[0], command[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10 // of KiB
	text := fmt.Sprintf("%d %d\n%s", peak, cmd.ProcessState.ExitCode(), out.String())
	if err := os.WriteFile(said, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
