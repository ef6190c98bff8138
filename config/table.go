package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// tableBlock is one table block as it is written; nil settings inherit.
type tableBlock struct {
	pattern   glob.Pattern
	rng       hcl.Range
	alone     bool // inherit = false
	sinks     *setting[[]*Sink]
	partition *setting[definition.Partition]
	onSchema  *setting[string]
	onCast    *setting[string]
	listed    *setting[[]setting[string]] // columns = [...]
	as        *setting[string]
	columns   []*columnBlock
	guard     guardBlock
}

// columnBlock is one column block as it is written; nil settings inherit.
type columnBlock struct {
	name  string // as written
	rng   hcl.Range
	level int // of its table block among those of a table, 0 the most specific
	as    *setting[string]
	typ   *setting[column.Type]
	mask  *setting[maskChoice]
	merge *setting[string]
	// optional says that the mask of this very block may meet nothing.
	optional bool
	unit     *setting[column.TimeUnit]
	round    *setting[string]
	// mistyped says that its type is diagnosed, so that nothing can be said of what
	// depends on it.
	mistyped bool
}

// maskChoice is the mask that a column block asks for. of is nil for a bare
// method.
type maskChoice struct {
	method definition.MaskMethod
	of     *maskBlock
}

// defined is what the table knows of the choice.
func (m maskChoice) defined() *definition.BlockMask {
	out := &definition.BlockMask{Method: m.method}
	if m.of != nil {
		out.Verifier = m.of.mask.Verifier
	}
	return out
}

func (l *loader) loadTables(blocks hcl.Blocks) {
	for _, b := range blocks {
		p, ok := l.pattern(b.Labels[0], b.LabelRanges[0])
		t := l.loadTable(b, p)
		if !ok {
			continue
		}
		dup := false
		for _, old := range l.cfg.tables {
			if string(old.pattern) == string(p) {
				dup = true
				l.add(errorAt(b.DefRange, "Duplicate table block", "The table %q was already declared at %s. Put everything into one block.", string(p), place(old.rng)))
			}
		}
		if !dup {
			l.cfg.tables = append(l.cfg.tables, t)
		}
	}
}

func (l *loader) loadTable(b *hcl.Block, p glob.Pattern) *tableBlock {
	c := l.content(b, schema{
		optional: []string{"sinks", "partition_by", "on_schema_change", "columns", "on_cast_error", "as", "inherit"},
		later:    []string{"keep"}, laterBlocks: []string{"property"},
		blocks: []hcl.BlockHeaderSchema{{Type: "column", LabelNames: []string{"name"}}, {Type: "guard"}},
	})
	t := &tableBlock{pattern: p, rng: b.DefRange}
	if s := l.boolean(c.Attributes["inherit"]); s != nil {
		t.alone = !s.value
	}
	t.sinks = attempt(l, c.Attributes["sinks"], l.sinkList)
	t.partition = l.partitionBy(c.Attributes["partition_by"])
	t.onSchema = attempt(l, c.Attributes["on_schema_change"], func(a *hcl.Attribute) *setting[string] {
		return l.oneOf(a, definition.Evolve, definition.Freeze, definition.Ignore)
	})
	t.onCast = l.oneOf(c.Attributes["on_cast_error"], definition.Rescue, definition.Fail)
	t.listed = attempt(l, c.Attributes["columns"], l.strs)
	l.checkListed(t.listed)
	if a := c.Attributes["as"]; a != nil {
		t.as = l.str(a, true)
		l.checkTableAs(t)
	}
	for _, n := range c.Blocks.OfType("column") {
		l.loadColumn(t, n)
	}
	l.loadGuard(t, c.Blocks.OfType("guard"))
	return t
}

func (l *loader) checkListed(s *setting[[]setting[string]]) {
	if s == nil {
		return
	}
	seen := map[string]bool{}
	for _, e := range s.value {
		if e.value == "" || seen[feed.Key(e.value)] {
			l.add(errorAt(e.rng, "Invalid list of columns", "%q is empty or stands in the list twice (names are compared without case).", e.value))
		}
		seen[feed.Key(e.value)] = true
	}
}

func (l *loader) checkTableAs(t *tableBlock) {
	switch {
	case t.as == nil:
	case t.pattern.IsGlob():
		l.add(errorAt(t.as.rng, "Renaming by a glob", "\"as\" names the folder of one table, but %q can match many. Give the table a block with its exact name.", string(t.pattern)))
	case isReservedFolder(t.as.value):
		l.add(errorAt(t.as.rng, "Reserved name", "The folder %q belongs to reconcile. Choose another name.", t.as.value))
	}
}

func isReservedFolder(name string) bool { return strings.EqualFold(name, "_reconcile") }

func (l *loader) loadColumn(t *tableBlock, b *hcl.Block) {
	name := b.Labels[0]
	c := l.content(b, schema{optional: []string{"type", "as", "mask", "merge", "optional", "time_unit", "round"}})
	col := &columnBlock{name: name, rng: b.DefRange}
	if name == "" {
		l.add(errorAt(b.LabelRanges[0], "Invalid name", "The name of a column must not be empty."))
	}
	if a := c.Attributes["as"]; a != nil {
		col.as = l.str(a, true)
	}
	for _, old := range t.columns {
		if old.name == name || old.as == nil && col.as == nil && feed.Key(old.name) == feed.Key(name) {
			l.add(errorAt(b.DefRange, "Duplicate column block", "The column %q of this table was already declared at %s (names are compared without case).", name, place(old.rng)))
			return
		}
	}
	t.columns = append(t.columns, col)
	col.typ = l.columnType(c.Attributes["type"])
	col.mistyped = c.Attributes["type"] != nil && col.typ == nil
	col.mask = l.columnMask(c.Attributes["mask"])
	col.merge = l.oneOf(c.Attributes["merge"], "min", "max", "latest")
	if s := l.boolean(c.Attributes["optional"]); s != nil {
		col.optional = s.value
		if c.Attributes["mask"] == nil {
			l.add(warnAt(s.rng, "Optional without a mask", "\"optional\" says that the mask of the block may meet nothing, and the block has none. Remove it."))
		}
	}
	col.unit = l.timeUnit(c.Attributes["time_unit"])
	col.round = l.oneOf(c.Attributes["round"], definition.HalfEven)
	l.checkColumnBlock(t, col)
}

// checkColumnBlock looks at one block by itself.
func (l *loader) checkColumnBlock(t *tableBlock, c *columnBlock) {
	if feed.IsExact(c.name) {
		what := "a timestamp"
		if feed.IsID(c.name) {
			what = "a key"
		}
		if c.typ != nil {
			l.add(errorAt(c.typ.rng, "Column with a fixed type", "%q is %s and always has the type %s. Remove the type.", c.name, what, definition.NaturalType(c.name)))
		}
		if c.mask != nil {
			l.add(errorAt(c.mask.rng, "Column that cannot be masked", "%q is %s, which every table needs as it is. Remove the mask.", c.name, what))
		}
	}
	if c.as != nil {
		l.checkColumnAs(c)
	}
	if c.typ != nil && c.mask != nil {
		l.add(typeOnMasked(c, "its own mask"))
	}
	if c.typ != nil {
		l.add(c.readAs(c.typ.value)...)
	} else if feed.IsExact(c.name) {
		l.add(c.readAs(definition.NaturalType(c.name))...)
	}
	if c.merge != nil && t.pattern != feed.TableUsers {
		l.add(errorAt(c.merge.rng, "Merge outside of users", "Only the rows of the table \"users\" are merged. Remove \"merge\", or move it to table \"users\"."))
	}
	if c.merge != nil && c.name == feed.UserID {
		l.add(errorAt(c.merge.rng, "Merge of the key", "\"user_id\" is what rows of users are grouped by; it cannot be merged."))
	}
}

func (l *loader) checkColumnAs(c *columnBlock) {
	switch {
	case feed.IsExact(c.name):
		l.add(errorAt(c.as.rng, "Column that cannot be renamed", "%q is a key or a timestamp, which keeps its name in every table. Remove \"as\".", c.name))
	case feed.IsExact(feed.Plain(c.as.value)):
		l.add(errorAt(c.as.rng, "Reserved name", "%q is the name of a key or a timestamp, without case and trailing underscores. Choose another name.", c.as.value))
	case feed.IsOurs(feed.Plain(c.as.value)):
		l.add(errorAt(c.as.rng, "Reserved name", "%q is a column that reconcile writes. Choose another name.", c.as.value))
	case strings.HasSuffix(c.as.value, "_"):
		l.add(errorAt(c.as.rng, "Reserved name", "%q ends in \"_\", as delivered names do that have to give way to another. Choose another name.", c.as.value))
	}
}

func typeOnMasked(c *columnBlock, by string) *hcl.Diagnostic {
	return errorAt(c.typ.rng, "Type of a masked column", "The column %q is masked by %s, and what a mask leaves is text or nothing. Remove the type or the mask.", c.name, by)
}

func (l *loader) columnType(a *hcl.Attribute) *setting[column.Type] {
	s := l.str(a, false)
	if s == nil {
		return nil
	}
	t, err := column.ParseType(s.value)
	if err != nil {
		word, _, _ := strings.Cut(s.value, "(")
		hint := didYouMean(word, append(column.TypeNames(), "decimal"))
		if name := typesElsewhere()[strings.ToLower(word)]; name != "" {
			hint = fmt.Sprintf(" Here it is called %q.", name)
		}
		l.add(errorAt(s.rng, "Invalid type", "%s.%s", upperFirst(err.Error()), hint))
		return nil
	}
	return &setting[column.Type]{value: t, rng: s.rng}
}

// typesElsewhere maps names that types have in SQL and other programs to ours.
func typesElsewhere() map[string]string {
	return map[string]string{
		"bool": "boolean", "int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "number": "decimal(p,s)", "numeric": "decimal(p,s)",
		"float": "double", "float64": "double", "real": "double", "text": "string", "varchar": "string", "datetime": "timestamp", "timestamptz": "timestamp",
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// columnMask reads "null", "drop" or a reference to a mask block.
func (l *loader) columnMask(a *hcl.Attribute) *setting[maskChoice] {
	if a == nil {
		return nil
	}
	v, ok := l.eval(a.Expr)
	if !ok || v.IsNull() {
		return nil
	}
	at := a.Expr.Range()
	if v.Type() == maskType {
		m := v.EncapsulatedValue().(*maskBlock)
		m.used = true
		return &setting[maskChoice]{value: maskChoice{m.mask.Method, m}, rng: at}
	}
	if v.Type() != cty.String {
		l.add(errorAt(at, "Wrong type", "\"mask\" must be \"null\", \"drop\" or a mask as in mask.pii, not %s.", v.Type().FriendlyName()))
		return nil
	}
	switch m := definition.MaskMethod(v.AsString()); m {
	case definition.MaskNull, definition.MaskDrop:
		return &setting[maskChoice]{value: maskChoice{method: m}, rng: at}
	case definition.MaskHMAC:
		l.add(errorAt(at, "Mask without a key", "\"hmac-sha256\" needs a key. Declare it in a mask block and refer to that, as in mask = mask.pii."))
		return nil
	}
	hint := didYouMean(v.AsString(), []string{"null", "drop"})
	if slices.Contains(l.maskNames(), v.AsString()) {
		hint = fmt.Sprintf(" Did you mean mask.%s, without quotes?", v.AsString())
	}
	l.add(errorAt(at, "Unknown mask", "\"mask\" must be \"null\", \"drop\" or a mask as in mask.pii, not %q.%s", v.AsString(), hint))
	return nil
}

// partitionBy reads the list of levels.
func (l *loader) partitionBy(a *hcl.Attribute) *setting[definition.Partition] {
	if a == nil {
		return nil
	}
	calls, ok, err := l.partitionCalls(a.Expr)
	if err == nil && !ok {
		return nil
	}
	var p definition.Partition
	if err == nil {
		p, err = nestPartition(calls)
	}
	if err != nil {
		l.add(errorAt(a.Expr.Range(), "Invalid partitioning", "%s %s", sentence(err), partitionForms))
		return nil
	}
	return &setting[definition.Partition]{value: p, rng: a.Expr.Range()}
}

func sentence(err error) string {
	s := upperFirst(err.Error())
	if !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

var errPartitionList = errors.New("it must be a list")

// partitionCalls reads a list of calls on bare columns, which are no values, or
// of anything that evaluates to the same as text. It reports false when there is
// no value or a mistake is diagnosed already.
func (l *loader) partitionCalls(expr hcl.Expression) ([]partitionCall, bool, error) {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return l.partitionCalls(e.Expression)
	case *hclsyntax.ConditionalExpr:
		return l.partitionChoice(e)
	case *hclsyntax.FunctionCallExpr:
		if _, ok, _ := parsePartitionCall(e); ok {
			return nil, false, errPartitionList
		}
	case *hclsyntax.TupleConsExpr:
		var out []partitionCall
		for _, elem := range e.Exprs {
			c, ok, err := l.partitionElem(elem)
			if err != nil || !ok {
				return nil, false, err
			}
			out = append(out, c)
		}
		return out, true, nil
	}
	return l.partitionValue(expr)
}

// partitionElem reads one member of a list that is written out.
func (l *loader) partitionElem(elem hclsyntax.Expression) (partitionCall, bool, error) {
	c, ok, err := parsePartitionCall(elem)
	if ok || err != nil {
		return c, ok, err
	}
	if t, diags := hcl.AbsTraversalForExpr(elem); !diags.HasErrors() && len(t) == 1 {
		return c, false, errNotACall // a bare column
	}
	v, ok := l.eval(elem)
	if !ok {
		return c, false, nil
	}
	c, err = partitionText(v)
	return c, true, err
}

// partitionValue reads a value that is a list of levels as text.
func (l *loader) partitionValue(expr hcl.Expression) ([]partitionCall, bool, error) {
	v, ok := l.eval(expr)
	if !ok || v.IsNull() {
		return nil, false, nil
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		return nil, false, errPartitionList
	}
	var out []partitionCall
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		c, err := partitionText(e)
		if err != nil {
			return nil, false, err
		}
		out = append(out, c)
	}
	return out, true, nil
}

// partitionChoice reads the branch of a conditional that holds.
func (l *loader) partitionChoice(e *hclsyntax.ConditionalExpr) ([]partitionCall, bool, error) {
	cond, ok := l.eval(e.Condition)
	if !ok {
		return nil, false, nil
	}
	if cond.Type() != cty.Bool || cond.IsNull() {
		l.add(errorAt(e.Condition.Range(), "Wrong type", "A condition must be true or false."))
		return nil, false, nil
	}
	if cond.True() {
		return l.partitionCalls(e.TrueResult)
	}
	return l.partitionCalls(e.FalseResult)
}

// partitionText reads a level that came as text, "year(time)".
func partitionText(v cty.Value) (partitionCall, error) {
	if v.Type() != cty.String || v.IsNull() {
		return partitionCall{}, errNotACall
	}
	expr, diags := hclsyntax.ParseExpression([]byte(v.AsString()), "", hcl.InitialPos)
	if diags.HasErrors() {
		if m := looseCall.FindStringSubmatch(v.AsString()); m != nil {
			return partitionCall{}, quoteColumn(m[1], m[2])
		}
		return partitionCall{}, errNotACall
	}
	c, ok, err := parsePartitionCall(expr)
	if err == nil && !ok {
		err = fmt.Errorf("%q is no level: %w", v.AsString(), errNotACall)
	}
	return c, err
}
