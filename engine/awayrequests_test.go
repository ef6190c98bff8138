package engine

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/blob/s3test"
)

// meter is a harness whose state is on S3 behind a gate of its own, so that what a state
// there costs more than a local one can be counted.
type meter struct {
	*harness
	gate *s3test.Gate
}

func newMeter(t *testing.T) *meter {
	s := s3test.Start(t)
	s.Setenv(t)
	m := &meter{harness: newHarness(t, killConfig), gate: s3test.NewGate(t, s.Endpoint)}
	newBucketPair(t, s).place(m.harness)
	stateInBucket(t, m.harness, s, m.gate.Endpoint)
	m.away.one = true
	return m
}

// requests returns what the state was asked for since the last call, by what it is about.
// Trying out the store and collecting count as nothing.
func (m *meter) requests() map[string]int {
	out := map[string]int{}
	for _, r := range m.gate.Seen() {
		_, key, _ := strings.Cut(r.Path, "/state/")
		kind := r.Method
		if strings.Contains(r.Query, "list-type=2") {
			kind = "LIST"
			_, key, _ = strings.Cut(r.Query, "prefix=state%2F")
		}
		folder, _, _ := strings.Cut(strings.ReplaceAll(key, "%2F", "/"), "/")
		folder, _, _ = strings.Cut(folder, "&")
		if folder == "_reconcile" || folder == "objects" && kind == "LIST" || kind == "HEAD" {
			continue
		}
		out[kind+" "+folder]++
	}
	m.gate.Rule(nil)
	return out
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// night applies dumps and returns what that cost.
func (m *meter) night(dumps ...*model.Dump) map[string]int {
	m.t.Helper()
	m.arrive(dumps...)
	m.requests()
	if _, err := m.apply(); err != nil {
		m.t.Fatal(err)
	}
	return m.requests()
}

// TestRequestsOfAState bounds what a plan, an apply and a commit cost more with the state
// on S3 than with a local one.
func TestRequestsOfAState(t *testing.T) {
	m := newMeter(t)
	for _, d := range killDumps() {
		m.night(d)
	}
	plan := func() map[string]int {
		m.requests()
		p, err := m.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.Changes() {
			t.Error("there is something to do")
		}
		return m.requests()
	}
	atMost := func(what string, got map[string]int, most int) {
		t.Helper()
		if sum(got) > most {
			t.Errorf("%s costs %v, more than %d", what, got, most)
		}
		t.Log(what, got)
	}
	atMost("a plan", plan(), 2)
	atMost("an apply", m.night(), 6)
	m.away.one = false
	atMost("a plan without a cache", plan(), 2+10)
	atMost("an apply without a cache", m.night(), 6+10)
	m.away.one = true

	commit := func(id int64, tables int) map[string]int {
		d := &model.Dump{ID: id}
		for i := range tables {
			d.Entries = append(d.Entries, killEvents(id, fmt.Sprintf("t%d", i), "event_id", true,
				[][]any{killEvent(id, id, 1, strings.Repeat("/", int(id)))}))
		}
		got := m.night(d)
		m.check()
		return got
	}
	commit(10, 5)
	one, five := commit(11, 1), commit(12, 5)
	delete(one, "PUT objects")
	delete(five, "PUT objects")
	if each := float64(sum(five)-sum(one)) / 4; each > 3 || sum(one) > 6+3+3 {
		t.Errorf("a commit costs %.1f requests: %v, and with four more %v", each, one, five)
	}
	t.Log("one commit", one, "five", five)
	if got := m.night(); !maps.Equal(got, m.night()) || sum(got) > 6 {
		t.Errorf("an apply costs %v after all that", got)
	}
}
