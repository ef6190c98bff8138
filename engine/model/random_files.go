package model

import (
	"slices"
	"strings"
)

// file starts a part file without fields.
func (g *gen) file(table string) *File {
	return &File{Key: g.fileKey(table), table: table, Codec: oneOf(g.r, "null", "deflate", "snappy", "snappy", "zstandard"),
		Fault: g.fault(), BlockRows: oneOf(g.r, 1, 3, 16, 1000)}
}

// field adds a column to a file that begins with it or has its rows already.
func (g *gen) field(f *File, name, kind string, values []any) {
	schema, encoded := g.encoder.encode(kind, values)
	f.addField(name, schema, encoded)
}

func (f *File) addField(name string, schema any, values []any) {
	if len(f.Fields) == 0 {
		f.Rows = make([][]any, len(values))
	}
	f.Fields = append(f.Fields, Field{name, schema})
	for i, v := range values {
		f.Rows[i] = append(f.Rows[i], v)
	}
}

// files cuts rows into part files, each with a writer schema of its own.
func (g *gen) files(t *genTable, rows []*genRow) []*File {
	if len(rows) == 0 && g.chance(0.5) {
		return nil
	}
	var out []*File
	per := max(1, (len(rows)+2)/(1+g.r.Intn(3)))
	for chunk := range slices.Chunk(rows, per) {
		out = append(out, g.partFile(t, chunk))
	}
	if len(out) == 0 || g.chance(0.05) {
		out = append(out, g.partFile(t, nil)) // a file of no rows
	}
	return out
}

func (g *gen) partFile(t *genTable, rows []*genRow) *File {
	f := g.file(t.name)
	column := func(value func(*genRow) any) []any {
		out := make([]any, len(rows))
		for i, row := range rows {
			out[i] = value(row)
		}
		return out
	}
	g.field(f, "user_id", "id", column(func(row *genRow) any { return g.encoder.id(row.user) }))
	if t.key != "" {
		g.field(f, t.key, "id", column(func(row *genRow) any { return g.encoder.id(row.key) }))
		if t.key != "session_id" && t.name != "_event_metadata" {
			g.field(f, "session_id", "id", column(func(row *genRow) any { return g.encoder.id(row.session) }))
		}
	}
	for _, name := range timeNames {
		if len(rows) > 0 && rows[0].times[name] == 0 || len(rows) == 0 && (name == "time") != (t.key != "") || g.wild(0.04) {
			continue
		}
		g.timeField(f, name, rows)
	}
	for _, c := range t.columns {
		if g.at < c.since || g.at >= c.until || g.wild(0.08) {
			continue
		}
		values := column(func(row *genRow) any { return row.values[c] })
		g.deliverColumn(f, c, g.spell(c.name), values)
		if g.wild(0.08) && !named(c.schema) { // a second spelling in one file
			other := oneOf(g.r, strings.ToUpper(c.name), strings.ToLower(c.name))
			g.deliverColumn(f, c, other, column(func(*genRow) any { return oneOf(g.r, nil, c.value(g.r)) }))
		}
	}
	if g.wild(0.3) {
		f.shuffle(g)
	}
	return f
}

// named reports whether a schema defines a type of a name, which a file may do
// once only.
func named(schema any) bool {
	def, _ := schema.(map[string]any)
	return def["name"] != nil
}

// deliverColumn adds a column under the name that Avro makes of one, unless the file
// has that field or it would be a key or a timestamp.
func (g *gen) deliverColumn(f *File, c *genColumn, listed string, values []any) {
	name := avroForm(listed)
	if isExact(name) || slices.ContainsFunc(f.Fields, func(fd Field) bool { return fd.Name == name }) {
		return
	}
	g.listed[name] = listed
	if c.schema == nil {
		g.field(f, name, "text", values)
		return
	}
	schema, encoded := g.encoder.nullable(c.schema, values)
	f.addField(name, schema, encoded)
}

// shuffle reorders the fields.
func (f *File) shuffle(g *gen) {
	order := g.r.Perm(len(f.Fields))
	fields := make([]Field, len(order))
	for i, j := range order {
		fields[i] = f.Fields[j]
	}
	for n, row := range f.Rows {
		moved := make([]any, len(order))
		for i, j := range order {
			moved[i] = row[j]
		}
		f.Rows[n] = moved
	}
	f.Fields = fields
}

// spell changes the case of a name, rarely.
func (g *gen) spell(name string) string {
	if g.wild(0.06) {
		return oneOf(g.r, strings.ToUpper(name), strings.ToUpper(name[:1])+name[1:])
	}
	return name
}

// columns invents the manifest's list for an entry: mostly the fields of its
// files, sometimes narrower, wider, in another order or spelling, or none.
func (g *gen) columns(t *genTable, files []*File) []string {
	names := []string{}
	for _, f := range files {
		for _, fd := range f.Fields {
			name := fd.Name
			if listed := g.listed[name]; listed != "" && g.chance(0.85) {
				name = listed
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			if other := strings.ReplaceAll(name, " ", "-"); other != name && g.wild(0.2) {
				names = append(names, other) // claims the same field
			}
		}
	}
	if len(files) == 0 {
		names = g.allColumns(t)
	} else if g.chance(0.15) {
		return nil
	}
	if g.wild(0.03) {
		return []string{}
	}
	if g.wild(0.25) {
		drop := oneOf(g.r, names...)
		names = slices.DeleteFunc(names, func(n string) bool { return n == drop })
	}
	if g.wild(0.05) && len(names) > 0 {
		names = append(names, oneOf(g.r, names...))
	}
	if g.wild(0.1) {
		names = append(names, "ghost")
	}
	if g.wild(0.1) && len(names) > 0 {
		i := g.r.Intn(len(names))
		if other := strings.ToUpper(names[i]); !slices.Contains(names, other) && !isExact(names[i]) {
			names[i] = other
		}
	}
	if g.wild(0.3) {
		g.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return names
}

// allColumns are the columns of a table that delivers no file.
func (g *gen) allColumns(t *genTable) []string {
	names := []string{"user_id", t.key, "time"}
	if t.key == "" {
		names = []string{"user_id", "joindate", "last_modified"}
	}
	for _, c := range t.columns {
		if g.at >= c.since && g.at < c.until {
			names = append(names, c.name)
		}
	}
	return names
}
