package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"reconcile/internal/definition"
)

// setting is the value of an attribute and where it stands. A nil setting is an
// attribute that is absent, null or wrong.
type setting[T any] struct {
	value T
	rng   hcl.Range
	wrong bool // there is an attribute but no value, which is diagnosed already
}

// attempt reads an attribute and remembers when that failed, so that what
// depends on it is not diagnosed too.
func attempt[T any](l *loader, a *hcl.Attribute, read func(*hcl.Attribute) *setting[T]) *setting[T] {
	before := len(l.diags)
	s := read(a)
	if s == nil && a != nil && (len(l.diags) > before || l.unsure(a.Expr)) {
		return &setting[T]{rng: a.Expr.Range(), wrong: true}
	}
	return s
}

func (l *loader) newContext() *hcl.EvalContext {
	return &hcl.EvalContext{
		Functions: functions(l.dir, l.opts.Env),
		Variables: map[string]cty.Value{
			"var": cty.EmptyObjectVal, "local": cty.EmptyObjectVal,
			"sink": l.sinkValues(), "mask": l.maskValues(),
		},
	}
}

// raw evaluates an expression and keeps its marks. It reports false when the
// value is wrong, which then is diagnosed, or unknown, because something else
// was. secret says that the place is one for secrets.
func (l *loader) raw(expr hcl.Expression, secret bool) (cty.Value, bool) {
	if !l.knownNames(expr) {
		return cty.DynamicVal, false
	}
	v, diags := l.evaluate(expr)
	l.add(l.hide(diags, expr, secret)...)
	return v, !diags.HasErrors() && v.IsWhollyKnown()
}

// eval is raw for places that are shown and stored: what is sensitive is
// refused, other marks are taken off.
func (l *loader) eval(expr hcl.Expression) (cty.Value, bool) {
	before := len(l.diags)
	v, ok := l.raw(expr, false)
	l.needed = l.needed || !ok && len(l.diags) == before
	if len(l.diags) == before && v.HasMarkDeep(sensitive) {
		l.add(errorAt(expr.Range(), "Sensitive value in a public place",
			"The value comes from a sensitive variable, but what stands here is shown in plans and stored in the state. Only the key of a mask, and webhook and headers of a notify block, may be sensitive; nonsensitive(...) declares that a value is no secret."))
		ok = false
	}
	v, marks := v.UnmarkDeep()
	if marks.Has(private) {
		l.remember(v)
	}
	return v, ok
}

// evaluate gives an expression its value. Where a function is unknown, and no other one is
// near, all are named.
func (l *loader) evaluate(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(l.ctx)
	for _, d := range diags {
		if d.Summary == "Unsupported attribute" && d.Subject != nil && !strings.Contains(d.Detail, "Did you mean") {
			d.Detail += l.nearAttribute(expr, *d.Subject)
		}
		if d.Summary == "Call to unknown function" && !strings.Contains(d.Detail, "Did you mean") {
			d.Detail += " There are " + strings.Join(sortedKeys(l.ctx.Functions), ", ") + "."
		}
	}
	return v, diags
}

// nearAttribute suggests an attribute of an object for one that it does not have, at a place
// in an expression.
func (l *loader) nearAttribute(expr hcl.Expression, at hcl.Range) string {
	for _, t := range expr.Variables() {
		for i := 2; i < len(t); i++ {
			step, ok := t[i].(hcl.TraverseAttr)
			if !ok || !step.SrcRange.Overlaps(at) {
				continue
			}
			of, diags := t[:i].TraverseAbs(l.ctx)
			if !diags.HasErrors() && of.Type().IsObjectType() && !of.Type().HasAttribute(step.Name) {
				return didYouMean(step.Name, sortedKeys(of.Type().AttributeTypes()))
			}
		}
	}
	return ""
}

// knownNames diagnoses references to what is not declared.
func (l *loader) knownNames(expr hcl.Expression) bool {
	ok := true
	for _, t := range expr.Variables() {
		if d := l.unknownName(t); d != nil {
			ok = false
			if !l.broken {
				l.add(d)
			}
		}
	}
	return ok
}

func (l *loader) unknownName(t hcl.Traversal) *hcl.Diagnostic {
	rng, root := t.SourceRange(), t.RootName()
	switch root {
	case "var":
		return unknownMember(t, "variable", sortedKeys(l.vars))
	case "local":
		return unknownMember(t, "local value", sortedKeys(l.locals))
	case "mask":
		return unknownMember(t, "mask", l.maskNames())
	case "sink":
		return l.unknownSink(t)
	case "table", "column", "source":
		return errorAt(rng, "Unknown name", "A %s is not referred to by name. Where its name or its folder is asked for, write it as text, in quotes.", root)
	}
	hint := didYouMean(root, []string{"var", "local", "sink", "mask"})
	if hint == "" && len(t) == 1 {
		hint = fmt.Sprintf(" If it is meant as text, write it in quotes: %q.", root)
	}
	return errorAt(rng, "Unknown name", "There is nothing named %q; values begin with var., local., sink. or mask.%s", root, hint)
}

func unknownMember(t hcl.Traversal, kind string, known []string) *hcl.Diagnostic {
	name, ok := member(t, 1)
	if !ok {
		return errorAt(t.SourceRange(), "Incomplete name", "%q must be followed by the name of a %s, as in %s.example.", t.RootName(), kind, t.RootName())
	}
	if slices.Contains(known, name) {
		return nil
	}
	return errorAt(t.SourceRange(), "Unknown "+kind, "No %s named %q is declared.%s", kind, name, didYouMean(name, known))
}

func (l *loader) unknownSink(t hcl.Traversal) *hcl.Diagnostic {
	kind, ok1 := member(t, 1)
	name, ok2 := member(t, 2)
	known := make([]string, 0, len(l.sinks))
	for _, s := range l.sinks {
		known = append(known, s.sink.Address())
	}
	if !ok1 || !ok2 {
		return errorAt(t.SourceRange(), "Incomplete name", "A sink is named by its kind and its label, as in sink.parquet.lake.")
	}
	address := (&definition.Sink{Kind: kind, Label: name}).Address()
	if slices.Contains(known, address) {
		return nil
	}
	hint := didYouMean(address, known)
	if hint == "" && len(known) > 0 {
		hint = fmt.Sprintf(" Declared are %s.", strings.Join(known, ", "))
	}
	return errorAt(t.SourceRange(), "Unknown sink", "No sink %s is declared.%s", address, hint)
}

// member returns the i-th step of a traversal, .name or ["name"].
func member(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// get evaluates an attribute as the type want. It reports false for an attribute
// that is absent or null as well as for a wrong one.
func (l *loader) get(a *hcl.Attribute, want cty.Type) (cty.Value, bool) {
	if a == nil {
		return cty.DynamicVal, false
	}
	v, ok := l.eval(a.Expr)
	if !ok || v.IsNull() {
		return cty.DynamicVal, false
	}
	out, err := convert.Convert(v, want)
	if err != nil || out.IsNull() || hasNull(out) {
		l.add(wrongType(a, want, v.Type()))
		return cty.DynamicVal, false
	}
	return out, true
}

func hasNull(v cty.Value) bool {
	if !v.CanIterateElements() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); e.IsNull() {
			return true
		}
	}
	return false
}

func wrongType(a *hcl.Attribute, want, got cty.Type) *hcl.Diagnostic {
	what := map[cty.Type]string{cty.String: "text", cty.Bool: "true or false", cty.Number: "a number"}[want]
	if what == "" {
		what = "a list of texts without nulls"
	}
	return errorAt(a.Expr.Range(), "Wrong type", "%q must be %s, not %s.", a.Name, what, got.FriendlyName())
}

// str reads text. With required, null is a mistake; that the attribute is there
// at all is up to the schema.
func (l *loader) str(a *hcl.Attribute, required bool) *setting[string] {
	n := len(l.diags)
	v, ok := l.get(a, cty.String)
	if ok && (v.AsString() != "" || !required) {
		return &setting[string]{value: v.AsString(), rng: a.Expr.Range()}
	}
	if a != nil && required && len(l.diags) == n && !l.unsure(a.Expr) {
		l.add(errorAt(a.Expr.Range(), "Missing value", "%q must not be empty or null.", a.Name))
	}
	return nil
}

// set reads text that may be left out, which null does too, and may not be
// empty.
func (l *loader) set(a *hcl.Attribute) *setting[string] {
	if a == nil {
		return nil
	}
	if v, diags := a.Expr.Value(l.ctx); !diags.HasErrors() && v.IsKnown() && v.IsNull() {
		return nil
	}
	return l.str(a, true)
}

// unsure reports whether the expression's value is unknown or wrong.
func (l *loader) unsure(expr hcl.Expression) bool {
	v, diags := expr.Value(l.ctx)
	return diags.HasErrors() || !v.IsWhollyKnown()
}

func (l *loader) boolean(a *hcl.Attribute) *setting[bool] {
	if v, ok := l.get(a, cty.Bool); ok {
		return &setting[bool]{value: v.True(), rng: a.Expr.Range()}
	}
	return nil
}

// oneOf reads text that must be one of a few words.
func (l *loader) oneOf(a *hcl.Attribute, words ...string) *setting[string] {
	s := l.str(a, false)
	if s == nil || slices.Contains(words, s.value) {
		return s
	}
	l.add(errorAt(s.rng, "Unknown value of "+a.Name, "%q must be %s, not %q.%s",
		a.Name, quoted(words, "or"), s.value, didYouMean(s.value, words)))
	return nil
}

// strs reads a list of texts, each with its place.
func (l *loader) strs(a *hcl.Attribute) *setting[[]setting[string]] {
	v, ok := l.get(a, cty.List(cty.String))
	if !ok {
		return nil
	}
	out := &setting[[]setting[string]]{rng: a.Expr.Range()}
	var elems []hcl.Expression
	if t, ok := a.Expr.(*hclsyntax.TupleConsExpr); ok && len(t.Exprs) == v.LengthInt() {
		elems = t.ExprList()
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		s := setting[string]{value: e.AsString(), rng: out.rng}
		if elems != nil {
			s.rng = elems[len(out.value)].Range()
		}
		out.value = append(out.value, s)
	}
	return out
}

// content reads the attributes and blocks of a body by name. A later attribute
// or block is one that only a later version knows.
func (l *loader) content(b *hcl.Block, s schema) *hcl.BodyContent {
	hs := &hcl.BodySchema{Blocks: slices.Clone(s.blocks)}
	for _, name := range s.required {
		hs.Attributes = append(hs.Attributes, hcl.AttributeSchema{Name: name, Required: true})
	}
	for _, name := range slices.Concat(s.optional, s.later) {
		hs.Attributes = append(hs.Attributes, hcl.AttributeSchema{Name: name})
	}
	for _, name := range s.laterBlocks {
		hs.Blocks = append(hs.Blocks, hcl.BlockHeaderSchema{Type: name})
	}
	content, diags := l.withoutLater(b.Body, s.laterBlocks).Content(hs)
	l.add(l.answerHabits(diags)...)
	for _, name := range s.later {
		if a := content.Attributes[name]; a != nil {
			l.add(notYet(a.NameRange, fmt.Sprintf("argument %q here", name), ""))
		}
	}
	return content
}

// withoutLater diagnoses blocks that only a later version knows, whatever their
// labels, and returns the body without them.
func (l *loader) withoutLater(body hcl.Body, later []string) hcl.Body {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return body
	}
	c := *b
	c.Blocks = nil
	for _, n := range b.Blocks {
		if slices.Contains(later, n.Type) {
			l.add(notYet(n.DefRange(), fmt.Sprintf("%q blocks", n.Type), laterBlocks()[n.Type]))
		} else {
			c.Blocks = append(c.Blocks, n)
		}
	}
	return &c
}

// schema says what a block can hold.
type schema struct {
	required, optional, later []string
	blocks                    []hcl.BlockHeaderSchema
	laterBlocks               []string
}

// only returns the first of blocks of which there can be one, and diagnoses the
// others.
func (l *loader) only(blocks hcl.Blocks, what string) *hcl.Block {
	for i, b := range blocks {
		if i > 0 {
			l.add(errorAt(b.DefRange, "Duplicate "+what, "There can be only one %s; another stands at %s. Keep one of them.", what, place(blocks[0].DefRange)))
		}
	}
	if len(blocks) == 0 {
		return nil
	}
	return blocks[0]
}

// name checks a label that expressions refer to.
func (l *loader) name(b *hcl.Block, i int) bool {
	if hclsyntax.ValidIdentifier(b.Labels[i]) {
		return true
	}
	l.add(errorAt(b.LabelRanges[i], "Invalid name", "%q cannot be referred to. A name is a letter, then letters, digits, \"_\" or \"-\".", b.Labels[i]))
	return false
}
