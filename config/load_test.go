package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"reconcile/internal/definition"
)

// head is what every configuration needs, for tests of a single thing.
const head = `
source "local" { path = "./dumps" }
sink "parquet" "lake" { path = "./lake" }
table "*" { sinks = [sink.parquet.lake] }
`

// loadText loads one file.
func loadText(t *testing.T, text string, o Options) (*Config, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, src, diags := Load(dir, o)
	var out bytes.Buffer
	if err := src.Write(&out, diags, 80, false); err != nil {
		t.Fatal(err)
	}
	return cfg, out.String()
}

func TestDefaults(t *testing.T) {
	cfg, out := loadText(t, head, Options{Version: "devel"})
	if cfg == nil || out != "" {
		t.Fatal(out)
	}
	want := []any{filepath.Join(cfg.Dir, ".reconcile/state.db"), filepath.Join(cfg.Dir, ".reconcile/scratch"), int64(1 << 30), "warn",
		Source{Kind: "local", Path: filepath.Join(cfg.Dir, "dumps"), Manifests: "*.json"},
		Sink{Sink: definition.Sink{Kind: "parquet", Label: "lake", Path: filepath.Join(cfg.Dir, "lake"), Compression: "zstd"}}}
	got := []any{cfg.StatePath, cfg.ScratchDir, cfg.MemoryLimit, cfg.OnConflict, cfg.Source, *cfg.Sinks[0]}
	if !filepath.IsAbs(cfg.Dir) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// The full sample evaluates to what it says.
func TestFullSample(t *testing.T) {
	text, err := os.ReadFile("testdata/samples/full.hcl")
	if err != nil {
		t.Fatal(err)
	}
	env := func(k string) (string, bool) { return "/mirror", k == "DUMPS" }
	cfg, out := loadText(t, string(text), Options{Version: "0.1.0-rc1", Env: env, Inputs: []Input{{Name: "mask_key", Value: "correct horse"}}})
	if cfg == nil || out != "" {
		t.Fatal(out)
	}
	until := int64(2000)
	if !reflect.DeepEqual(cfg.Source, Source{Kind: "local", Path: "/mirror", Manifests: "sync_*.json", UntilDump: &until}) || cfg.MemoryLimit != 512<<20 || cfg.ScratchDir != "/var/tmp/reconcile" ||
		cfg.StatePath != filepath.Join(cfg.Dir, "state/reconcile.db") || cfg.OnConflict != "fail" {
		t.Errorf("settings: %+v %d %s %s %s", cfg.Source, cfg.MemoryLimit, cfg.ScratchDir, cfg.StatePath, cfg.OnConflict)
	}
	if want := []Skip{{1234, []string{"checkout"}, "part 3 is lost, see ticket 77"}}; !reflect.DeepEqual(cfg.Skips, want) {
		t.Errorf("skips: %v", cfg.Skips)
	}
	if want := []Removed{{"old_event", false}}; !slices.Equal(cfg.Removed, want) || !slices.Equal(cfg.Ignores, []string{"_event_metadata", "internal_*"}) {
		t.Errorf("removed %v, ignored %v", cfg.Removed, cfg.Ignores)
	}
	if len(cfg.Moves) != 1 || cfg.Moves[0].From != "s3://acme-old/heap" || cfg.Moves[0].To != cfg.Sinks[0].Path {
		t.Errorf("moves: %v", cfg.Moves)
	}
	if got := cfg.Sinks[1]; got.Address() != "sink.parquet.mirror" || got.Compression != "snappy" || got.Path != filepath.Join(cfg.Dir, "mirror") {
		t.Errorf("second sink: %+v", got)
	}
	if want := []string{"checkout", "pageviews", "sessions", "user_migrations", "users"}; !slices.Equal(cfg.ExactTables(), want) {
		t.Errorf("exact tables: %v", cfg.ExactTables())
	}
	tab, diags := cfg.Table("checkout", []string{"user_id", "event_id", "email", "revenue", "country", "shipped_at", "time"})
	if len(diags) > 0 || string(cfg.MaskKey(tab.Column("EMAIL").Verifier)) != "correct horse" {
		t.Errorf("table: %v, %v", tab, diags)
	}
}

// No form of printing or encoding shows a key.
func TestSecretsDoNotPrint(t *testing.T) {
	cfg, out := loadText(t, head+`
mask "m" {
  columns = ["email"]
  method  = "hmac-sha256"
  key     = "hunter2"
}`, Options{})
	if cfg == nil {
		t.Fatal(out)
	}
	tab, _ := cfg.Table("x", []string{"user_id", "event_id", "email"})
	col := tab.Column("email")
	if string(cfg.MaskKey(col.Verifier)) != "hunter2" {
		t.Fatal("the key is lost")
	}
	leaks := func(s string) bool {
		return strings.Contains(s, "hunter2") || strings.Contains(s, "104 117") || strings.Contains(s, "0x68") || strings.Contains(s, "68756e") || strings.Contains(s, "aHVudGVyMg")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{cfg, tab, col, &col, cfg.MaskKey(col.Verifier), []definition.Column{col}} {
			if s := fmt.Sprintf(verb, v); leaks(s) {
				t.Errorf("%s of %T: %s", verb, v, s)
			}
		}
	}
	if b, err := json.Marshal(cfg.MaskKey(col.Verifier)); err == nil || leaks(string(b)) {
		t.Errorf("the key was encoded: %s", b)
	}
	if b, err := json.Marshal([]any{col, tab}); err != nil || leaks(string(b)) {
		t.Errorf("the key was encoded with its table: %s, %v", b, err)
	}
}

// Nothing of the secrets of the case "secrets" is in what users or programs see.
func TestSecretsInDiagnostics(t *testing.T) {
	ar, err := txtar.ParseFile("testdata/bad/secrets.txtar")
	if err != nil {
		t.Fatal(err)
	}
	unpack(t, ar)
	_, src, diags := Load(".", parseArgs(t, string(part(ar, "args"))))
	if len(diags) < 20 {
		t.Fatalf("only %d diagnostics", len(diags))
	}
	var out bytes.Buffer
	if err := src.Write(&out, diags, 60, true); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&out).Encode(JSON(diags)); err != nil {
		t.Fatal(err)
	}
	for _, d := range diags {
		out.WriteString(d.Error())
	}
	for _, secret := range []string{"hunter", "unter2", "HUNTER", "aHVudGVyMg"} {
		if i := strings.Index(out.String(), secret); i >= 0 {
			t.Errorf("%q is shown: ...%s", secret, out.String()[max(0, i-200):i+20])
		}
	}
}

// A file that does not parse cannot be judged, so its keys and defaults are
// hidden by their names.
func TestSecretsInBrokenFile(t *testing.T) {
	for _, text := range []string{
		"mask \"m\" {\n  key = \"hunter2\n}\n",
		"variable \"v\" {\n  default = \"hunter2\n}\n",
		"mask \"m\" { key = \"hunter2\" + }\n",
		"mask \"m\" {\n  key = <<EOT\nhunter2 ${\nEOT\n}\n",
	} {
		if cfg, out := loadText(t, text, Options{}); cfg != nil || strings.Contains(out, "hunter2") || !strings.Contains(out, "  on ") {
			t.Errorf("%s\ngives\n%s", text, out)
		}
	}
}

func TestIgnoreAgainstGlob(t *testing.T) {
	cfg, out := loadText(t, head+`
table "ab*" {}
ignore "a?*" {}
ignore "*cd" {}
ignore "abcde" {}`, Options{})
	if cfg == nil {
		t.Fatal(out)
	}
	cols := []string{"user_id", "event_id"}
	for name, want := range map[string]string{"abx": "ab*", "axx": "", "zcd": "", "abcde": "", "zz": "*"} {
		tab, diags := cfg.Table(name, cols)
		got := ""
		if tab != nil {
			got = tab.TableBlocks[0]
		}
		if len(diags) > 0 || got != want {
			t.Errorf("%s: block %q, want %q; %v", name, got, want, diags)
		}
	}
	if _, diags := cfg.Table("abcd", cols); !diags.HasErrors() || !strings.Contains(diags[0].Detail, `"*cd"`) {
		t.Errorf("a tie of ignore and table gives %v", diags)
	}
}

func TestFunctions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.txt"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]string{
		`upper("a") `: "A", `title("ab c")`: "Ab C", `trim("xax", "x")`: "a", `trimprefix("xa", "x")`: "a",
		`replace("a.b", ".", "-")`: "a-b", `replace("a1b2", "/[0-9]/", "-")`: "a-b-", `regex("[0-9]+", "a12")`: "12",
		`join(",", sort(["b", "a"]))`: "a,b", `format("%03d", 7)`: "007", `length("añb")`: "3", `length([1, 2])`: "2", `length({ a = 1 })`: "1",
		`coalesce("", null, "c")`: "c", `coalesce(env("NONE"), "d")`: "d", `element(["a", "b"], 3)`: "b", `lookup({ a = "x" }, "b", "y")`: "y",
		`base64encode("a")`: "YQ==", `base64decode("YQ==")`: "a", `md5("")`: "d41d8cd98f00b204e9800998ecf8427e", `substr(sha256(""), 0, 8)`: "e3b0c442",
		`try(tonumber("x"), 1)`: "1", `can(tonumber("x"))`: "false", `file("x.txt")`: "text", `basename("a/b")`: "b", `dirname("a/b")`: "a",
		`pathexpand("~/x")`: "/home/u/x", `pathexpand("~root")`: "~root", `trimprefix(abspath("x"), local.dir)`: "/x", `fileexists("x.txt")`: "true",
		`formatdate("YYYY", timeadd("2026-01-05T00:00:00Z", "1h"))`: "2026", `jsonencode(jsondecode("[1]"))`: "[1]", `csvdecode("a,b\n1,2")[0].b`: "2",
		`parseint("ff", 16)`: "255", `max(1, 2)`: "2", `startswith("ab", "a")`: "true", `endswith("ab", "a")`: "false",
		`nonsensitive(sensitive("x"))`: "x", `env("SET")`: "value", `join("", tolist(toset(["a", "a"])))`: "a", `zipmap(["a"], ["b"]).a`: "b",
		`join("", [for k, v in { a = 1 } : "${k}${v}" if v > 0])`: "a1", `true ? "y" : "n"`: "y", `"%{ if false }a%{ else }b%{ endif }"`: "b",
	} {
		env := map[string]string{"HOME": "/home/u", "SET": "value"}
		text := fmt.Sprintf("%s\nlocals { dir = %q }\ntable \"t\" {\n column \"c\" { as = %s }\n}", head, dir, expr)
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, diags := Load(dir, Options{Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
		if cfg == nil {
			t.Errorf("%s: %v", expr, diags)
			continue
		}
		tab, _ := cfg.Table("t", []string{"user_id", "event_id", "c"})
		if got := tab.Column("c").As; got != want {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
}

func TestFileFunctionErrors(t *testing.T) {
	for _, expr := range []string{`file("none")`, `file(".")`, `file("/dev/zero")`, `base64decode("/w==")`, `coalesce(null)`, `length(1)`, `replace("a", "/(/", "")`} {
		cfg, out := loadText(t, head+"table \"t\" {\n column \"c\" { as = "+expr+" }\n}", Options{})
		if cfg != nil || !strings.Contains(out, "Error") {
			t.Errorf("%s was accepted: %s", expr, out)
		}
	}
}

func TestVersionConstraint(t *testing.T) {
	for version, ok := range map[string]bool{"0.1.0": true, "0.2.0-rc1": true, "1.0.0": false, "": true, "(devel)": true} {
		cfg, out := loadText(t, "reconcile { required_version = \">= 0.1, < 1.0\" }\n"+head, Options{Version: version})
		if (cfg != nil) != ok {
			t.Errorf("version %q: %s", version, out)
		}
	}
}

func TestParseVar(t *testing.T) {
	if in, err := ParseVar(" a =b=c"); err != nil || in != (Input{Name: "a", Value: "b=c"}) {
		t.Errorf("%+v, %v", in, err)
	}
	for _, bad := range []string{"", "a", "=b"} {
		if _, err := ParseVar(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	if cfg, _, diags := Load(filepath.Join(t.TempDir(), "none"), Options{}); cfg != nil || !diags.HasErrors() {
		t.Errorf("a missing folder gives %v", diags)
	}
}

func TestS3(t *testing.T) {
	cfg, out := loadText(t, `
source "s3" {
  bucket           = "csq-rs3-acme"
  prefix           = "/exports/heap/"
  region           = "eu-west-1"
  endpoint         = "http://127.0.0.1:7070"
  force_path_style = true
  manifest_bucket  = "csq-vendor"
  role_arn         = "arn:aws:iam::1:role/r"
  external_id      = "x"
}
sink "parquet" "lake" {
  path          = "s3://acme-curated/heap/"
  profile       = "lake"
  sse           = "aws:kms"
  kms_key_id    = "k"
  storage_class = "STANDARD_IA"
  tags          = { team = "data" }
}
table "*" { sinks = [sink.parquet.lake] }
`, Options{Version: "devel"})
	if cfg == nil || out != "" {
		t.Fatal(out)
	}
	wantSource := Source{Kind: "s3", Path: "s3://csq-rs3-acme/exports/heap", Manifests: "*.json", ManifestBucket: "csq-vendor", ManifestPrefix: "exports/heap",
		S3: &S3{Bucket: "csq-rs3-acme", Prefix: "exports/heap", Region: "eu-west-1", Endpoint: "http://127.0.0.1:7070", ForcePathStyle: true,
			RoleARN: "arn:aws:iam::1:role/r", ExternalID: "x"}}
	wantSink := Sink{Sink: definition.Sink{Kind: "parquet", Label: "lake", Path: "s3://acme-curated/heap", Compression: "zstd"},
		S3: &S3{Bucket: "acme-curated", Prefix: "heap", Profile: "lake", SSE: "aws:kms", KMSKeyID: "k", StorageClass: "STANDARD_IA", Tags: map[string]string{"team": "data"}}}
	if !reflect.DeepEqual(cfg.Source, wantSource) || !reflect.DeepEqual(*cfg.Sinks[0], wantSink) {
		t.Errorf("got %+v, %+v\nwant %+v, %+v", cfg.Source.S3, cfg.Sinks[0].S3, wantSource.S3, wantSink.S3)
	}
}

// TestNullLeavesS3AttributesOut is about configurations that serve AWS and
// other servers: null is as if the attribute were not there.
func TestNullLeavesS3AttributesOut(t *testing.T) {
	cfg, out := loadText(t, `
variable "none" {
  type    = string
  default = null
}
source "s3" {
  bucket           = "csq-rs3-acme"
  manifest_bucket  = var.none
  region           = "eu-west-1"
  endpoint         = var.none
  force_path_style = var.none != null
  role_arn         = var.none
  external_id      = var.none
}
sink "parquet" "lake" {
  path          = "s3://acme-curated"
  profile       = null
  sse           = null
  kms_key_id    = var.none
  storage_class = null
}
table "*" { sinks = [sink.parquet.lake] }
`, Options{Version: "devel"})
	if cfg == nil || out != "" {
		t.Fatal(out)
	}
	if got, want := *cfg.Source.S3, (S3{Bucket: "csq-rs3-acme", Region: "eu-west-1"}); !reflect.DeepEqual(got, want) || cfg.Source.ManifestBucket != want.Bucket {
		t.Errorf("the source is %+v, manifests of %s", got, cfg.Source.ManifestBucket)
	}
	if got, want := *cfg.Sinks[0].S3, (S3{Bucket: "acme-curated"}); !reflect.DeepEqual(got, want) {
		t.Errorf("the sink is %+v", got)
	}
}
