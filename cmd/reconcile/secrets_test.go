package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"reconcile/internal/blob/s3test"
)

// What the tests plant: values of masked columns, in all places where values end up,
// and keys of masks.
const (
	plantedKey   = "plantedkeyofthemask0001"
	plantedNext  = "plantedkeyofthemask0002"
	plantedEmail = "planted.email@example.org"
	plantedPhone = "planted-phone-555-0199"
	plantedCard  = "planted-card-4111111111111111"
)

const secretTables = `
sink "parquet" "lake" {
  path        = "lake"
  compression = "none"
}
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

const secretMasks = `
variable "mask_key" {
  type      = string
  sensitive = true
}
mask "hashed" {
  tables  = ["*"]
  columns = ["*mail"]
  method  = "hmac-sha256"
  key     = var.mask_key
}
mask "nulled" {
  tables  = ["*"]
  columns = ["phone"]
  method  = "null"
}
mask "dropped" {
  tables  = ["*"]
  columns = ["card"]
  method  = "drop"
}
notify "nobody" {
  webhook = "http://127.0.0.1:1/${var.mask_key}"
  headers = { Authorization = var.mask_key }
}
notify "file" { command = ["sh", "-c", "cat >> told.json; env >> told.env"] }
metrics { textfile = "figures.prom" }
`

// planted puts the values in their places.
func planted(export string) string {
	return strings.NewReplacer("<email>", plantedEmail, "<phone>", plantedPhone, "<card>", plantedCard).Replace(export)
}

// secretExport has the values in published, hidden, quarantined and unlisted rows and
// columns, in several spellings, and in a damaged file.
const (
	secretExport = `dump 1
table checkout full
file
event_id user_id time email phone card
1 10 2026-01-05 <email> <phone> <card>
1 11 2026-01-06 <email> <phone> <card>
- 12 2026-01-05 <email> <phone> <card>
x 12 2026-01-05 <email> <phone> <card>
file
event_id user_id time Email eMail PHONE Card card
2 10 2026-01-05 <email> <email> <phone> <card> <card>
table signup full event_id,user_id,time
file
event_id user_id time email card
1 10 2026-01-05 <email> <card>
table users full
file
user_id joindate last_modified email phone card
10 2026-01-01 2026-01-02 <email> <phone> <card>
11 2026-01-01 2026-01-03 <email> <phone> <card>
- 2026-01-01 2026-01-03 <email> <phone> <card>
table user_migrations full
file
from_user_id to_user_id time
11 10 2026-01-01
`
	secretSecond = `dump 2
table checkout delta
file
event_id user_id time email phone card
2 11 2026-01-05 <email> <phone> <card>
table signup delta
file damaged
event_id user_id time email card
2 10 2026-01-05 <email> <card>
table users delta
file
user_id joindate last_modified email phone card
12 2026-01-01 2026-01-02 <email> <phone> <card>
table user_migrations full
file
from_user_id to_user_id time
`
)

// secretBed is a folder in which the program works, and all that it ever printed.
type secretBed struct {
	t    *testing.T
	dir  string
	env  []string
	said bytes.Buffer
}

func (b *secretBed) run(code int, args ...string) {
	b.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("reconcile", args...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), b.env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		b.t.Errorf("reconcile %s ended with %d, want %d:\n%s", args, got, code, &out)
	}
	b.said.Write(out.Bytes())
}

func (b *secretBed) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *secretBed) deliver(text string) {
	b.t.Helper()
	w, err := parseExport(planted(text))
	if err == nil {
		err = w.Write(filepath.Join(b.dir, "dumps"))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// play runs every command, stops applies where they have staged and committed, and
// makes mistakes.
func (b *secretBed) play(masks bool) {
	b.t.Helper()
	config := "source \"local\" { path = \"dumps\" }\n" + secretTables
	if masks {
		config += secretMasks
	}
	b.write("main.hcl", config)
	b.deliver(secretExport)
	for _, args := range [][]string{{"validate"}, {"validate", "-json"}, {"fmt", "-check", "-diff"}, {"version"}, {"plan"}, {"plan", "-json"}, {"plan", "-exact"}, {"plan", "-out=night.plan"}, {"plan", "-log-format=json", "-log-level=debug"}, {"show", "night.plan"}, {"show", "-json", "night.plan"}} {
		b.run(0, args...)
	}
	for _, point := range []string{"stage.close", "state.commit.before", "publish.move.before", "publish.clear.before"} {
		b.env = append(b.env, failpointEnv+"="+point+"=exit")
		b.run(137, "apply", "-auto-approve")
		b.env = b.env[:len(b.env)-1]
		b.scan()
	}
	b.run(0, "apply", "-auto-approve")
	b.deliver(secretSecond)
	b.run(3, "plan", "-exact", "-out=second.plan")
	b.run(3, "apply", "-auto-approve", "-json")
	for _, args := range [][]string{{"show"}, {"show", "-json"}, {"show", "-rescued"}, {"show", "-rescued", "-json"}, {"status"}, {"status", "-json"}, {"history"}, {"history", "-json"}, {"schema", "history"}, {"schema", "history", "-json"}, {"quarantine", "list"}, {"quarantine", "export"}, {"quarantine", "export", "-o=quarantined.json"}} {
		b.run(0, args...)
	}
	b.scan()
	if masks {
		b.mistakes()
	}
}

// mistakes are made with the key at hand.
func (b *secretBed) mistakes() {
	b.t.Helper()
	for name, text := range map[string]string{
		"a number":     "variable \"n\" {\n  type = number\n  sensitive = true\n}\n",
		"a validation": "variable \"n\" {\n  type = string\n  sensitive = true\n  validation {\n    condition = length(var.n) > 99\n    error_message = \"too short\"\n  }\n}\n",
		"elsewhere":    "variable \"n\" {\n  type = string\n  sensitive = true\n}\nignore \"x\" {}\nsink \"parquet\" \"l2\" { path = \"lake-${var.n}\" }\n",
		"a call":       "variable \"n\" {\n  type = string\n  sensitive = true\n}\nlocals { x = tonumber(var.n) }\nsink \"parquet\" \"l2\" { path = local.x }\n",
	} {
		b.write("mistake.hcl", text)
		b.t.Log(name)
		b.run(1, "validate", "-var=n="+plantedKey)
		b.run(1, "plan", "-json", "-var=n="+plantedKey)
	}
	if err := os.Remove(filepath.Join(b.dir, "mistake.hcl")); err != nil {
		b.t.Fatal(err)
	}
	b.run(1, "plan", "-var=mask_kei="+plantedKey)
	b.env = []string{"RECONCILE_VAR_mask_key=" + plantedNext}
	b.run(13, "plan")
	b.run(13, "apply", "-auto-approve")
	b.run(3, "apply", "-auto-approve", "-accept=mask.hashed")
	b.scan()
}

// scan looks for what was planted in all that the program wrote and printed.
func (b *secretBed) scan() map[string]bool {
	b.t.Helper()
	found := map[string]bool{}
	look := func(where string, data []byte) {
		for _, s := range []string{plantedKey, plantedNext, plantedEmail, plantedPhone, plantedCard} {
			if bytes.Contains(data, []byte(s)) {
				found[s+" in "+where] = true
			}
		}
	}
	look("the output", b.said.Bytes())
	err := filepath.WalkDir(b.dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(b.dir, p)
		if err != nil {
			return err
		}
		if rel == "dumps" {
			return fs.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(p, ".hcl") {
			return nil
		}
		data, err := os.ReadFile(p)
		top, _, _ := strings.Cut(rel, string(filepath.Separator))
		look(top, data)
		look(top, unpacked(data))
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// unpacked is what stands in the zstd frames of a file.
func unpacked(data []byte) []byte {
	var out bytes.Buffer
	for {
		i := bytes.Index(data, []byte{0x28, 0xb5, 0x2f, 0xfd})
		if i < 0 {
			return out.Bytes()
		}
		if z, err := zstd.NewReader(bytes.NewReader(data[i:]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<26)); err == nil {
			_, _ = io.Copy(&out, z) // what follows the frame is none
			z.Close()
		}
		data = data[i+4:]
	}
}

// TestPlantedSecrets looks for values of masked columns and keys of masks in the
// state, its objects, the lake, staged and scratch files, and everything printed.
func TestPlantedSecrets(t *testing.T) {
	plain := &secretBed{t: t, dir: t.TempDir()}
	plain.play(false)
	places := plain.scan()
	for _, where := range []string{"lake", ".reconcile", "the output"} {
		for _, s := range []string{plantedEmail, plantedPhone, plantedCard} {
			if !places[s+" in "+where] {
				t.Errorf("without masks the test does not find %s in %s", s, where)
			}
		}
	}
	masked := &secretBed{t: t, dir: t.TempDir(), env: []string{"RECONCILE_VAR_mask_key=" + plantedKey}}
	masked.play(true)
	var leaks []string
	for leak := range masked.scan() {
		leaks = append(leaks, leak)
	}
	slices.Sort(leaks)
	if len(leaks) > 0 {
		t.Errorf("there is %q", leaks)
	}
}

// TestPlantedCredentials looks for the secret key of S3 in all that the program
// wrote and printed, with a server that refuses it, too.
func TestPlantedCredentials(t *testing.T) {
	s := s3test.Start(t)
	b := newBucketBed(t, s)
	b.deliver(nightOne)
	var said strings.Builder
	for _, args := range [][]string{{"validate"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve"}, {"show"}, {"show", "-json"}, {"status"}, {"status", "-json"}, {"history", "-json"}, {"schema", "history"}} {
		said.WriteString(b.run(0, args...))
	}
	secret := s.SecretKey
	b.env = append(b.env, "AWS_SECRET_ACCESS_KEY=planted/"+secret, "AWS_SESSION_TOKEN=planted-token")
	said.WriteString(b.run(1, "plan"))
	said.WriteString(b.run(1, "apply", "-auto-approve", "-json"))
	for _, dir := range []string{b.dir, filepath.Join(s.Dir, b.out)} {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(p)
			said.Write(data)
			said.Write(unpacked(data))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, leak := range []string{secret, "planted/", "planted-token"} {
		if strings.Contains(said.String(), leak) {
			t.Errorf("there is %q", leak)
		}
	}
}
