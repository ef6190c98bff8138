package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/near"
)

const partitionForms = "partition_by is [], [date(c)], or a nesting that begins with the year: [year(c)], [year(c), month(c)], " +
	"[year(c), month(c), day(c)] or [year(c), month(c), day(c), hour(c)], where c is one timestamp or date column."

// canonicalPartition returns the canonical text, "year(time), month(time)" or "date(time)",
// with the column in lower case; "" without partitions. A column that differs by case
// from a key or a timestamp has the name that it gets.
func canonicalPartition(p definition.Partition) string {
	name := feed.Fold(p.Column)
	if !feed.IsExact(p.Column) && feed.IsExact(feed.Plain(p.Column)) {
		name += "_"
	}
	if !hclsyntax.ValidIdentifier(name) {
		name = quoteTemplate(name)
	}
	var parts []string
	for _, level := range p.Levels() {
		parts = append(parts, level+"("+name+")")
	}
	return strings.Join(parts, ", ")
}

// quoteTemplate writes a text as the configuration language quotes it. Signs
// that would end the text or open a template become escapes.
func quoteTemplate(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' || r == '$' || r == '%' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

// partitionCall is one level as it is written, year(time).
type partitionCall struct{ level, column string }

var errNotACall = errors.New("a level is written as a call on a column, as in year(time)")

// parsePartitionCall reads year(time) or year("time"). It reports false for what
// is no call at all and may be an expression that gives one as text.
func parsePartitionCall(expr hcl.Expression) (partitionCall, bool, error) {
	call, ok := expr.(*hclsyntax.FunctionCallExpr)
	levels := []string{"year", "month", "day", "hour", "date"}
	if !ok {
		return partitionCall{}, false, nil
	}
	if !slices.Contains(levels, call.Name) {
		if name := near.Name(call.Name, levels); name != "" {
			return partitionCall{}, true, fmt.Errorf("there is no level %q. Did you mean %q?", call.Name, name)
		}
		if namesColumn(call) {
			return partitionCall{}, true, fmt.Errorf("there is no level %q: the levels are %s", call.Name, quoted(levels, "and"))
		}
		return partitionCall{}, false, nil
	}
	if len(call.Args) != 1 || call.ExpandFinal {
		inUTC := ""
		if len(call.Args) > 1 {
			inUTC = ", and goes by UTC"
		}
		return partitionCall{}, true, fmt.Errorf("the level %s() takes one column%s", call.Name, inUTC)
	}
	if t, diags := hcl.AbsTraversalForExpr(call.Args[0]); !diags.HasErrors() && len(t) == 1 {
		return partitionCall{call.Name, t.RootName()}, true, nil
	}
	if v, diags := call.Args[0].Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsWhollyKnown() && !v.IsNull() && v.AsString() != "" {
		return partitionCall{call.Name, v.AsString()}, true, nil
	}
	if name := dotted(call.Args[0]); name != "" {
		return partitionCall{}, true, quoteColumn(call.Name, name)
	}
	return partitionCall{}, true, fmt.Errorf("the level %s() takes the name of a column: %s(time), or %s(\"purchase date\") for one with other signs than letters, digits, \"-\" and \"_\"", call.Name, call.Name, call.Name)
}

// namesColumn reports whether a call has the bare name of a column, and so is meant as a
// level, as bucket(16, user_id) is.
func namesColumn(call *hclsyntax.FunctionCallExpr) bool {
	return slices.ContainsFunc(call.Args, func(arg hclsyntax.Expression) bool {
		t, diags := hcl.AbsTraversalForExpr(arg)
		return !diags.HasErrors() && len(t) == 1
	})
}

// dotted is the name of a column with dots that stands without quotes, as purchase.date;
// empty if that is not what an expression is.
func dotted(expr hcl.Expression) string {
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() {
		return ""
	}
	name := t.RootName()
	for _, step := range t[1:] {
		a, ok := step.(hcl.TraverseAttr)
		if !ok {
			return ""
		}
		name += "." + a.Name
	}
	return name
}

// quoteColumn is the mistake of a column that stands without quotes.
func quoteColumn(level, column string) error {
	return fmt.Errorf("a column whose name has other signs than letters, digits, \"-\" and \"_\", or begins with a digit, is written in quotes: [%s(%s)]", level, quoteTemplate(column))
}

// looseCall is a level around anything, in text.
var looseCall = regexp.MustCompile(`^\s*(year|month|day|hour|date)\s*\(\s*([^"()]+?)\s*\)\s*$`)

// nestPartition turns levels into a partitioning, if they nest as they should.
func nestPartition(calls []partitionCall) (definition.Partition, error) {
	if len(calls) == 0 {
		return definition.Partition{}, nil
	}
	p := definition.Partition{Column: calls[0].column, Unit: definition.Unit(len(calls))}
	if len(calls) == 1 && calls[0].level == "date" {
		p.Unit = definition.UnitDate
	}
	if len(calls) > int(definition.UnitHour) {
		return definition.Partition{}, errors.New("there are too many levels")
	}
	levels := p.Levels()
	for i, c := range calls {
		if c.level != levels[i] {
			return definition.Partition{}, fmt.Errorf("the level %s() stands where %s() is expected", c.level, levels[i])
		}
		if feed.Key(c.column) != feed.Key(p.Column) {
			return definition.Partition{}, fmt.Errorf("the levels are of two columns, %q and %q", p.Column, c.column)
		}
	}
	return p, nil
}

// ParsePartition reads the canonical text of a partitioning, as tables have it.
func ParsePartition(text string) (definition.Partition, error) {
	expr, diags := hclsyntax.ParseExpression([]byte("["+text+"]"), "", hcl.InitialPos)
	list, ok := expr.(*hclsyntax.TupleConsExpr)
	if diags.HasErrors() || !ok {
		return definition.Partition{}, fmt.Errorf("%q is no partitioning", text)
	}
	var calls []partitionCall
	for _, e := range list.Exprs {
		c, ok, err := parsePartitionCall(e)
		if err != nil || !ok {
			return definition.Partition{}, errors.Join(fmt.Errorf("%q is no partitioning", text), err)
		}
		calls = append(calls, c)
	}
	return nestPartition(calls)
}
