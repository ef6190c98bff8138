package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob/s3test"
)

// statement is one of a policy.
type statement struct {
	Sid       string          `json:"Sid"`
	Effect    string          `json:"Effect"`
	Action    json.RawMessage `json:"Action"`
	Resource  string          `json:"Resource"`
	Condition json.RawMessage `json:"Condition,omitempty"`
	Principal any             `json:"Principal,omitempty"`
}

// documentedPolicies returns the statements of the policies in a section of docs/s3.md.
func documentedPolicies(t *testing.T, heading string) (out [][]statement) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(section(readPage(t, "docs/s3.md"), heading), -1) {
		var p struct{ Statement []statement }
		if err := json.Unmarshal([]byte(m[1]), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Statement) > 0 {
			out = append(out, p.Statement)
		}
	}
	return out
}

// granted gives statements to an account, for a bucket and a prefix instead of the
// documented ones. Their conditions narrow listings only; the server has none.
func granted(user, bucket, prefix string, list []statement) []statement {
	out := slices.Clone(list)
	for i := range out {
		s := &out[i]
		s.Condition, s.Principal = nil, map[string]any{"AWS": []string{user}}
		s.Sid += strings.ReplaceAll(prefix, "*", "")
		s.Resource = "arn:aws:s3:::" + bucket
		if strings.HasPrefix(s.Sid, "Read") {
			s.Resource += "/" + prefix + "*"
		}
	}
	return out
}

func policyText(t *testing.T, lists ...[]statement) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": slices.Concat(lists...)})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLeastRights plans under an account that can read only, and applies under one that
// has what the page lists, as the page says it.
func TestLeastRights(t *testing.T) {
	s := s3test.StartWithUsers(t)
	b := newStateBed(t, s)
	b.run(0, "apply", "-auto-approve")
	b.deliver(nightTwo)
	ofState, of := documentedPolicies(t, "## State on S3"), documentedPolicies(t, "## Policies")
	if len(ofState) != 2 || len(of) != 2 {
		t.Fatalf("the page has %d and %d policies", len(ofState), len(of))
	}
	source, sink, plan, apply := of[0], of[1], ofState[0], ofState[1]
	user, name := s.User(t)
	b.env = user.Env()
	wantText(t, b.run(1, "plan"), "access denied")

	// What the configuration changes the state alone tells.
	s.Allow(t, b.out, policyText(t, granted(name, b.out, "state/", plan)))
	b.run(0, "plan", "-config-only", "-detailed-exitcode")
	wantText(t, b.run(1, "plan", "-refresh=false"), "access denied")
	// Without a look at the sinks, they need not be readable.
	s.Allow(t, b.in, policyText(t, granted(name, b.in, "export/", source)))
	if out := b.run(2, "plan", "-refresh=false", "-detailed-exitcode"); strings.Contains(out, "denied") {
		t.Errorf("without a look at the sinks the plan is\n%s", out)
	}
	wantText(t, b.run(3, "plan"), "access denied")
	s.Allow(t, b.out, policyText(t, granted(name, b.out, "state/", plan), granted(name, b.out, "lake/", source)))
	b.run(2, "plan", "-detailed-exitcode")
	b.run(0, "show")
	b.run(0, "status")
	b.run(0, "history")
	b.run(0, "schema", "history")
	wantText(t, b.run(0, "verify", "-sample=1/2"), "all as it should be")
	wantText(t, b.run(0, "lock", "show"), "is free")
	wantText(t, b.run(0, "init"), "Not tried whether it can be written: .*access denied")
	wantText(t, b.run(1, "apply", "-auto-approve"), "access denied")

	s.Allow(t, b.out, policyText(t, granted(name, b.out, "state/", apply), granted(name, b.out, "lake/", sink)))
	wantText(t, b.run(0, "init"), "keeps the conditions")
	b.run(0, "apply", "-auto-approve")
	b.run(0, "plan", "-detailed-exitcode")

	noDelete := granted(name, b.out, "state/", apply)
	for i := range noDelete {
		noDelete[i].Action = json.RawMessage(strings.ReplaceAll(string(noDelete[i].Action), `"s3:DeleteObject", `, ""))
	}
	s.Allow(t, b.out, policyText(t, noDelete, granted(name, b.out, "lake/", sink)))
	cmd := b.program("reconcile-brief-day", "apply", "-auto-approve")
	b.deliver("dump 3\n" + strings.SplitN(nightOne, "\n", 2)[1])
	time.Sleep(2 * time.Second) // the server's clock has whole seconds
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantText(t, cmd.ends(t, 0), `Warning: .*access denied`)
	b.run(0, "plan", "-detailed-exitcode")
}
