package main

import "reconcile/engine/verify"

// verifiedTableLine is what was found of one table.
type verifiedTableLine struct {
	Address    string            `json:"address"`
	Name       string            `json:"name"`
	Commit     uint64            `json:"commit"`
	Mapping    *int64            `json:"mapping_dump"`
	Unverified string            `json:"unverified,omitempty"`
	Dumps      int               `json:"dumps"`
	Read       int64             `json:"rows_read"`
	Rows       int64             `json:"rows"`
	Gone       []goneObject      `json:"gone,omitempty"`
	MapGone    string            `json:"mapping_gone,omitempty"`
	Uncompared map[string]string `json:"not_compared,omitempty"`
	Sinks      []verifiedSink    `json:"sinks,omitempty"`
}

// goneObject is a dump, or a file of it, that cannot be read any more.
type goneObject struct {
	Dump   int64  `json:"dump"`
	File   string `json:"file,omitempty"`
	Reason string `json:"reason"`
}

// verifiedSink is what was found of a table in a sink.
type verifiedSink struct {
	Sink        string             `json:"sink"`
	Rows        int64              `json:"rows"`
	Differences int64              `json:"differences"`
	Unchecked   int64              `json:"not_checked"`
	Keys        []differenceObject `json:"keys,omitempty"`
	Faults      []faultObject      `json:"files,omitempty"`
}

// differenceObject is a row that is not as it should be.
type differenceObject struct {
	Kind    string        `json:"kind"`
	Key     *int64        `json:"key,omitempty"`
	User    int64         `json:"user_id"`
	RawUser *int64        `json:"raw_user_id,omitempty"`
	Dump    *int64        `json:"dump,omitempty"`
	Columns []valueObject `json:"columns,omitempty"`
}

// valueObject is a column of it.
type valueObject struct {
	Column string  `json:"column"`
	Want   *string `json:"should_be"`
	Found  *string `json:"is"`
}

// faultObject is a data file that is not as the state knows it.
type faultObject struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// verifyLine ends the output of verify.
type verifyLine struct {
	Same        bool   `json:"same"`
	Sample      string `json:"sample,omitempty"`
	Tables      int    `json:"tables"`
	Unverified  int    `json:"unverified"`
	Rows        int64  `json:"rows"`
	Differences int64  `json:"differences"`
	Unchecked   int64  `json:"not_checked"`
	Files       int    `json:"files"`
}

func newVerifyLine(r *verify.Report) verifyLine {
	line := verifyLine{Same: !r.Differs(), Sample: r.Sample.String(), Tables: len(r.Tables)}
	for _, t := range r.Tables {
		line.Rows += t.Rows
		if t.Unverified != "" {
			line.Unverified++
		}
		for _, s := range t.Sinks {
			line.Differences += s.Differences
			line.Unchecked += s.Unchecked
			line.Files += len(s.Faults)
		}
	}
	return line
}

func newVerifiedTable(t *verify.Table) verifiedTableLine {
	line := verifiedTableLine{Address: "table." + t.Name, Name: t.Name, Commit: t.Commit, Mapping: t.Mapping, Unverified: t.Unverified, Dumps: t.Dumps,
		Read: t.Read, Rows: t.Rows, Gone: each(t.Gone, func(g verify.Gone) goneObject { return goneObject(g) }), MapGone: t.MappingGone, Uncompared: t.Uncompared}
	for _, s := range t.Sinks {
		line.Sinks = append(line.Sinks, verifiedSink{s.Root, s.Rows, s.Differences, s.Unchecked,
			each(s.Keys, func(d verify.Difference) differenceObject {
				return differenceObject{d.Kind, d.Key, d.User, d.RawUser, d.Dump, each(d.Columns, func(v verify.Value) valueObject { return valueObject(v) })}
			}),
			each(s.Faults, func(f verify.Fault) faultObject { return faultObject(f) })})
	}
	return line
}

func (v *jsonView) verified(r *verify.Report) {
	for _, t := range r.Tables {
		v.record("verified_table", newVerifiedTable(t), "")
	}
	v.record("verify", newVerifyLine(r), "")
}
