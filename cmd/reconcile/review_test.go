package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"reconcile/engine/model"
	"reconcile/internal/blob/s3test"
)

// TestReviewedNights acts out how a team works with the program: a first configuration of
// what the source delivers, a change that is reviewed by its plan and applied as reviewed,
// nights in between, and what goes wrong in them. The state and the lake are on a real S3
// server; each command runs on a new machine. After each act the tables are compared with
// the model.
func TestReviewedNights(t *testing.T) {
	r := newReview(t)
	for _, act := range []struct {
		name string
		do   func(*review)
	}{
		{"a first configuration from the source", (*review).scaffold},
		{"a pull request, a night, and the merge", (*review).pullRequest},
		{"a saved plan that is killed and finished", (*review).savedPlan},
		{"a change that rebuilds", (*review).rebuild},
		{"a wrong key of a mask", (*review).wrongKey},
		{"a vendor who delivers nothing", (*review).emptied},
		{"a check that holds", (*review).qualityCheck},
		{"a vendor who is late", (*review).late},
		{"the proof", (*review).verify},
	} {
		if !t.Run(act.name, func(t *testing.T) { r.t = t; act.do(r) }) {
			return
		}
	}
}

// review is a site with a shop's export.
type review struct {
	*operations
	shop   shop
	right  []string // environment with the right keys
	reader []string // of an account that may only read
}

func newReview(t *testing.T) *review {
	server := s3test.StartWithUsers(t)
	r := &review{operations: newOperations(t, server)}
	user, name := server.User(t)
	r.reader = user.Env()
	ofState, of := documentedPolicies(t, "## State on S3"), documentedPolicies(t, "## Policies")
	server.Allow(t, r.bucket, policyText(t, granted(name, r.bucket, "state/", ofState[0]), granted(name, r.bucket, "lake/", of[0])))
	return r
}

// arrives delivers a dump.
func (r *review) arrives(d *model.Dump) {
	r.t.Helper()
	if err := d.Write(filepath.Join(r.site, "dumps")); err != nil {
		r.t.Fatal(err)
	}
	r.arrived = append(r.arrived, d)
}

// replace changes the configuration.
func (r *review) replace(old, new string) {
	r.t.Helper()
	if strings.Count(r.conf, old) != 1 {
		r.t.Fatalf("the configuration does not have %q once:\n%s", old, r.conf)
	}
	r.conf = strings.Replace(r.conf, old, new, 1)
}

// says runs the program, and checks that it prints what a pattern matches.
func (r *review) says(code int, pattern string, args ...string) string {
	r.t.Helper()
	out := r.run(code, args...)
	if !regexp.MustCompile(pattern).MatchString(out) {
		r.t.Fatalf("reconcile %s does not say %q:\n%s", strings.Join(args, " "), pattern, out)
	}
	return out
}

// digest is that of the configuration part of a plan.
func (r *review) digest() string {
	r.t.Helper()
	out := r.run(0, "plan", "-config-only", "-json")
	m := regexp.MustCompile(`"config_digest":"([0-9a-f]{64})"`).FindStringSubmatch(out)
	if m == nil {
		r.t.Fatalf("there is no digest:\n%s", out)
	}
	return m[1]
}

func (r *review) scaffold() {
	r.arrives(r.shop.night("paid"))
	r.arrives(r.shop.night("paid"))
	dir := r.t.TempDir()
	r.runner = dir
	cmd, out := r.command("reconcile", "init", "-from-source="+filepath.Join(r.site, "dumps"))
	r.ended(cmd, out, cmd.Run(), 0)
	data, err := os.ReadFile(filepath.Join(dir, "main.hcl"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.conf = string(data)
	r.replace("state \"local\" {\n    path = \".reconcile/state.db\"\n  }", r.state)
	r.replace(`path = "./lake"`, fmt.Sprintf("path = %q\n%s", r.lake, r.connection()))
	r.run(0, "validate")
	r.says(2, `Plan: 4 tables to add`, "plan", "-detailed-exitcode")
	r.apply()
	r.idle()
}

// comment is what the job of a pull request posts for a plan.
func (r *review) comment() string {
	r.t.Helper()
	r.newRunner()
	summary := filepath.Join(r.runner, "summary")
	script, err := filepath.Abs("../../deploy/ci/run")
	if err != nil {
		r.t.Fatal(err)
	}
	cmd, out := r.command(script, "plan")
	cmd.Env = append(cmd.Env, "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+summary, "COMMIT=0123456789abcdef", "PLAN_FILE=pr.plan")
	r.ended(cmd, out, cmd.Run(), 0)
	text, err := os.ReadFile(summary)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	return string(text)
}

func (r *review) pullRequest() {
	main := r.conf
	r.conf += "\nvariable \"mask_key\" {\n  sensitive = true\n}\nmask \"pii\" {\n  tables  = [\"*\"]\n  columns = [\"email\"]\n  method  = \"hmac-sha256\"\n  key     = var.mask_key\n}\n"
	branch := r.conf

	all := r.env
	r.right = append(r.right, "RECONCILE_VAR_mask_key=the right key")
	r.env = append(r.reader, r.right...)
	if text := r.comment(); !strings.HasPrefix(text, "<!--") || !strings.Contains(text, "checkout") || !strings.Contains(text, "0123456789ab") {
		r.t.Fatalf("the comment is %s", text)
	}
	r.run(exitError, "apply", "-auto-approve")
	digest := r.digest()
	r.env = r.reader // a fork has no secrets
	if got := r.digest(); got != digest {
		r.t.Fatalf("without the key the digest is %s, with it %s", got, digest)
	}
	r.env = all

	r.conf = main
	r.arrives(r.shop.night("paid"))
	r.apply()

	r.conf = branch
	r.env = append(all, r.right...)
	r.says(exitStale, `table\.checkout`, "apply", "-auto-approve", "-expect="+strings.Repeat("0", 64))
	r.conf = main
	r.newRunner()
	r.check(r.arrived)
	r.conf = branch
	r.apply("-expect=" + digest)
	r.idle()
}

func (r *review) savedPlan() {
	r.arrives(r.shop.night("paid"))
	file := filepath.Join(r.site, "night.plan")
	r.run(0, "plan", "-out="+file)
	planned := r.arrived
	r.arrives(r.shop.night("paid")) // it stays pending
	r.ttl = true
	r.newRunner()
	cmd, out := r.command("reconcile-brief-lease", "apply", file)
	cmd.Env = append(cmd.Env, failpointEnv+"=state.commit.after=exit")
	r.ended(cmd, out, cmd.Run(), 137)
	r.run(0, "apply", "-lock-timeout=2m", file)
	r.ttl = false
	r.operations.check(planned)
	r.run(0, "apply", file)
	r.operations.check(planned)
	r.apply()
	r.idle()
}

func (r *review) rebuild() {
	r.replace("columns = [\"email\"]", "columns = [\"mail\"]\n  optional = true")
	r.says(0, `rebuild`, "plan", "-config-only")
	r.apply()
	r.replace("columns = [\"mail\"]\n  optional = true", "columns = [\"email\"]")
	r.apply()
	r.idle()
}

func (r *review) wrongKey() {
	r.arrives(r.shop.night("paid"))
	before := r.arrived[:len(r.arrived)-1]
	good := r.env
	r.env = append(good, "RECONCILE_VAR_mask_key=a wrong key")
	out := r.run(exitGuarded, "apply", "-auto-approve")
	if !strings.Contains(out, "-accept=mask.pii") {
		r.t.Fatalf("it does not say how to accept the key:\n%s", out)
	}
	r.env = good
	r.checkTable("checkout", before)
	r.checkTable("users", before)
	r.checkTable("pageviews", r.arrived)
	r.apply()
	r.idle()
}

func (r *review) emptied() {
	r.arrives(r.shop.emptied())
	last := len(r.arrived)
	accept := fmt.Sprintf("-accept=checkout@%d", last)
	r.says(exitGuarded, regexp.QuoteMeta(accept), "apply", "-auto-approve")
	held := append(r.arrived[:last-1:last-1], r.arrived[last-1].Without("checkout"))
	r.check(held)
	r.apply(accept)
	r.idle()
}

func (r *review) qualityCheck() {
	r.conf += "\ncheck \"status\" {\n  table = table.checkout\n  accepted_values {\n    column = \"status\"\n    values = [\"paid\", \"open\"]\n  }\n}\n"
	r.arrives(r.shop.night("paid"))
	r.apply()
	r.arrives(r.shop.night("lost"))
	before := r.arrived[:len(r.arrived)-1]
	accept := fmt.Sprintf("-accept=check.status@%d", len(r.arrived))
	r.says(exitGuarded, `(?s)lost.*`+regexp.QuoteMeta(accept), "apply", "-auto-approve")
	r.checkTable("checkout", before)
	r.checkTable("pageviews", r.arrived)
	r.checkTable("users", r.arrived)
	r.apply(accept)
	r.idle()
}

func (r *review) late() {
	r.run(0, "status")
	report := func(ago time.Duration) {
		at := time.Now().Add(-ago).UnixMilli()
		text := fmt.Sprintf(`{"start_time":%d,"finish_time":%d,"next_sync_at":%d,"status":"succeeded","error":null}`, at-1000, at, at+86_400_000)
		dir := filepath.Join(r.site, "dumps", "sync_reports")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "latest.json"), []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	report(time.Hour)
	r.run(0, "status")
	report(40 * time.Hour)
	r.says(exitGuarded, `the last sync that succeeded ended 1 day 16 h ago; 1 day 6 h are allowed`, "status")
}

func (r *review) verify() {
	r.says(0, `.`, "verify", "-sample=1/4")
	r.run(0, "verify")
}
