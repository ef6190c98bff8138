package model

import (
	"maps"
	"slices"
	"strconv"
)

const day = 86_400_000

// moment invents an event time: mostly within a few days.
func (g *gen) moment() int64 {
	const january = 1_767_225_600_000 // 2026-01-01
	switch {
	case g.wild(0.04):
		return oneOf[int64](g.r, 1, 99_999, 253_402_300_799_999, january-20*365*day, january+40*365*day)
	case g.chance(0.1):
		return january - g.r.Int63n(60*day)
	}
	at := january + g.r.Int63n(4*day)
	return at - at%oneOf(g.r, int64(1), 1000, 1000, 60_000)
}

// evolve changes the truth of a table between two dumps.
func (g *gen) evolve(t *genTable) {
	for range g.r.Intn(g.opt.Rows + 1) {
		t.add(g.fresh(t))
	}
	if t.key == "" || len(t.rows) == 0 {
		return
	}
	for range g.r.Intn(4) { // the same key under another user
		row := *oneOf(g.r, t.rows...)
		row.user = oneOf(g.r, g.users...)
		row.values = g.values(t)
		t.add(&row)
	}
	for range g.r.Intn(4) { // moved times, new values
		row := oneOf(g.r, t.rows...)
		if g.chance(0.5) {
			row.times = map[string]int64{"time": g.moment()}
		} else {
			row.values = g.values(t)
		}
		t.changed[row] = true
	}
}

// fresh invents a row with a new key. In users the raw users themselves are the
// keys, so that rows repeat.
func (g *gen) fresh(t *genTable) *genRow {
	row := &genRow{key: int64(1000 + len(t.rows)), user: oneOf(g.r, g.users...), session: int64(500 + g.r.Intn(20)), values: g.values(t)}
	if g.chance(0.2) {
		row.key = int64(1000 + g.r.Intn(len(t.rows)+1))
	}
	if g.chance(0.05) {
		row.key = -row.key
	}
	row.times = map[string]int64{"time": g.moment()}
	if t.key == "" {
		row.times = map[string]int64{"joindate": g.moment(), "last_modified": g.moment()}
		if g.chance(0.3) {
			row.times["last_modified"] = 1_767_225_600_000
		}
	}
	switch {
	case g.wild(0.06):
		row.wild = oneOf(g.r, wildTimes...)
	case g.chance(0.04):
		row.wild = oneOf[any](g.r, "", "0", "Invalid date")
	}
	return row
}

func (g *gen) values(t *genTable) map[*genColumn]any {
	out := map[*genColumn]any{}
	for _, c := range t.columns {
		if !g.chance(0.2) {
			out[c] = c.value(g.r)
		}
	}
	return out
}

func (t *genTable) add(row *genRow) {
	t.rows = append(t.rows, row)
	t.changed[row] = true
}

// evolveMapping changes the mapping between two dumps.
func (g *gen) evolveMapping() {
	for range g.r.Intn(5) {
		from, to := oneOf(g.r, g.users...), oneOf(g.r, g.users...)
		if from == to && !g.chance(0.3) {
			continue
		}
		g.pairs[from] = to // a new entry, another target, a chain, a cycle
	}
	if g.opt.Shrinks > 0 {
		g.shrinkMapping()
	}
	if g.opt.KeepMappings {
		return
	}
	for _, from := range sortedFroms(g.pairs) {
		if g.chance(0.12) {
			delete(g.pairs, from)
		}
	}
	if g.chance(0.06) {
		clear(g.pairs)
	}
}

// shrinkMapping makes the mapping small, or what it was before.
func (g *gen) shrinkMapping() {
	switch {
	case g.at == 0:
		for _, from := range g.users {
			g.pairs[from] = oneOf(g.r, g.users...)
		}
	case g.chance(g.opt.Shrinks):
		g.lost = maps.Clone(g.pairs)
		left := oneOf(g.r, 0, 0, 0.3, 0.5, 0.7)
		for _, from := range sortedFroms(g.pairs) {
			if !g.chance(left) {
				delete(g.pairs, from)
			}
		}
	case g.lost != nil && g.chance(g.opt.Shrinks):
		maps.Copy(g.pairs, g.lost)
	}
}

// rawTimes adds the times of a mapping as a logical type. A raw 0 stands for those
// that are no plain number.
func (e encoder) rawTimes(f *File, texts []any) {
	for i, v := range texts {
		ms := int64(0)
		if text, ok := v.(string); ok {
			ms, _ = strconv.ParseInt(text, 10, 64)
		}
		texts[i] = ms
	}
	schema, values := e.nullable(map[string]any{"type": "long", "logicalType": "timestamp-millis"}, texts)
	f.addField("time", schema, values)
}

// sortedFroms returns the raw users that a mapping maps.
func sortedFroms(pairs map[int64]int64) []int64 { return slices.Sorted(maps.Keys(pairs)) }

// mapping delivers the whole mapping, with some conflicts and useless rows.
func (g *gen) mapping() Entry {
	e := Entry{Table: migrations, Incremental: Bool(g.chance(0.5)), Columns: []string{"from_user_id", "to_user_id", "time"}}
	if g.chance(0.2) {
		e.Columns = nil
	}
	type line struct {
		from, to any
		at       any
	}
	var lines []line
	for _, from := range sortedFroms(g.pairs) {
		lines = append(lines, line{idText(from), idText(g.pairs[from]), g.encoder.timeText(g.moment())})
		if g.chance(0.15) {
			lines = append(lines, line{idText(from), idText(oneOf(g.r, g.users...)), g.encoder.timeText(g.moment())})
		}
		if g.wild(0.03) {
			lines = append(lines, line{oneOf[any](g.r, nil, "x", "1.5"), idText(from), nil})
		}
	}
	g.r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	if len(lines) == 0 && g.chance(0.5) {
		return e // files: []
	}
	per := max(1, len(lines)/(1+g.r.Intn(2)))
	for {
		n := min(per, len(lines))
		var cols [3][]any
		for _, l := range lines[:n] {
			cols[0], cols[1], cols[2] = append(cols[0], l.from), append(cols[1], l.to), append(cols[2], l.at)
		}
		f := g.file(migrations)
		for i, name := range []string{"from_user_id", "to_user_id"} {
			g.field(f, name, kindFor(name), cols[i])
		}
		if g.wild(0.3) {
			g.encoder.rawTimes(f, cols[2])
		} else {
			g.field(f, "time", "text", cols[2])
		}
		e.Files = append(e.Files, f)
		if lines = lines[n:]; len(lines) == 0 {
			return e
		}
	}
}
