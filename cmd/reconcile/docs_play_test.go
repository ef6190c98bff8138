package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/state"
	"reconcile/state/local"
)

var flagUpdate = flag.Bool("update", false, "write what the program prints into the documentation")

// playedPages are the pages whose examples are what the program prints. In them
//
//	```console           is a list of commands after "$ ", each with what it
//	                     prints on both streams; echo $? prints the exit code
//	```json              below a heading with the name of a record type is one
//	                     such record out of all that the page's commands print
//	<!-- file: NAME -->  writes the block that follows to a file
//	<!-- export: F -->   writes the export that testdata/docs/F describes
//	<!-- report: NAME STATUS FINISH NEXT --> writes a sync report of the export
//	<!-- folder: NAME --> makes a folder
//	<!-- remove: FOLDER --> removes a folder
//	<!-- run: COMMAND --> runs a command that is not shown
//	<!-- lock -->, <!-- unlock -->  between them another process has the lock
var playedPages = []string{"commands.md", "json-output.md"}

// TestDocumentedOutput plays the examples of the pages. With -update it writes
// what they print.
func TestDocumentedOutput(t *testing.T) {
	for _, page := range playedPages {
		t.Run(page, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", page)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *flagUpdate {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(blur(string(text)), "\n"), strings.Split(blur(got), "\n")); diff != "" {
				t.Errorf("the page is not what the program prints (-page +program); go test ./cmd/reconcile -run TestDocumentedOutput -update writes it:\n%s", diff)
			}
		})
	}
}

// blur leaves sizes of files out of a comparison: they change with every detail
// of an encoding. So it does with how far an apply was at some time.
func blur(s string) string {
	if strings.Contains(s, `"type": "progress"`) {
		s = regexp.MustCompile(`"phase": "\w+"`).ReplaceAllString(s, `"phase": "reading"`)
		s = regexp.MustCompile(`": [0-9.]+`).ReplaceAllString(s, `": 0`)
	}
	s = regexp.MustCompile(`~?\b[0-9.]+ k?B\b`).ReplaceAllString(s, "some bytes")
	return regexp.MustCompile(`"(bytes\w*)": ?\d+`).ReplaceAllString(s, `"$1": 0`)
}

// shown is the folder that the examples seem to run in.
const shown = "/srv/shop"

// shownDay is when they seem to run, and dump 41 arrived two nights before, a dump each
// night.
var shownDay = time.Date(2026, 3, 7, 8, 0, 0, 0, time.UTC)

// arrivalOfDump is when a dump of the examples arrived.
func arrivalOfDump(id int64) time.Time {
	const first = 41
	return time.Date(2026, 3, 5+int(id-first), 1, 30, 0, 0, time.UTC)
}

// player plays one page.
type player struct {
	t       *testing.T
	dir     string
	code    int
	out     []string // the new page
	heading string
	file    string              // that the next block is
	records map[string][]string // all that were printed, by type
	lock    *state.Lock
	lines   map[int]string // indexes into out of JSON blocks to fill: their type
}

func play(t *testing.T, page string) string {
	p := &player{t: t, dir: t.TempDir(), records: map[string][]string{}, lines: map[int]string{}}
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		p.out = append(p.out, line)
		if name, ok := strings.CutPrefix(line, "### "); ok {
			p.heading = strings.Trim(name, "`")
		}
		if m := regexp.MustCompile(`^<!-- (\w+)(?:: (.*))? -->$`).FindStringSubmatch(line); m != nil {
			p.directive(m[1], m[2])
			continue
		}
		if !strings.HasPrefix(line, "```") || line == "```" {
			continue
		}
		end := i + 1 + slices.Index(lines[i+1:], "```")
		p.block(strings.TrimPrefix(line, "```"), lines[i+1:end])
		p.out = append(p.out, "```")
		i = end
	}
	return p.fill()
}

func (p *player) directive(name, arg string) {
	p.t.Helper()
	switch name {
	case "file":
		p.file = arg
	case "export":
		text, err := os.ReadFile(filepath.Join("testdata", "docs", arg))
		if err != nil {
			p.t.Fatal(err)
		}
		world, err := parseExport(string(text))
		if err == nil {
			err = world.Write(filepath.Join(p.dir, "dumps"))
		}
		if err != nil {
			p.t.Fatal(err)
		}
		for _, d := range world.Dumps {
			p.dated(filepath.Join("dumps", d.ManifestKey()), arrivalOfDump(d.ID))
		}
	case "report":
		p.report(strings.Fields(arg))
	case "folder":
		if err := os.MkdirAll(filepath.Join(p.dir, arg), 0o700); err != nil {
			p.t.Fatal(err)
		}
	case "remove":
		if err := os.RemoveAll(filepath.Join(p.dir, arg)); err != nil {
			p.t.Fatal(err)
		}
	case "run":
		p.run(arg)
	case "lock":
		s := local.Open(filepath.Join(p.dir, ".reconcile", "state.db"), local.Options{})
		lock, err := s.Lock(p.t.Context(), state.NewHolder("apply"), 0)
		if err != nil {
			p.t.Fatal(err)
		}
		p.lock = lock
	case "unlock":
		if err := p.lock.Unlock(); err != nil {
			p.t.Fatal(err)
		}
	default:
		p.t.Fatalf("there is no directive %s", name)
	}
}

// dated gives a file the time of its last change.
func (p *player) dated(name string, at time.Time) {
	p.t.Helper()
	if err := os.Chtimes(filepath.Join(p.dir, name), at, at); err != nil {
		p.t.Fatal(err)
	}
}

// report writes a sync report.
func (p *player) report(words []string) {
	p.t.Helper()
	const form = "2006-01-02T15:04"
	finish, ferr := time.Parse(form, words[2])
	next, nerr := time.Parse(form, words[3])
	text := fmt.Sprintf(`{"start_time":%d,"finish_time":%d,"next_sync_at":%d,"status":%q,"error":null}`,
		finish.Add(-time.Hour).UnixMilli(), finish.UnixMilli(), next.UnixMilli(), words[1])
	name := filepath.Join("dumps", "sync_reports", words[0])
	if err := errors.Join(ferr, nerr, os.MkdirAll(filepath.Join(p.dir, "dumps", "sync_reports"), 0o700), os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600)); err != nil {
		p.t.Fatal(err)
	}
	p.dated(name, finish)
}

func (p *player) block(kind string, body []string) {
	p.t.Helper()
	switch {
	case p.file != "":
		if err := os.WriteFile(filepath.Join(p.dir, p.file), []byte(strings.Join(body, "\n")+"\n"), 0o600); err != nil {
			p.t.Fatal(err)
		}
		p.file = ""
	case kind == "console":
		p.console(body)
		return
	case kind == "json" && documentedAt(p.heading):
		p.lines[len(p.out)] = p.heading
		p.out = append(p.out, strings.Join(body, "\n"))
		return
	}
	p.out = append(p.out, body...)
}

// console runs the commands of a block.
func (p *player) console(body []string) {
	for i, line := range body {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		if i > 0 && command != "echo $?" {
			p.out = append(p.out, "")
		}
		p.out = append(p.out, line)
		if text := strings.TrimRight(p.run(command), "\n"); text != "" {
			p.out = append(p.out, strings.Split(text, "\n")...)
		}
	}
}

// run runs a command and returns what it prints.
func (p *player) run(command string) string {
	p.t.Helper()
	if command == "echo $?" {
		return fmt.Sprintln(p.code)
	}
	words, env := strings.Fields(command), []string{"NO_COLOR=1", "PWD=" + p.dir}
	for strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	if words[0] != "reconcile" {
		p.t.Fatalf("not a command of the examples: %s", command)
	}
	cmd := exec.CommandContext(p.t.Context(), "reconcile-on-a-day", words[1:]...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	p.code = 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		p.code = exit.ExitCode()
	} else if err != nil {
		p.t.Fatal(err)
	}
	out := p.steady(string(text))
	for line := range strings.Lines(out) {
		var v struct{ Type string }
		if json.Unmarshal([]byte(line), &v) == nil && v.Type != "" {
			p.records[v.Type] = append(p.records[v.Type], strings.TrimSpace(line))
		}
	}
	return out
}

// steady replaces what differs from run to run.
func (p *player) steady(s string) string {
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	s = strings.NewReplacer(dir, shown, p.dir, shown).Replace(s)
	for pattern, with := range map[string]string{
		`\b[0-9a-f]{32}\b`:                           "4b6f1d0c9e8a47d2b1c3a5e7f9021436",
		`go1\.[0-9]+[^\s"]*`:                         "go1.26.0",
		`\b(linux|darwin)/(amd64|arm64)\b`:           "linux/amd64",
		`locked by \S*@\S* \(process \d+,`:           "locked by loader@shop-1 (process 4711,",
		`since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`:      "since 2026-03-05T02:00:00Z",
		`made at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`: "made at 2026-03-05 02:00:00 UTC",
		`\b\d{8}T\d{6}\.\d{3}Z-`:                     "20260305T020000.000Z-",
		`"rows_per_second":\d+`:                      `"rows_per_second":0`,
		`,"seconds_left":\d+`:                        "",
		` \([0-9a-f]{12}(\+changes)?\)`:              "",
		`,"revision":"[0-9a-f]{12}(\+changes)?"`:     "",
	} {
		s = regexp.MustCompile(pattern).ReplaceAllString(s, with)
	}
	return s
}

// fill gives every JSON block a record of its type: the one that it shows if the
// page's commands print it, else the longest.
func (p *player) fill() string {
	for typ, lines := range p.records {
		for _, line := range lines {
			checkRecord(p.t, typ, line)
		}
	}
	for at, typ := range p.lines {
		all := p.records[typ]
		if len(all) == 0 {
			p.t.Errorf("no command of the page prints a record of type %s", typ)
			continue
		}
		was := p.out[at]
		i := slices.IndexFunc(all, func(r string) bool { return blur(indent(p.t, r)) == blur(was) })
		switch {
		case *flagUpdate && i >= 0:
			p.out[at] = indent(p.t, all[i])
		case *flagUpdate:
			p.out[at] = indent(p.t, slices.MaxFunc(all, func(a, b string) int { return len(a) - len(b) }))
		case i < 0:
			p.t.Errorf("%s: no command of the page prints\n%s\nbut\n%s", typ, was, indent(p.t, all[0]))
		}
	}
	return strings.Join(p.out, "\n")
}

func indent(t *testing.T, record string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(record), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
