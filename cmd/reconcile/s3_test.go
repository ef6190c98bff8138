package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
)

// bucketBed is a folder in which the program works from one bucket to another.
type bucketBed struct {
	t       *testing.T
	server  *s3test.Server
	in, out string // buckets
	dir     string
	env     []string
	called  string // program, if it is another one than reconcile
}

const bucketConfig = `
source "s3" {
  bucket           = %q
  prefix           = "export"
  manifest_bucket  = "csq-rs3-test"
  region           = "us-east-1"
  endpoint         = %q
  force_path_style = true
}
sink "parquet" "lake" {
  path             = "s3://%s/lake"
  region           = "us-east-1"
  endpoint         = %q
  force_path_style = true
}
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

func newBucketBed(t *testing.T, s *s3test.Server) *bucketBed {
	b := &bucketBed{t: t, server: s, in: s.Bucket(t), out: s.Bucket(t), dir: t.TempDir(), env: s.Env()}
	b.configure(fmt.Sprintf(bucketConfig, b.in, s.Endpoint, b.out, s.Endpoint))
	return b
}

func (b *bucketBed) configure(text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "main.hcl"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// deliver uploads an export that is described as for mkexport.
func (b *bucketBed) deliver(text string) {
	b.t.Helper()
	w, err := parseExport(text)
	folder := b.t.TempDir()
	if err == nil {
		err = w.Write(folder)
	}
	if err == nil {
		err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			key := "export" + filepath.ToSlash(strings.TrimPrefix(p, folder))
			_, err = b.server.Client().PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &b.in, Key: &key, Body: bytes.NewReader(data)})
			return err
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// command is the program, about to be started.
func (b *bucketBed) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	var out bytes.Buffer
	cmd := exec.Command(cmp.Or(b.called, "reconcile"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &out, &out
	cmd.Env = append(s3test.Environ(), b.env...)
	return cmd, &out
}

// run runs the program, which must end with a code, and returns what it prints.
func (b *bucketBed) run(code int, args ...string) string {
	b.t.Helper()
	cmd, out := b.command(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		b.t.Fatalf("reconcile %s ended with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out.String()
}

// rows reads all rows of the lake, as a glob finds them: a sorted text each.
func (b *bucketBed) rows() []string {
	b.t.Helper()
	var rows []string
	lake := filepath.Join(b.server.Dir, b.out, "lake")
	err := filepath.WalkDir(lake, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".parquet") {
			return err
		}
		part, err := filepath.Rel(lake, filepath.Dir(p))
		if err != nil {
			return err
		}
		list, err := rowsOf(p)
		for _, r := range list {
			rows = append(rows, part+" "+r)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}

// wantRows compares the rows of the lake.
func (b *bucketBed) wantRows(want []string) {
	b.t.Helper()
	if got := b.rows(); !slices.Equal(got, want) {
		b.t.Errorf("there are the rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func rowsOf(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parquet.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var rows []string
	for g := range f.RowGroups() {
		b := &column.Batch{}
		if err := f.ReadRowGroup(g, f.Columns(), b); err != nil {
			return nil, err
		}
		for i := range b.N {
			var cells []string
			for c := range b.Cols {
				if !b.Cols[c].IsNull(i) {
					cells = append(cells, b.Cols[c].Name+"="+string(column.AppendText(nil, &b.Cols[c], i)))
				}
			}
			slices.Sort(cells)
			rows = append(rows, strings.Join(cells, " "))
		}
	}
	return rows, nil
}

// Two deliveries: the second merges users, corrects a row and moves one.
const (
	nightOne = `dump 1
table checkout delta
file
event_id user_id time amount
1 10 2026-01-05 1.50
2 11 2026-01-05 2
3 12 2026-01-06 -
table signup delta
file
event_id user_id time
1 10 2026-01-05
2 12 2026-01-07
table users full
file
user_id joindate last_modified plan
10 2026-01-01 2026-01-02 free
11 2026-01-01 2026-01-03 -
12 2026-01-01 2026-01-04 pro
`
	nightTwo = `dump 2
table checkout delta
file
event_id user_id time amount
2 11 2026-01-06 2.25
4 13 2026-01-07 9
1 11 2026-01-05 7
table user_migrations full
file
from_user_id to_user_id time
11 10 2026-01-07
`
)

// TestNightsOnS3 plays the two deliveries.
func TestNightsOnS3(t *testing.T) {
	b := newBucketBed(t, s3test.Start(t))
	b.deliver(nightOne)
	b.run(0, "apply", "-auto-approve")
	b.deliver(nightTwo)
	b.run(2, "plan", "-detailed-exitcode")
	b.run(0, "apply", "-auto-approve")
	b.run(0, "plan", "-detailed-exitcode")
	if got := len(b.rows()); got != 8 {
		t.Errorf("%d rows", got)
	}
}

// TestNightsOverTLS plays them with the real program and a server with TLS.
func TestNightsOverTLS(t *testing.T) { s3test.OverTLS(t, "^TestNightsOnS3$") }

// TestKilledProgramOnS3 kills the program with SIGKILL at any moment.
func TestKilledProgramOnS3(t *testing.T) {
	s := s3test.Start(t)
	night := func(b *bucketBed) {
		b.deliver(nightOne)
		b.run(0, "apply", "-auto-approve")
		b.deliver(nightTwo)
	}
	whole := newBucketBed(t, s)
	night(whole)
	began := time.Now()
	whole.run(0, "apply", "-auto-approve")
	took, want := time.Since(began), whole.rows()
	r := rand.New(rand.NewSource(1))
	for range 5 {
		b := newBucketBed(t, s)
		night(b)
		for range 2 {
			cmd, _ := b.command("apply", "-auto-approve")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(r.Int63n(int64(took))))
			_ = cmd.Process.Kill()
			t.Log(cmd.Wait())
		}
		time.Sleep(100 * time.Millisecond) // what was asked for last still happens
		b.run(0, "apply", "-auto-approve")
		b.run(0, "plan", "-detailed-exitcode")
		b.wantRows(want)
	}
}

// TestRequestsAreShown holds what the program counts against what the servers
// saw, in both forms of output.
func TestRequestsAreShown(t *testing.T) {
	s := s3test.Start(t)
	b := newBucketBed(t, s)
	gate := s3test.NewGate(t, s.Endpoint)
	b.configure(fmt.Sprintf(bucketConfig, b.in, gate.Endpoint, b.out, gate.Endpoint))
	b.deliver(nightOne)
	text := b.run(0, "apply", "-auto-approve")
	total := 0
	for _, m := range regexp.MustCompile(`(?m)^([0-9,]+) requests to s3://\S+ \((.*)\), [0-9.]+ k?B received, [0-9.]+ k?B sent$`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		for op := range strings.SplitSeq(m[2], ", ") {
			each, _, _ := strings.Cut(op, " ")
			k, _ := strconv.Atoi(each)
			n -= k
		}
		if n != 0 {
			t.Errorf("the operations are not the sum: %s", m[0])
		}
		n, _ = strconv.Atoi(m[1])
		total += n
	}
	if seen := len(gate.Seen()); total != seen {
		t.Errorf("%d requests are shown, the server saw %d:\n%s", total, seen, text)
	}
	gate.Rule(nil)
	lines := strings.Split(strings.TrimSpace(b.run(0, "apply", "-auto-approve", "-json")), "\n")
	last := lines[len(lines)-1]
	checkRecord(t, "apply", last)
	var v applyLine
	if err := json.Unmarshal([]byte(last), &v); err != nil || len(v.Requests) != 2 {
		t.Fatalf("%v: %s", err, last)
	}
	if n := v.Requests[0].Total + v.Requests[1].Total; n != int64(len(gate.Seen())) || v.Requests[0].Place != "s3://"+b.in+"/export" {
		t.Errorf("%d requests in %s, the server saw %d", n, last, len(gate.Seen()))
	}
}

// TestRefusalsOnS3 lets the server refuse from some request on, in the middle of
// an apply: the program says why, and the next apply goes on.
func TestRefusalsOnS3(t *testing.T) {
	s := s3test.Start(t)
	whole := newBucketBed(t, s)
	whole.deliver(nightOne)
	whole.run(0, "apply", "-auto-approve")
	want := whole.rows()
	for fault, says := range map[s3test.Fault]string{
		"400 ExpiredToken":          "the credentials have expired",
		"403 RequestTimeTooSkewed":  "the clock of this machine is wrong",
		"403 AccessDenied":          "access denied: allow s3:",
		"400 KMS.DisabledException": "the KMS key cannot be used",
		"403 InvalidAccessKeyId":    "the credentials are not valid here",
	} {
		for _, from := range []int{1, 20, 60} {
			t.Run(fmt.Sprintf("%s from %d", fault, from), func(t *testing.T) {
				t.Parallel()
				b := newBucketBed(t, s)
				gate := s3test.NewGate(t, s.Endpoint)
				b.configure(fmt.Sprintf(bucketConfig, b.in, gate.Endpoint, b.out, gate.Endpoint))
				b.deliver(nightOne)
				b.env = append(b.env, "AWS_MAX_ATTEMPTS=3")
				gate.From(from, fault)
				cmd, out := b.command("apply", "-auto-approve")
				_ = cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code != 1 && code != 3 || !strings.Contains(out.String(), says) || strings.Contains(out.String(), s.SecretKey) {
					t.Errorf("ended with %d and does not say %q:\n%s", code, says, out)
				}
				gate.Rule(nil)
				b.run(0, "apply", "-auto-approve")
				b.run(0, "plan", "-detailed-exitcode")
				b.wantRows(want)
			})
		}
	}
}

// TestCredentialsAreRenewed lets those that a program gives expire in the middle
// of an apply: the program is asked again, and nobody notices.
func TestCredentialsAreRenewed(t *testing.T) {
	s := s3test.Start(t)
	b := newBucketBed(t, s)
	gate := s3test.NewGate(t, s.Endpoint)
	b.configure(fmt.Sprintf(bucketConfig, b.in, gate.Endpoint, b.out, gate.Endpoint))
	b.deliver(nightOne)
	asked := filepath.Join(b.dir, "asked")
	process := filepath.Join(b.dir, "credentials")
	script := fmt.Sprintf("#!/bin/sh\necho >>%s\necho '{\"Version\":1,\"AccessKeyId\":%q,\"SecretAccessKey\":%q,\"Expiration\":\"2999-01-01T00:00:00Z\"}'\n", asked, s.AccessKey, s.SecretKey)
	profile := filepath.Join(b.dir, "aws")
	err := errors.Join(os.WriteFile(process, []byte(script), 0o700), os.WriteFile(profile, []byte("[default]\nregion = us-east-1\ncredential_process = "+process+"\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONFIG_FILE="+profile)
	times := 0
	gate.Rule(func(n int, _ *http.Request) s3test.Fault {
		if n == 20 || n == 50 {
			times++
			return "400 ExpiredToken"
		}
		return s3test.NoFault
	})
	b.run(0, "apply", "-auto-approve")
	b.run(0, "plan", "-detailed-exitcode")
	if calls, err := os.ReadFile(asked); err != nil || len(calls) < 2+times || times != 2 {
		t.Errorf("the program was asked %d times, credentials expired %d times, %v", len(calls), times, err)
	}
}
