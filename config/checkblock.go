package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// checkBlock is one check block as it is written.
type checkBlock struct {
	check   definition.Check
	table   setting[glob.Pattern]
	columns []setting[string] // as Check.Columns
	values  []setting[string] // as Check.Values
	rng     hcl.Range
}

const (
	checkSeverityHold = "hold"
	checkSeverityWarn = "warn"
)

// checkKinds are the conditions of which a check has one, as they are written.
func checkKinds() []string {
	return []string{string(definition.NotNull), string(definition.AcceptedValues), string(definition.Unique),
		string(definition.RowCount), string(definition.KnownUsers), string(definition.Freshness)}
}

// loadChecks reads the check blocks; the tables are known.
func (l *loader) loadChecks(blocks hcl.Blocks) {
	seen := map[string]hcl.Range{}
	for _, b := range blocks {
		if !l.name(b, 0) {
			continue
		}
		name := b.Labels[0]
		if at, dup := seen[name]; dup {
			l.add(errorAt(b.DefRange, "Duplicate check", "The check %q was already declared at %s.", name, place(at)))
			continue
		}
		seen[name] = b.DefRange
		before := len(l.diags)
		c := l.loadCheck(b)
		if c != nil && len(l.diags) == before {
			l.checkTaken(c)
			l.cfg.checks = append(l.cfg.checks, *c)
		}
	}
}

// loadCheck reads a check block; nil if it is wrong.
func (l *loader) loadCheck(b *hcl.Block) *checkBlock {
	c := l.content(b, schema{
		required: []string{"table"}, optional: []string{"severity", "not_null", "unique", "freshness"},
		blocks: []hcl.BlockHeaderSchema{{Type: "accepted_values"}, {Type: "rows"}, {Type: "users"}},
	})
	out := &checkBlock{rng: b.DefRange}
	out.check.Name = b.Labels[0]
	table := l.checkTable(c.Attributes["table"])
	if s := l.oneOf(c.Attributes["severity"], checkSeverityHold, checkSeverityWarn); s != nil {
		out.check.Warns = s.value == checkSeverityWarn
	}
	kinds := conditions(c)
	if len(kinds) != 1 {
		l.add(errorAt(b.DefRange, "Not one condition", "A check has one condition: %s. This one has %s. Write a check for each.", quoted(checkKinds(), "or"), numberOf(kinds)))
		return nil
	}
	out.check.Kind = definition.CheckKind(kinds[0])
	l.loadCondition(out, c)
	if a := c.Attributes["severity"]; a != nil && out.check.Kind == definition.Freshness {
		l.add(errorAt(a.NameRange, "Severity of freshness", "Freshness is judged by `reconcile status` alone, which ends with 13. Remove severity."))
	}
	if table == nil {
		return nil
	}
	out.table = *table
	return out
}

// conditions lists the conditions that a check has.
func conditions(c *hcl.BodyContent) []string {
	var out []string
	for _, kind := range checkKinds() {
		if c.Attributes[kind] != nil || len(c.Blocks.OfType(kind)) > 0 {
			out = append(out, kind)
		}
	}
	return out
}

func numberOf(kinds []string) string {
	if len(kinds) == 0 {
		return "none"
	}
	return quoted(kinds, "and")
}

// checkTable reads which tables a check is of: table.checkout, or table["*"].
func (l *loader) checkTable(a *hcl.Attribute) *setting[glob.Pattern] {
	if a == nil {
		return nil
	}
	rng := a.Expr.Range()
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	name, ok := "", false
	if !diags.HasErrors() && t.RootName() == "table" && len(t) == 2 {
		name, ok = member(t, 1)
	}
	if !ok || name == "" {
		l.add(errorAt(rng, "Not a table", "Name the table as table.checkout, or table[\"Any Name\"]; table[\"*\"] is every table of events, as in table blocks."))
		return nil
	}
	p, ok := l.pattern(name, rng)
	if !ok {
		return nil
	}
	return &setting[glob.Pattern]{value: p, rng: rng}
}

// loadCondition reads the one condition that a check has.
func (l *loader) loadCondition(out *checkBlock, c *hcl.BodyContent) {
	block := l.only(c.Blocks.OfType(string(out.check.Kind)), string(out.check.Kind)+" block")
	switch out.check.Kind {
	case definition.AcceptedValues:
		l.loadAcceptedValues(out, block)
	case definition.RowCount:
		l.loadRowCount(out, block)
	case definition.KnownUsers:
		l.loadKnownUsers(out, block)
	case definition.Freshness:
		l.loadFreshness(out, c.Attributes[string(definition.Freshness)])
	default:
		out.setColumns(l.checkColumns(c.Attributes[string(out.check.Kind)]))
	}
}

func (c *checkBlock) setColumns(columns []setting[string]) {
	c.columns = columns
	for _, s := range columns {
		c.check.Columns = append(c.check.Columns, s.value)
	}
}

// checkColumns reads a list of columns.
func (l *loader) checkColumns(a *hcl.Attribute) []setting[string] {
	s := l.strs(a)
	if s == nil {
		return nil
	}
	if len(s.value) == 0 {
		l.add(errorAt(s.rng, "Empty list", "Name the columns that are to be checked."))
	}
	for i, e := range s.value {
		if slices.ContainsFunc(s.value[:i], func(o setting[string]) bool { return o.value == e.value }) {
			l.add(errorAt(e.rng, "Named twice", "The column %q is in the list already.", e.value))
		}
		l.checkColumn(e)
	}
	return s.value
}

// checkColumn diagnoses a name that no check can be of.
func (l *loader) checkColumn(s setting[string]) {
	if feed.IsOurs(s.value) {
		l.add(errorAt(s.rng, "Not a delivered column", "%q is a column that reconcile adds. Checks are of delivered columns.", s.value))
	}
}

func (l *loader) loadAcceptedValues(out *checkBlock, b *hcl.Block) {
	c := l.content(b, schema{required: []string{"column", "values"}})
	if s := l.str(c.Attributes["column"], true); s != nil {
		l.checkColumn(*s)
		out.setColumns([]setting[string]{*s})
	}
	if s := l.strs(c.Attributes["values"]); s != nil {
		if len(s.value) == 0 {
			l.add(errorAt(s.rng, "Empty list", "Name the values that are accepted."))
		}
		out.values = s.value
		for _, e := range s.value {
			out.check.Values = append(out.check.Values, e.value)
		}
	}
}

func (l *loader) loadRowCount(out *checkBlock, b *hcl.Block) {
	c := l.content(b, schema{optional: []string{"min", "max"}})
	out.check.Min, out.check.Max = l.percent(c.Attributes["min"]), l.percent(c.Attributes["max"])
	if len(c.Attributes) == 0 {
		l.add(errorAt(b.DefRange, "Check without a limit", "Say which part of the median a dump must have, as in rows { min = \"50%%\", max = \"300%%\" }."))
	}
	if lo, hi := out.check.Min, out.check.Max; lo != nil && hi != nil && *lo > *hi {
		l.add(errorAt(b.DefRange, "Limits the wrong way round", "min is more than max, so that every dump fails."))
	}
}

// percent reads a part of something that can be more than all of it.
func (l *loader) percent(a *hcl.Attribute) *definition.Share {
	s := l.str(a, true)
	if s == nil {
		return nil
	}
	n, err := definition.ParsePercent(s.value)
	if err != nil {
		l.add(errorAt(s.rng, "Invalid share", "%s.", err))
		return nil
	}
	return &n
}

func (l *loader) loadKnownUsers(out *checkBlock, b *hcl.Block) {
	c := l.content(b, schema{optional: []string{"max"}})
	s := l.str(c.Attributes["max"], true)
	switch {
	case s == nil:
	case strings.Contains(s.value, "%"):
		if share := l.share(c.Attributes["max"]); share != nil {
			out.check.MaxShare = &share.value
		}
	default:
		n, err := strconv.ParseInt(s.value, 10, 64)
		if err != nil || n < 0 {
			l.add(errorAt(s.rng, "Invalid number", "%q is neither a number of rows, as 10, nor a share of them, as \"1%%\".", s.value))
		}
		out.check.MaxRows = n
	}
	if chain, _ := l.cfg.chain(feed.TableUsers, false); len(chain) == 0 && !l.broken {
		l.add(errorAt(b.DefRange, "Check without users", "No block takes the table \"users\", so that nobody can tell which users have a row. Add table \"users\" { }."))
	}
}

func (l *loader) loadFreshness(out *checkBlock, a *hcl.Attribute) {
	s := l.str(a, true)
	if s == nil {
		return
	}
	d, err := time.ParseDuration(s.value)
	if err != nil || d <= 0 {
		l.add(errorAt(s.rng, "Invalid age", "%q is no time above 0, as \"36h\".", s.value))
		return
	}
	out.check.MaxAge = d
}

// checkTaken diagnoses a check of a table that no block takes, as far as that shows without
// the delivered tables.
func (l *loader) checkTaken(c *checkBlock) {
	p := c.table.value
	name := string(p)
	if p.IsGlob() || l.broken {
		return
	}
	if name == feed.TableMapping && c.check.Kind == definition.Freshness {
		return
	}
	if name == feed.TableMapping {
		l.add(errorAt(c.table.rng, "Check of the mapping", "%q is written as a whole, and has no checks. What it brings is guarded by identity { guard { max_mappings_removed = \"50%%\" } }.", name))
		return
	}
	if chain, _ := l.cfg.chain(name, !feed.IsSpecial(name)); len(chain) == 0 {
		l.add(errorAt(c.table.rng, "Table that is not published", "No table block takes %q, so that there is nothing to check.%s", name, didYouMean(name, l.cfg.ExactTables())))
	}
}

// checksOf returns the blocks that are of a table, in their order.
func (c *Config) checksOf(table string) []checkBlock {
	var out []checkBlock
	for _, b := range c.checks {
		if p := b.table.value; p.IsGlob() && p.Match(table) && !feed.IsSpecial(table) || string(p) == table {
			out = append(out, b)
		}
	}
	return out
}

// ChecksOf returns the checks of a table, in the order of their declaration.
func (c *Config) ChecksOf(table string) []definition.Check {
	var out []definition.Check
	for _, b := range c.checksOf(table) {
		out = append(out, b.check)
	}
	return out
}

// CheckedTables lists the tables that checks name without a glob, each once.
func (c *Config) CheckedTables() []string {
	var out []string
	for _, b := range c.checks {
		if p := b.table.value; !p.IsGlob() && !slices.Contains(out, string(p)) {
			out = append(out, string(p))
		}
	}
	return out
}

// checked checks that the checks of the table can be judged.
func (k *check) checked() {
	for i := range k.checks {
		b := &k.checks[i]
		if b.check.Kind == definition.KnownUsers && k.t.Kind == feed.KindUsers {
			k.addOf(b, b.rng, "Check of users", "The check %q looks for users who have no row in \"users\", of which the table \"users\" has none.", b.check.Name)
		}
		for _, s := range b.columns {
			k.checkedColumn(b, s)
		}
	}
}

// addOf adds a mistake of a check. One of a glob shows with a table that is delivered.
func (k *check) addOf(b *checkBlock, at hcl.Range, summary, format string, args ...any) {
	if b.table.value.IsGlob() {
		k.add(deliveredAt(at, summary, format, args...))
		return
	}
	k.add(errorAt(at, summary, format, args...))
}

// checkedColumn checks that what is published of a column can be judged.
func (k *check) checkedColumn(b *checkBlock, s setting[string]) {
	name := s.value
	for _, d := range k.delivered {
		if k.t.IsColumn(s.value, d) {
			name = d
		}
	}
	c := k.t.Column(name)
	switch {
	case c.Mask == definition.MaskDrop || c.Mask == definition.MaskNull:
		k.addOf(b, s.rng, "Check of a masked column", "Checks judge what is published, and in the table %q a mask %q takes the values of %q. Take the column out of the check, or mask it by hmac-sha256.", k.t.Name, c.Mask, s.value)
	case b.check.Kind != definition.AcceptedValues:
	case c.Mask != definition.MaskNone:
		k.addOf(b, s.rng, "Check of a masked column", "Checks judge what is published, and in the table %q the values of %q are masked by %s: none of them is accepted. Take the column out of the check.", k.t.Name, s.value, c.Mask)
	default:
		k.acceptedValues(b, c.Type)
	}
}

// acceptedValues checks that the values of a list can be those of a column.
func (k *check) acceptedValues(b *checkBlock, typ column.Type) {
	for _, v := range b.values {
		if !castsTo(v.value, typ) {
			k.addOf(b, v.rng, "Value of another type", "%q is no value of a column of type %s.", v.value, typ)
		}
	}
}

// castsTo reports whether a text is that of a value of a type.
func castsTo(text string, typ column.Type) bool {
	src, dst := column.Column{}, column.Column{Type: typ}
	src.Reset()
	src.AppendBytes([]byte(text))
	return len(column.Cast(&src, typ, &dst)) == 0 && !dst.IsNull(0)
}

// checks judges the tables and columns that checks name.
func (j *judge) checks() {
	if len(j.d.Tables) == 0 {
		return
	}
	for i := range j.c.checks {
		b := &j.c.checks[i]
		p := b.table.value
		tables := j.tablesOf(func(t *DeliveredTable) bool {
			return t.Table != nil && slices.ContainsFunc(t.Table.Checks, func(c definition.Check) bool { return c.Name == b.check.Name })
		})
		delivered := slices.Contains(j.tableNames(), string(p))
		switch {
		case len(tables) > 0:
		case p.IsGlob():
			j.warn(b.table.rng, "Check of no table", "No table of events that was delivered so far matches %q and is published.", string(p))
		case delivered:
			j.warn(b.table.rng, "Table that is not published", "The table %q is delivered, and not published.", string(p))
		default:
			j.warn(b.table.rng, "Table not delivered", "No table %q was delivered so far.%s", string(p), didYouMean(string(p), j.tableNames()))
		}
		if len(tables) == 0 || anyUnknown(tables) {
			continue
		}
		for _, s := range b.columns {
			if !slices.ContainsFunc(tables, func(t *DeliveredTable) bool {
				return slices.ContainsFunc(t.Columns, func(c string) bool { return t.Table.IsColumn(s.value, c) })
			}) {
				j.warn(s.rng, "Column not delivered", "%s column %q so far, so that the check %q judges nothing of it.%s", checkedBy(p), s.value, b.check.Name, didYouMean(s.value, columnsOf(tables)))
			}
		}
	}
}

// checkedBy begins a sentence on the tables that a check is of.
func checkedBy(p glob.Pattern) string {
	if p.IsGlob() {
		return fmt.Sprintf("No table that %q matches has a", string(p))
	}
	return fmt.Sprintf("The table %q has no", string(p))
}
