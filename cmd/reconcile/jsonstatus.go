package main

import (
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/health"
	"reconcile/engine/inspect"
)

// statusLine says how syncs and applies are doing; tables, holds and problems come before
// it.
type statusLine struct {
	Healthy    bool               `json:"healthy"`
	Now        string             `json:"now"`
	MaxAge     int64              `json:"max_age_seconds"`
	Basis      string             `json:"max_age_from"`
	Success    *reportObject      `json:"last_success"`
	Failure    *reportObject      `json:"last_failure,omitempty"`
	Read       int                `json:"reports_read"`
	All        int                `json:"reports"`
	Broken     []brokenObject     `json:"broken_reports,omitempty"`
	Newest     *deliveredObject   `json:"newest_dump"`
	Mapping    mappingStateObject `json:"mapping"`
	Stopped    []string           `json:"stopped,omitempty"`
	Unfinished []string           `json:"unfinished,omitempty"`
	Tables     int                `json:"tables"`
	Held       int                `json:"held"`
	Problems   int                `json:"problems"`
}

// reportObject is what the vendor says of a sync.
type reportObject struct {
	Report   string `json:"report"`
	Started  string `json:"started_at,omitempty"`
	Finished string `json:"finished_at"`
	Next     string `json:"next_sync_at,omitempty"`
	Age      int64  `json:"age_seconds"`
	Status   string `json:"status"`
	Error    string `json:"error,omitempty"`
}

// brokenObject is a report that says nothing.
type brokenObject struct {
	Key    string `json:"report"`
	Reason string `json:"reason"`
}

// deliveredObject is a dump, and when it came.
type deliveredObject struct {
	Dump    int64  `json:"dump"`
	Arrived string `json:"arrived_at,omitempty"`
	Age     *int64 `json:"age_seconds,omitempty"`
}

// mappingStateObject is how the user mapping is doing.
type mappingStateObject struct {
	Dump    *int64           `json:"dump"`
	Last    *deliveredObject `json:"last_delivery"`
	Waiting *deliveredObject `json:"waiting,omitempty"`
	Stopped *stoppedObject   `json:"stopped,omitempty"`
}

// stoppedObject says that something no longer comes as it used to.
type stoppedObject struct {
	Missing int `json:"missing_dumps"`
	Usual   int `json:"usual_dumps"`
}

// tableStatusLine is how one table is doing.
type tableStatusLine struct {
	Address   string           `json:"address"`
	Name      string           `json:"name"`
	Commit    uint64           `json:"commit"`
	Committed string           `json:"committed_at,omitempty"`
	Last      *deliveredObject `json:"last_delivery"`
	Unapplied int              `json:"unapplied_dumps"`
	Behind    bool             `json:"behind,omitempty"`
	Oldest    *deliveredObject `json:"oldest_unapplied,omitempty"`
	Mapping   *int64           `json:"mapping_dump"`
	Stopped   *stoppedObject   `json:"stopped,omitempty"`
}

// problemLine is a limit that is passed.
type problemLine struct {
	Kind    string   `json:"kind"`
	Tables  []string `json:"tables,omitempty"`
	Check   string   `json:"check,omitempty"`
	Dump    *int64   `json:"dump,omitempty"`
	Report  string   `json:"report,omitempty"`
	Since   string   `json:"since,omitempty"`
	Age     *int64   `json:"age_seconds,omitempty"`
	Limit   int64    `json:"limit_seconds"`
	Message string   `json:"message"`
}

// instant is a time in a record; empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ageOf is how old something is in whole seconds, nil if that is not known.
func ageOf(now, at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	age := max(0, int64(now.Sub(at)/time.Second))
	return &age
}

func newDelivered(h *health.Health, d *health.Delivered) *deliveredObject {
	if d == nil {
		return nil
	}
	return &deliveredObject{d.Dump, instant(d.At), ageOf(h.Now, d.At)}
}

func newReport(h *health.Health, r *dump.SyncReport) *reportObject {
	if r == nil {
		return nil
	}
	return &reportObject{Report: r.Key, Started: instant(r.Start), Finished: instant(r.Finish), Next: instant(r.Next),
		Age: *ageOf(h.Now, r.Finish), Status: r.Status, Error: r.Error}
}

// heldSince shows what waits, and since when.
func (v *jsonView) heldSince(holds []inspect.Hold) {
	for _, h := range holds {
		line := newHoldLine(h.Hold)
		line.Since = instant(h.Since)
		v.record("hold", line, "")
	}
}

func (v *jsonView) status(h *health.Health) {
	for i := range h.Tables {
		t := &h.Tables[i]
		v.record("status_table", tableStatusLine{"table." + t.Name, t.Name, t.Commit, instant(t.Committed), newDelivered(h, t.Last), t.Unapplied, t.Behind,
			newDelivered(h, t.Oldest), t.Mapping, (*stoppedObject)(t.Stopped)}, "")
	}
	v.unjudged(h.Unjudged)
	v.heldSince(h.Holds)
	for i := range h.Problems {
		p := &h.Problems[i]
		line := problemLine{Kind: string(p.Kind), Tables: p.Tables, Check: p.Check, Dump: p.Dump, Since: instant(p.Since), Age: ageOf(h.Now, p.Since),
			Limit: int64(p.Limit / time.Second), Message: problemText(p)}
		if p.Report != nil {
			line.Report = p.Report.Key
		}
		v.record("problem", line, "")
	}
	stopped, _ := stoppedTables(h)
	m := &h.Mapping
	v.record("status", statusLine{Healthy: len(h.Problems) == 0, Now: instant(h.Now), MaxAge: int64(h.MaxAge / time.Second), Basis: string(h.Basis),
		Success: newReport(h, h.Sync.Success), Failure: newReport(h, h.Sync.Failure), Read: h.Sync.Read, All: h.Sync.All,
		Broken: each(h.Sync.Broken, func(b dump.BrokenReport) brokenObject { return brokenObject(b) }), Newest: newDelivered(h, h.Newest),
		Mapping: mappingStateObject{m.InForce, newDelivered(h, m.Last), newDelivered(h, m.Waiting), (*stoppedObject)(m.Stopped)},
		Stopped: stopped, Unfinished: h.Unfinished, Tables: len(h.Tables), Held: len(h.Holds), Problems: len(h.Problems)}, "")
}
