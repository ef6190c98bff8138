package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/internal/plain"
)

// formatVersion is raised when a field of -json output changes its meaning or
// goes. New types and fields can come at any time.
const formatVersion = 1

// jsonView is for programs: one object a line, all on standard output.
type jsonView struct {
	out *output
}

// jsonLine encodes v, which must encode as an object, with its type in front. What
// would not be plain is escaped.
func jsonLine(typ string, v any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %s: %w", typ, err)
	}
	text := plain.JSON(body.Bytes())
	head := fmt.Appendf(nil, `{"type":%q,"format_version":%d`, typ, formatVersion)
	if rest := text[1:]; rest[0] == '}' {
		return append(head, rest...), nil
	}
	return append(append(head, ','), text[1:]...), nil
}

func (v *jsonView) record(typ string, value any, _ string, _ ...any) {
	line, err := jsonLine(typ, value)
	if err != nil {
		line, _ = jsonLine("error", map[string]any{"message": err.Error(), "exit_code": exitError})
	}
	_, _ = v.out.Write(line) // the writer keeps the error for the end of the program
}

func (v *jsonView) diagnostics(_ config.Sources, diags hcl.Diagnostics) {
	for _, d := range config.JSON(diags) {
		v.record("diagnostic", d, "")
	}
}

func (v *jsonView) failure(err error, code int) {
	v.record("error", map[string]any{"message": err.Error(), "exit_code": code}, "")
}

// tableLine is a table of a plan.
type tableLine struct {
	Address string `json:"address"`
	*engine.TablePlan
	Destructive bool     `json:"destructive"`
	Needs       []string `json:"needs,omitempty"`
}

// planLine ends a plan.
type planLine struct {
	Lineage   string   `json:"lineage"`
	Serial    uint64   `json:"serial"`
	Changes   bool     `json:"changes"`
	Add       int      `json:"add"`
	Change    int      `json:"change"`
	Destroy   int      `json:"destroy"`
	Held      int      `json:"held"`
	Recover   []string `json:"recover,omitempty"`
	Accepted  []int64  `json:"accepted_manifests,omitempty"`
	Restated  []string `json:"current_json,omitempty"`
	Unclaimed []string `json:"unclaimed,omitempty"`
	// AcceptedNow is what -accept lets through.
	AcceptedNow []string `json:"accepted,omitempty"`
	// Forgotten are the sinks that -forget-sink takes out of the state.
	Forgotten []engine.ForgottenSink `json:"forgotten_sinks,omitempty"`
	// Moved are the sinks that -moved-sink or a moved block says lie elsewhere now.
	Moved []engine.MovedSink `json:"moved_sinks,omitempty"`
}

func (v *jsonView) plan(p *engine.Plan) {
	for _, n := range p.Notices {
		v.record("notice", map[string]string{"message": n}, "")
	}
	destructive, steps, behind := split(p)
	for _, t := range destructive {
		v.record("table", tableLine{"table." + t.Name, t, true, needs(t)}, "")
	}
	v.record("mapping", &p.Mapping, "")
	for _, t := range append(steps, behind...) {
		v.record("table", tableLine{"table." + t.Name, t, false, nil}, "")
	}
	v.holds(p.Holds)
	l := planLine{Lineage: p.Lineage, Serial: p.Serial, Changes: p.Changes(), Held: len(p.Holds), Recover: p.Recover,
		Accepted: p.Accepted, AcceptedNow: p.AcceptedNow, Restated: p.Restated, Unclaimed: p.Unclaimed, Forgotten: p.Forgotten, Moved: p.Moved}
	l.Add, l.Change, l.Destroy = p.Counts()
	v.record("plan", l, "")
}

func (v *jsonView) holds(holds []engine.Hold) {
	for _, h := range holds {
		v.record("hold", h, "")
	}
}

// resultLine is what an apply did to a table.
type resultLine struct {
	Address  string           `json:"address"`
	Action   engine.Action    `json:"action"`
	Counts   engine.Counts    `json:"counts"`
	Unlisted map[string]int64 `json:"unlisted,omitempty"`
	Echoes   *int64           `json:"redelivery_of,omitempty"`
	Error    string           `json:"error,omitempty"`
}

// applyLine ends an apply.
type applyLine struct {
	Status  string `json:"status"` // "complete", "partial", or "stopped" before its end
	Changed int    `json:"changed"`
	Failed  int    `json:"failed"`
	Held    int    `json:"held"`
	// BadMappings counts rows of the user mapping without both ids.
	BadMappings int64 `json:"mapping_rows_quarantined,omitempty"`
	// Forgotten are the sinks that the state no longer has.
	Forgotten []engine.ForgottenSink `json:"forgotten_sinks,omitempty"`
	// Moved are the sinks that the state knows at another place now.
	Moved []engine.MovedSink `json:"moved_sinks,omitempty"`
	// Requests are those of the whole command, of each place on S3.
	Requests []engine.Traffic `json:"requests,omitempty"`
}

func (v *jsonView) result(r *engine.Result, err error) {
	l := applyLine{Status: "complete", Changed: changed(r), Held: len(r.Holds), BadMappings: r.BadMappings, Forgotten: r.Forgotten, Moved: r.Moved, Requests: r.Traffic}
	for _, t := range r.Tables {
		line := resultLine{Address: "table." + t.Name, Action: t.Action, Counts: t.Counts, Unlisted: t.Unlisted, Echoes: t.Echoes}
		if t.Err != nil {
			line.Error = t.Err.Error()
			l.Failed++
		}
		v.record("applied", line, "")
	}
	v.holds(r.Holds)
	switch {
	case err != nil:
		l.Status = "stopped"
	case r.Partial():
		l.Status = "partial"
	}
	v.record("apply", l, "")
}

// stateLine is the state as a whole; its tables follow.
type stateLine struct {
	State      string           `json:"state"`
	Lineage    string           `json:"lineage,omitempty"`
	Serial     uint64           `json:"serial"`
	Program    string           `json:"program,omitempty"`
	Mapping    *engine.ShownMap `json:"mapping"`
	Unfinished []string         `json:"unfinished,omitempty"`
}

// shownLine is one table of the state.
type shownLine struct {
	Address string `json:"address"`
	*engine.ShownTable
}

func (v *jsonView) shown(s *engine.Shown) {
	v.record("state", stateLine{s.State, s.Lineage, s.Serial, s.Program, s.Mapping, s.Unfinished}, "")
	for i := range s.Tables {
		v.record("state_table", shownLine{"table." + s.Tables[i].Name, &s.Tables[i]}, "")
	}
	v.holds(s.Holds)
}

func (v *jsonView) shownOne(d *engine.ShownDetail) {
	v.record("state_table", shownLine{"table." + d.Table.Name, &d.Table}, "")
	for _, f := range d.Files {
		v.record("state_file", f, "")
	}
	v.holds(d.Holds)
}

func (v *jsonView) progress(total int64) progress { return newRecords(v, total) }
