package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/stores"
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

// resultLine is what an apply did to a table.
type resultLine struct {
	Address      string           `json:"address"`
	Action       string           `json:"action"`
	Counts       countsJSON       `json:"counts"`
	Unlisted     map[string]int64 `json:"unlisted,omitempty"`
	RedeliveryOf *int64           `json:"redelivery_of,omitempty"`
	Error        string           `json:"error,omitempty"`
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
	Forgotten []forgottenObject `json:"forgotten_sinks,omitempty"`
	// Moved are the sinks that the state knows at another place now.
	Moved []movedObject `json:"moved_sinks,omitempty"`
	// Requests are those of the whole command, of each place on S3.
	Requests []trafficObject `json:"requests,omitempty"`
}

func (v *jsonView) result(r *engine.Result, err error) {
	l := applyLine{Status: "complete", Changed: changed(r), Held: len(r.Holds), BadMappings: r.BadMappings, Forgotten: forgottenObjects(r.Forgotten), Moved: movedObjects(r.Moved), Requests: each(r.Traffic, func(t stores.Traffic) trafficObject { return trafficObject(t) })}
	for _, t := range r.Tables {
		line := resultLine{Address: "table." + t.Name, Action: string(t.Action), Counts: countsJSON(t.Counts), Unlisted: t.Unlisted, RedeliveryOf: t.RedeliveryOf}
		if t.Err != nil {
			line.Error = t.Err.Error()
			l.Failed++
		}
		v.record("applied", line, "")
	}
	v.checks(r.Checks)
	v.holds(r.Holds)
	switch {
	case err != nil:
		l.Status = "stopped"
	case r.Partial():
		l.Status = "partial"
	}
	v.record("apply", l, "")
}

func (v *jsonView) progress(toRead int64) progress { return newRecords(v, toRead) }
