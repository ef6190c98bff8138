package main

import "reconcile/engine/inspect"

// commitLine is one commit of a table.
type commitLine struct {
	Commit      uint64  `json:"commit"`
	At          string  `json:"committed_at,omitempty"`
	Address     string  `json:"address"`
	Kind        string  `json:"kind"`
	Dumps       []int64 `json:"dumps,omitempty"`
	DumpCount   int     `json:"dump_count"`
	Mapping     *int64  `json:"mapping_dump"`
	Added       int64   `json:"rows_added"`
	Replaced    int64   `json:"rows_replaced"`
	Rekeyed     int64   `json:"rows_rekeyed"`
	Collapsed   int64   `json:"rows_collapsed"`
	Revived     int64   `json:"rows_revived"`
	Removed     int64   `json:"rows_removed"`
	Quarantined int64   `json:"rows_quarantined"`
	Rescued     int64   `json:"rows_rescued"`
	Rows        int64   `json:"rows"`
}

// historyLine ends a history.
type historyLine struct {
	Commits int      `json:"commits"`
	Left    int      `json:"left_out,omitempty"`
	Older   []string `json:"incomplete,omitempty"`
}

// columnChangeLine is what became of a column.
type columnChangeLine struct {
	Address string `json:"address"`
	Column  string `json:"column"`
	Event   string `json:"event"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Dump    int64  `json:"dump,omitempty"`
	Arrived string `json:"arrived_at,omitempty"`
	Commit  uint64 `json:"commit,omitempty"`
	At      string `json:"committed_at,omitempty"`
}

func (v *jsonView) history(h *inspect.History) {
	for i := range h.Commits {
		c := &h.Commits[i]
		n := c.Count
		if n == 0 {
			n = len(c.Dumps)
		}
		v.record("commit", commitLine{c.Serial, instant(c.At), "table." + c.Table, c.Kind.String(), c.Dumps, n, c.Mapping,
			c.Added, c.Replaced, c.Rekeyed, c.Collapsed, c.Revived, c.Removed, c.Quarantined, c.Rescued, c.Rows}, "")
	}
	v.record("history", historyLine{len(h.Commits), h.Left, h.Older}, "")
}

func (v *jsonView) schemaHistory(list []inspect.ColumnChange) {
	for _, c := range list {
		v.record("column_change", columnChangeLine{"table." + c.Table, c.Column, c.Event.String(), c.From, c.To, c.Dump, instant(c.Arrived), c.Commit, instant(c.At)}, "")
	}
}
