package main

import (
	"encoding/json"

	"reconcile/engine/inspect"
	"reconcile/engine/rebuild"
)

// The records of the state, of its rebuild and of the quarantine. Fields are only ever
// added: see docs/json-output.md.

// stateLine is the state as a whole; its tables follow.
type stateLine struct {
	State      string      `json:"state"`
	Lineage    string      `json:"lineage,omitempty"`
	Serial     uint64      `json:"serial"`
	Program    string      `json:"program,omitempty"`
	Mapping    *mapsObject `json:"mapping"`
	Unfinished []string    `json:"unfinished,omitempty"`
}

// mapsObject is the newest user mapping that was read.
type mapsObject struct {
	Dump    int64 `json:"dump"`
	Entries int64 `json:"entries"`
}

// shownLine is one table of the state.
type shownLine struct {
	Address     string         `json:"address"`
	Name        string         `json:"name"`
	Kind        string         `json:"kind"`
	Key         string         `json:"key,omitempty"`
	Commit      uint64         `json:"commit"`
	Committed   string         `json:"committed_at,omitempty"`
	Dumps       []int64        `json:"dumps"`
	Skipped     []int64        `json:"skipped_dumps,omitempty"`
	Lost        []int64        `json:"lost_dumps,omitempty"`
	Mapping     *int64         `json:"mapping_dump"`
	PartitionBy string         `json:"partition_by"`
	Partitions  int            `json:"partitions"`
	Rows        int64          `json:"rows"`
	Hidden      int64          `json:"hidden_rows"`
	Quarantined int64          `json:"quarantined_rows"`
	Columns     []columnObject `json:"columns"`
	Sinks       []sinkObject   `json:"sinks"`
}

// columnObject is one column beside the table's keys and ours.
type columnObject struct {
	Name      string   `json:"name"`
	Delivered string   `json:"delivered"`
	Type      string   `json:"type"`
	Since     int64    `json:"since_dump,omitempty"`
	Mask      string   `json:"mask,omitempty"`
	Spellings []string `json:"spellings,omitempty"`
}

// sinkObject is where a sink holds a table.
type sinkObject struct {
	Root   string `json:"root"`
	Folder string `json:"folder"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// fileLine is one data file.
type fileLine struct {
	Root     string `json:"root"`
	Path     string `json:"path"`
	Rows     int64  `json:"rows"`
	Bytes    int64  `json:"bytes"`
	Digest   string `json:"digest"`
	Appended bool   `json:"appended,omitempty"`
}

// initLine is what init found.
type initLine struct {
	State    string `json:"state"`
	Lineage  string `json:"lineage,omitempty"`
	Serial   uint64 `json:"serial"`
	Tried    bool   `json:"tried"`
	NotTried string `json:"not_tried,omitempty"`
}

// stateMovedLine is what moving the state came to.
type stateMovedLine struct {
	From       string   `json:"from,omitempty"`
	To         string   `json:"to"`
	Lineage    string   `json:"lineage,omitempty"`
	Serial     uint64   `json:"serial"`
	Objects    int      `json:"objects"`
	Bytes      int64    `json:"bytes"`
	Unrecorded []string `json:"unrecorded,omitempty"`
}

// rebuildLine is a state that is going to be rebuilt.
type rebuildLine struct {
	State   string   `json:"state"`
	Lineage string   `json:"lineage"`
	Damage  string   `json:"damage,omitempty"`
	Left    []string `json:"left_out,omitempty"`
}

// rebuildTableLine is what becomes of a table then.
type rebuildTableLine struct {
	Name        string           `json:"name"`
	Commit      uint64           `json:"commit"`
	Dumps       []int64          `json:"dumps"`
	Mapping     *int64           `json:"mapping_dump"`
	Incomplete  bool             `json:"incomplete,omitempty"`
	Files       int              `json:"files"`
	Bytes       int64            `json:"bytes_to_read"`
	Lost        []lostDumpObject `json:"lost_dumps,omitempty"`
	LostMapping *int64           `json:"lost_mapping,omitempty"`
}

// lostDumpObject is a dump that cannot be read again.
type lostDumpObject struct {
	Dump   int64  `json:"dump"`
	Reason string `json:"reason,omitempty"`
}

// rebuiltLine is a state that was rebuilt.
type rebuiltLine struct {
	Commit uint64          `json:"commit"`
	Tables []rebuiltObject `json:"tables"`
}

// rebuiltObject is what became of a table then.
type rebuiltObject struct {
	Name    string     `json:"name"`
	Counts  countsJSON `json:"counts"`
	Kept    int        `json:"files_kept"`
	Written int        `json:"files_written"`
	Removed int        `json:"files_removed"`
}

// quarantinedRowLine is a row that no table has.
type quarantinedRowLine struct {
	Table  string          `json:"table"`
	Dump   int64           `json:"dump"`
	File   string          `json:"file"`
	Row    int64           `json:"row"`
	Reason string          `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// trafficObject is what a place on S3 was asked for.
type trafficObject struct {
	Place    string           `json:"place"`
	Total    int64            `json:"total"`
	Requests map[string]int64 `json:"by_operation"`
	Received int64            `json:"bytes_received"`
	Sent     int64            `json:"bytes_sent"`
}

// each converts a list; one that is missing stays so.
func each[A, B any](list []A, convert func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}

func newShownLine(t *inspect.Table) shownLine {
	return shownLine{
		Address: "table." + t.Name, Name: t.Name, Kind: t.Kind, Key: t.Key, Commit: t.Commit, Committed: instant(t.Committed), Dumps: t.Dumps, Skipped: t.Skipped, Lost: t.Lost,
		Mapping: t.Mapping, PartitionBy: t.PartitionBy, Partitions: t.Partitions, Rows: t.Rows, Hidden: t.Hidden, Quarantined: t.Quarantined,
		Columns: each(t.Columns, func(c inspect.Column) columnObject { return columnObject(c) }),
		Sinks:   each(t.Sinks, func(s inspect.Sink) sinkObject { return sinkObject(s) }),
	}
}

func (v *jsonView) shown(s *inspect.State) {
	v.record("state", stateLine{s.State, s.Lineage, s.Serial, s.Program, (*mapsObject)(s.Mapping), s.Unfinished}, "")
	for i := range s.Tables {
		v.record("state_table", newShownLine(&s.Tables[i]), "")
	}
	v.heldSince(s.Holds)
}

func (v *jsonView) shownOne(d *inspect.Detail) {
	v.record("state_table", newShownLine(&d.Table), "")
	for _, f := range d.Files {
		v.record("state_file", fileLine(f), "")
	}
	v.heldSince(d.Holds)
}

func newRebuildTableLine(t *rebuild.Table) rebuildTableLine {
	return rebuildTableLine{t.Name, t.Commit, t.Dumps, t.Mapping, t.Incomplete, t.Files, t.Bytes,
		each(t.Lost, func(d rebuild.LostDump) lostDumpObject { return lostDumpObject(d) }), t.LostMapping}
}

func newRebuiltLine(r *rebuild.Rebuilt) rebuiltLine {
	return rebuiltLine{r.Commit, each(r.Tables, func(t rebuild.TableResult) rebuiltObject {
		return rebuiltObject{t.Name, countsJSON(t.Counts), t.Kept, t.Written, t.Removed}
	})}
}
