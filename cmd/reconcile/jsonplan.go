package main

import "reconcile/engine/plan"

// The records of a plan. Fields are only ever added: see docs/json-output.md.

// tableLine is a table of a plan.
type tableLine struct {
	Address       string        `json:"address"`
	Name          string        `json:"name"`
	Action        string        `json:"action"`
	Change        changeObject  `json:"change"`
	Dumps         []dumpObject  `json:"dumps,omitempty"`
	NewColumns    []string      `json:"new_columns,omitempty"`
	NewMasks      []columnMask  `json:"new_masks,omitempty"`
	TypeChanges   []typeChange  `json:"changed_types,omitempty"`
	Behind        bool          `json:"behind,omitempty"`
	RowsNow       int64         `json:"rows_now"`
	PartitionsNow int           `json:"partitions_now"`
	Partitions    int64         `json:"partitions_to_write"`
	BytesToWrite  int64         `json:"bytes_to_write"`
	Scratch       int64         `json:"scratch_bytes,omitempty"`
	Exact         bool          `json:"exact,omitempty"`
	Rekeyed       int           `json:"users_rekeyed,omitempty"`
	Drift         []string      `json:"drift,omitempty"`
	Lost          []int64       `json:"lost_dumps,omitempty"`
	LostMapping   *int64        `json:"lost_mapping,omitempty"`
	Destroys      []string      `json:"destroys,omitempty"`
	Removes       []string      `json:"removes,omitempty"`
	Counts        *countsJSON   `json:"counts,omitempty"`
	Checks        []checkObject `json:"checks,omitempty"`
	Destructive   bool          `json:"destructive"`
	Needs         []string      `json:"needs,omitempty"`
}

// changeObject is why a table changes, and what that costs.
type changeObject struct {
	Class   string   `json:"class"`
	Reasons []string `json:"reasons,omitempty"`
}

// columnMask is a column that dumps bring, and what masks it.
type columnMask struct {
	Column string `json:"column"`
	Method string `json:"method"`
}

// typeChange is a column of another type than before.
type typeChange struct {
	Column string `json:"column"`
	From   string `json:"from"`
	To     string `json:"to"`
}

// dumpObject is a dump that a table takes.
type dumpObject struct {
	Dump   int64 `json:"dump"`
	Files  int   `json:"files"`
	Bytes  int64 `json:"bytes"`
	Resync bool  `json:"resync,omitempty"`
	Void   bool  `json:"void,omitempty"`
	Again  bool  `json:"again,omitempty"`
}

// countsJSON is what becomes of the rows of a table.
type countsJSON struct {
	Read        int64 `json:"rows_read"`
	Bytes       int64 `json:"bytes_read"`
	Added       int64 `json:"rows_added"`
	Replaced    int64 `json:"rows_replaced"`
	Rekeyed     int64 `json:"rows_rekeyed"`
	Collapsed   int64 `json:"rows_collapsed"`
	Revived     int64 `json:"rows_revived"`
	Removed     int64 `json:"rows_removed"`
	Quarantined int64 `json:"rows_quarantined"`
	Rescued     int64 `json:"rows_rescued"`
	Rounded     int64 `json:"values_rounded"`
	Partitions  int64 `json:"partitions_written"`
	Written     int64 `json:"bytes_written"`
	Rows        int64 `json:"rows"`
}

// mappingLine is what becomes of the user mapping.
type mappingLine struct {
	From    *int64   `json:"from_dump"`
	To      *int64   `json:"to_dump"`
	Entries int      `json:"entries"`
	Merged  int      `json:"users_merged"`
	Parted  int      `json:"users_parted"`
	Notes   []string `json:"warnings,omitempty"`
}

// holdLine is something that waits.
type holdLine struct {
	Table  string `json:"table,omitempty"`
	Sink   string `json:"sink,omitempty"`
	Dump   int64  `json:"dump,omitempty"`
	File   string `json:"file,omitempty"`
	Guard  string `json:"guard,omitempty"`
	Accept string `json:"accept,omitempty"`
	Object string `json:"object,omitempty"`
	Reason string `json:"reason"`
	Skip   string `json:"skip_dump,omitempty"`
	Since  string `json:"since,omitempty"`
}

// planLine ends a plan.
type planLine struct {
	Lineage   string   `json:"lineage"`
	Serial    uint64   `json:"serial"`
	Refresh   bool     `json:"refresh_only,omitempty"`
	Changes   bool     `json:"changes"`
	Add       int      `json:"add"`
	Change    int      `json:"change"`
	Destroy   int      `json:"destroy"`
	Held      int      `json:"held"`
	Guarded   int      `json:"held_by_guards"`
	Recover   []string `json:"recover,omitempty"`
	Accepted  []int64  `json:"accepted_manifests,omitempty"`
	Restated  []string `json:"current_json,omitempty"`
	Unclaimed []string `json:"unclaimed,omitempty"`
	// AcceptedNow is what -accept lets through.
	AcceptedNow []string          `json:"accepted,omitempty"`
	Forgotten   []forgottenObject `json:"forgotten_sinks,omitempty"`
	Moved       []movedObject     `json:"moved_sinks,omitempty"`
	Raise       *raiseObject      `json:"state_format,omitempty"`
	// ConfigOnly says that the plan is of what the configuration changes alone.
	ConfigOnly   bool   `json:"config_only,omitempty"`
	ConfigDigest string `json:"config_digest,omitempty"`
}

// raiseObject is what the first commit does to the format of the state.
type raiseObject struct {
	From  uint32 `json:"from"`
	To    uint32 `json:"to"`
	Needs string `json:"needs"`
}

// forgottenObject is a sink that -forget-sink takes out of the state.
type forgottenObject struct {
	Root   string   `json:"root"`
	Tables []string `json:"tables"`
	Files  int      `json:"files"`
}

// movedObject is a sink that -moved-sink or a moved block says lies elsewhere.
type movedObject struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Tables []string `json:"tables"`
}

func (v *jsonView) plan(p *plan.Plan) {
	for _, n := range p.Notices {
		v.record("notice", map[string]string{"message": n}, "")
	}
	v.configEntries(p)
	destructive, steps, behind := split(p)
	for _, t := range destructive {
		v.record("table", newTableLine(t, true), "")
	}
	if m := &p.Mapping; !p.RefreshOnly && (!p.ConfigOnly || p.Tables != nil) {
		v.record("mapping", mappingLine{m.From, m.To, m.Entries, m.Merged, m.Parted, m.Notes}, "")
	}
	for _, t := range append(steps, behind...) {
		v.record("table", newTableLine(t, false), "")
	}
	if p.RefreshOnly {
		for _, t := range p.Drifted() {
			v.record("table", newTableLine(t, false), "")
		}
	}
	v.unjudged(p.Unjudged)
	v.holds(p.Holds)
	l := planLine{Lineage: p.Lineage, Serial: p.Serial, Refresh: p.RefreshOnly, Changes: p.Changes(), Held: len(p.Holds), Guarded: heldByGuards(p.Holds), Recover: p.Recover,
		Accepted: p.Accepted, AcceptedNow: p.AcceptedNow, Restated: p.Restated, Unclaimed: p.Unclaimed,
		Forgotten: forgottenObjects(p.Forgotten), Moved: movedObjects(p.Moved), Raise: newRaise(p.Raise), ConfigOnly: p.ConfigOnly, ConfigDigest: p.ConfigDigest}
	l.Add, l.Change, l.Destroy = p.Counts()
	v.record("plan", l, "")
}

func newRaise(r *plan.Raise) *raiseObject {
	if r == nil {
		return nil
	}
	return &raiseObject{r.From, r.To, r.Program}
}

func newTableLine(t *plan.Table, destructive bool) tableLine {
	l := tableLine{Address: "table." + t.Name, Name: t.Name, Action: string(t.Action),
		Change:     changeObject{t.Change.Class.String(), t.Change.Reasons},
		NewColumns: t.NewColumns, Behind: t.Behind,
		RowsNow: t.RowsNow, PartitionsNow: t.PartitionsNow, Partitions: t.Partitions, BytesToWrite: t.BytesToWrite, Scratch: t.Scratch, Exact: t.Exact,
		Rekeyed: t.Rekeyed, Drift: t.Drift, Lost: t.Lost, LostMapping: t.LostMapping, Destroys: t.Destroys, Removes: t.Removes,
		Counts: (*countsJSON)(t.Counts), Checks: checkObjects(t.Checks), Destructive: destructive}
	for _, m := range t.NewMasks {
		l.NewMasks = append(l.NewMasks, columnMask(m))
	}
	for _, c := range t.TypeChanges {
		l.TypeChanges = append(l.TypeChanges, typeChange(c))
	}
	for _, d := range t.Dumps {
		l.Dumps = append(l.Dumps, dumpObject(d))
	}
	if destructive {
		l.Needs = needs(t)
	}
	return l
}

func (v *jsonView) holds(holds []plan.Hold) {
	for _, h := range holds {
		v.record("hold", newHoldLine(h), "")
	}
}

func newHoldLine(h plan.Hold) holdLine {
	return holdLine{Table: h.Table, Sink: h.Sink, Dump: h.Dump, File: h.File, Guard: h.Guard, Accept: h.Accept, Object: h.Object, Reason: h.Reason, Skip: h.Skip}
}

func forgottenObjects(list []plan.ForgottenSink) (out []forgottenObject) {
	for _, f := range list {
		out = append(out, forgottenObject(f))
	}
	return out
}

func movedObjects(list []plan.MovedSink) (out []movedObject) {
	for _, m := range list {
		out = append(out, movedObject(m))
	}
	return out
}
