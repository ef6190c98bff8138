package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"reconcile/engine/model"
)

// cmdMkexport writes an export: mkexport DIR FILE. The file says, line by line,
//
//	dump ID [MANIFEST]
//	table NAME full|delta|unsaid [COLUMN,COLUMN...]
//	file [missing|truncated|damaged|as DUMP|but ROWS|named NAME]
//	FIELD FIELD...
//	VALUE VALUE...
//
// A file as that of another dump has its very bytes, if the rows are the same too.
// Of one with "but" the last rows are not there yet; each row is a block.
// A value of "-" is null. Without columns the manifest lists the fields. A word in
// quotes is a text as Go writes it, with its blanks as \x20.
func cmdMkexport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mkexport DIR FILE")
	}
	world, err := parseExport(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(world.Write(ts.MkAbs(args[0])))
}

// exportParser reads a description from top to bottom.
type exportParser struct {
	world  model.World
	fields []string
	rows   [][]string
}

func parseExport(text string) (*model.World, error) {
	var p exportParser
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		for i, w := range words {
			if text, err := strconv.Unquote(w); err == nil {
				words[i] = text
			}
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	p.closeFile()
	return &p.world, nil
}

func (p *exportParser) line(words []string) error {
	switch words[0] {
	case "dump":
		p.closeFile()
		id, err := strconv.ParseInt(words[1], 10, 64)
		d := &model.Dump{ID: id}
		if len(words) > 2 {
			d.Manifest = words[2]
		}
		p.world.Dumps = append(p.world.Dumps, d)
		return err
	case "table":
		p.closeFile()
		return p.table(words[1:])
	case "file":
		p.closeFile()
		return p.file(words[1:])
	}
	if p.fields == nil {
		p.fields = words
		return nil
	}
	if len(words) != len(p.fields) {
		return errors.New("a row has not as many values as there are fields")
	}
	p.rows = append(p.rows, words)
	return nil
}

func (p *exportParser) table(words []string) error {
	d := p.world.Dumps[len(p.world.Dumps)-1]
	e := model.Entry{Table: words[0]}
	switch words[1] {
	case "full":
		e.Incremental = model.Bool(false)
	case "delta":
		e.Incremental = model.Bool(true)
	case "unsaid":
	default:
		return fmt.Errorf("%q is not full, delta or unsaid", words[1])
	}
	if len(words) > 2 {
		e.Columns = strings.Split(words[2], ",")
	}
	d.Entries = append(d.Entries, e)
	return nil
}

func (p *exportParser) file(words []string) error {
	d := p.world.Dumps[len(p.world.Dumps)-1]
	e := &d.Entries[len(d.Entries)-1]
	key := func(dump any) string {
		return fmt.Sprintf("sync_%v/_heap_table_name=%s/part-%05d.avro", dump, e.Table, len(e.Files))
	}
	f := &model.File{Key: key(d.ID), Codec: "deflate"}
	switch {
	case len(words) == 2 && words[0] == "as":
		f.Same = key(words[1])
	case len(words) == 2 && words[0] == "but":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		f.BlockRows, f.Rest = 1, n
	case len(words) == 2 && words[0] == "named":
		f.Key = fmt.Sprintf("sync_%d/%s", d.ID, words[1])
	case len(words) > 0:
		i := slices.Index([]string{"", "missing", "truncated", "damaged"}, words[0])
		if i < 0 {
			return fmt.Errorf("there is no fault %q", words[0])
		}
		f.Fault = model.Fault(i)
	}
	e.Files = append(e.Files, f)
	return nil
}

// closeFile gives the rows that were read to the file that they belong to.
func (p *exportParser) closeFile() {
	if p.fields == nil {
		return
	}
	d := p.world.Dumps[len(p.world.Dumps)-1]
	e := &d.Entries[len(d.Entries)-1]
	f := e.Files[len(e.Files)-1]
	list := e.Columns == nil
	for i, name := range p.fields {
		typ := "string"
		if strings.HasSuffix(name, "_id") && !slices.ContainsFunc(p.rows, func(r []string) bool { return r[i] != "-" && !isNumber(r[i]) }) {
			typ = "long"
		}
		f.Fields = append(f.Fields, model.Field{Name: name, Type: []any{"null", typ}})
		if list {
			e.Columns = append(e.Columns, name)
		}
	}
	for _, r := range p.rows {
		row := make([]any, len(r))
		for i, v := range r {
			switch typ := f.Fields[i].Type.([]any)[1]; {
			case v == "-":
			case typ == "long":
				row[i], _ = strconv.ParseInt(v, 10, 64)
			default:
				row[i] = v
			}
		}
		f.Rows = append(f.Rows, row)
	}
	p.fields, p.rows = nil, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}
