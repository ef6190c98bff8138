package main

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rogpeppe/go-internal/testscript"

	"reconcile/engine/states"
	"reconcile/state"
)

// TestMain makes the test binary be the program, too, the program on a certain day, one
// whose states have a newer format, in a cgroup that a folder describes, and one to which something happens at the first progress
// of an apply.
func TestMain(m *testing.M) {
	hooked := func(hook func()) func() {
		return func() { os.Exit(start(hooks{onProgress: sync.OnceFunc(hook)})) }
	}
	interrupt := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGINT) }
	testscript.Main(m, map[string]func(){
		"reconcile":          main,
		"reconcile-on-a-day": func() { os.Exit(start(hooks{now: func() time.Time { return shownDay }})) },
		"reconcile-interrupted": hooked(func() {
			interrupt()
			time.Sleep(300 * time.Millisecond)
		}),
		"reconcile-terminated": hooked(func() {
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			time.Sleep(300 * time.Millisecond)
		}),
		"reconcile-interrupted-twice": hooked(func() {
			interrupt()
			time.Sleep(100 * time.Millisecond)
			interrupt()
			time.Sleep(time.Minute)
		}),
		"reconcile-in-cgroup":   func() { os.Exit(start(hooks{machine: os.DirFS("machine")})) },
		"reconcile-waiting":     hooked(waitToGoOn),
		"reconcile-brief-lease": func() { os.Exit(start(hooks{lease: states.Lease{TTL: briefTTL}})) },
		"reconcile-brief-day":   func() { os.Exit(start(hooks{lease: states.Lease{Day: time.Millisecond}})) },
		"reconcile-waiting-brief-lease": func() {
			os.Exit(start(hooks{onProgress: sync.OnceFunc(waitToGoOn), lease: states.Lease{TTL: briefTTL}}))
		},
		"reconcile-next": func() {
			version = "0.2.0"
			os.Exit(start(hooks{format: state.Format{Number: 2, Program: version}}))
		},
		"reconcile-panicking": hooked(func() { panic("in a worker") }),
		"reconcile-panicking-in-main": func() {
			os.Args = nil // which start slices
			main()
		},
	})
}

// briefTTL is how long the lease of a holder lasts that tests freeze.
const briefTTL = 6 * time.Second

// waitToGoOn says that it waits, and waits until somebody says "go-on".
func waitToGoOn() {
	_ = os.WriteFile("waiting", nil, 0o600)
	appears("go-on")
}

// appears reports whether a file comes within a time that is long for a slow machine, too.
func appears(path string) bool {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		ContinueOnError:     true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     cmdExits,
			"mkexport":  cmdMkexport,
			"snapshot":  cmdSnapshot,
			"unchanged": cmdUnchanged,
			"wait-for":  cmdWaitFor,
			"flip":      cmdFlip,
			"json":      cmdJSON,
			"harmless":  cmdHarmless,
			"age":       cmdAge,
			"report":    cmdReport,
			"prom":      cmdProm,
			"hook":      cmdHook,
			"logged":    cmdLogged,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TERM", "xterm")
			return nil
		},
	})
}

// cmdExits runs a program that must end with an exit code: exits CODE PROGRAM ARGS.
// The code "signal" stands for an end by a signal.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		code = "signal"
	case errors.As(err, &exit):
		code = strconv.Itoa(exit.ExitCode())
	default:
		ts.Check(err)
	}
	if code != args[0] {
		ts.Fatalf("ended with %s, want %s", code, args[0])
	}
}

// listing describes all files and folders below the given ones: kind, time of
// change, digest.
func listing(ts *testscript.TestScript, dirs []string) string {
	var b strings.Builder
	for _, dir := range dirs {
		err := filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			sum := ""
			if info.Mode().IsRegular() {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum = fmt.Sprintf("%x", sha256.Sum256(text))
			}
			fmt.Fprintln(&b, path, info.Mode(), info.ModTime().UnixNano(), sum)
			return nil
		})
		ts.Check(err)
	}
	return b.String()
}

func snapshotFile(ts *testscript.TestScript) string {
	return filepath.Join(filepath.Dir(ts.Getenv("WORK")), "snapshot-"+ts.Name())
}

// cmdSnapshot notes the content of folders: snapshot DIR...
func cmdSnapshot(ts *testscript.TestScript, _ bool, args []string) {
	text := listing(ts, args)
	ts.Check(os.WriteFile(snapshotFile(ts), []byte(strings.Join(args, "\n")+"\x00"+text), 0o600))
}

// cmdUnchanged fails if anything changed since snapshot: unchanged [-but=NAME].
// With -but files and folders of that name do not count, such as the lock, which
// every apply takes.
func cmdUnchanged(ts *testscript.TestScript, neg bool, args []string) {
	dirs, was, _ := strings.Cut(ts.ReadFile(snapshotFile(ts)), "\x00")
	now := listing(ts, strings.Split(dirs, "\n"))
	for _, arg := range args {
		name, ok := strings.CutPrefix(arg, "-but=")
		if !ok {
			ts.Fatalf("usage: unchanged [-but=NAME]...")
		}
		was, now = without(was, name), without(now, name)
	}
	if (was == now) == neg {
		ts.Fatalf("before:\n%s\nnow:\n%s", was, now)
	}
}

func without(list, name string) string {
	var out []string
	for line := range strings.Lines(list) {
		if path, _, _ := strings.Cut(line, " "); filepath.Base(path) != name {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// cmdWaitFor waits until a file is there.
func cmdWaitFor(ts *testscript.TestScript, _ bool, args []string) {
	if !appears(ts.MkAbs(args[0])) {
		ts.Fatalf("%s does not appear", args[0])
	}
}

// cmdFlip inverts the byte in the middle of a file, or cuts it off there with -cut.
func cmdFlip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[len(args)-1])
	text, err := os.ReadFile(path)
	ts.Check(err)
	if args[0] == "-cut" {
		text = text[:len(text)/2]
	} else {
		text[len(text)/2] ^= 0xff
	}
	ts.Check(os.WriteFile(path, text, 0o600))
}

// cmdHarmless checks that what the last program printed, and files, hold no character
// but visible ones, ends of lines and, with -colour, colours, and that no line begins
// with a text, blanks aside, or is a command of a CI system:
// harmless [-colour] TEXT [FILE...].
func cmdHarmless(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if args[0] == "-colour" {
		args = args[1:]
		text = regexp.MustCompile(`\x1b\[(0|1|4|1;)?(3[123])?m`).ReplaceAllString(text, "")
		text = strings.ReplaceAll(text, "\r\n", "\n") // of the terminal
	}
	for _, file := range args[1:] {
		text += ts.ReadFile(file)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for _, r := range line {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == utf8.RuneError {
				ts.Fatalf("%U in %q", r, line)
			}
		}
		if begins := strings.TrimSpace(line); strings.HasPrefix(begins, args[0]) || strings.HasPrefix(begins, "::") || strings.Contains(line, "##") {
			ts.Fatalf("a forged line: %q", line)
		}
	}
}

// cmdJSON checks that a file, or stdout, has one JSON object a line, each with
// a type and the format version, and that the last one is of a type: json FILE TYPE.
func cmdJSON(ts *testscript.TestScript, _ bool, args []string) {
	last := ""
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var v struct {
			Type    string `json:"type"`
			Version int    `json:"format_version"`
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Type == "" || v.Version != formatVersion {
			ts.Fatalf("bad line %q: %v", line, err)
		}
		last = v.Type
	}
	if last != args[1] {
		ts.Fatalf("the last line is of type %q, want %q", last, args[1])
	}
}

// cmdAge makes files, or all files of folders, so old: age DURATION FILE...
func cmdAge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: age DURATION FILE...")
	}
	at := timeAgo(ts, args[0])
	for _, file := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(file), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return os.Chtimes(path, at, at)
		}))
	}
}

func timeAgo(ts *testscript.TestScript, age string) time.Time {
	d, err := time.ParseDuration(age)
	ts.Check(err)
	return time.Now().Add(-d)
}

// cmdReport writes a sync report of an export:
// report FILE STATUS AGE [start=AGE] [next=AGE] [error=TEXT].
func cmdReport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: report FILE STATUS AGE [start=AGE] [next=AGE] [error=TEXT]")
	}
	finish := timeAgo(ts, args[2])
	says := map[string]any{"status": args[1], "finish_time": finish.UnixMilli(), "error": nil}
	for _, arg := range args[3:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "start":
			says["start_time"] = timeAgo(ts, value).UnixMilli()
		case "next":
			says["next_sync_at"] = timeAgo(ts, value).UnixMilli()
		default:
			text, err := strconv.Unquote(`"` + value + `"`)
			ts.Check(err)
			says[name] = text
		}
	}
	text, err := json.Marshal(says)
	ts.Check(err)
	file := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o700))
	ts.Check(os.WriteFile(file, text, 0o600))
	ts.Check(os.Chtimes(file, finish, finish))
}

// cmdProm prints the samples of a file of figures as the parser of Prometheus reads them,
// with sorted labels and without the folder: prom FILE.
func cmdProm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: prom FILE")
	}
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	for name, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				if l.GetName() != "folder" {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			slices.Sort(labels)
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			fmt.Fprintf(ts.Stdout(), "%s{%s} %s\n", name, strings.Join(labels, ","), strconv.FormatFloat(value, 'f', -1, 64))
		}
	}
}

// cmdHook starts a webhook over TLS that adds what it is sent to a file, and the headers to
// one beside it; HOOK is its address, and programs trust it: hook FILE.
func cmdHook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hook FILE")
	}
	file := ts.MkAbs(args[0])
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var headers strings.Builder
		err = errors.Join(err, r.Header.Write(&headers), add(file, body), add(strings.TrimSuffix(file, ".jsonl")+".headers", []byte(headers.String())))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of programs that do not trust it
	ts.Defer(srv.Close)
	cert := filepath.Join(filepath.Dir(file), "hook.pem")
	ts.Check(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	ts.Setenv("SSL_CERT_FILE", cert)
	ts.Setenv("HOOK", srv.URL)
}

// add adds to a file.
func add(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// cmdLogged checks that standard error of the last program has nothing but entries of a
// log, and some: logged.
func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: logged")
	}
	text := ts.ReadFile("stderr")
	for line := range strings.Lines(text) {
		var v struct {
			Time       time.Time `json:"time"`
			Level, Msg string
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Time.IsZero() || v.Level == "" || v.Msg == "" {
			ts.Fatalf("bad line %q: %v", line, err)
		}
	}
	if text == "" {
		ts.Fatalf("nothing was logged")
	}
}
