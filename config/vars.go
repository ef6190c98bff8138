package config

import (
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// EnvPrefix begins the names of environment variables that set variables.
const EnvPrefix = "RECONCILE_VAR_"

// variable is a declared variable. A null or absent value becomes the default.
type variable struct {
	name        string
	rng         hcl.Range
	typ         cty.Type
	typed       bool
	defaults    *typeexpr.Defaults
	def         *cty.Value
	sensitive   bool
	nullable    bool
	validations []validation
	ok          bool // has a value that later steps can judge
}

type validation struct {
	condition, message hcl.Expression
}

func (l *loader) declareVariable(b *hcl.Block) {
	name := b.Labels[0]
	if !l.name(b, 0) {
		return
	}
	if old := l.vars[name]; old != nil {
		l.add(errorAt(b.DefRange, "Duplicate variable", "The variable %q was already declared at %s.", name, place(old.rng)))
		return
	}
	v := &variable{name: name, rng: b.DefRange, typ: cty.DynamicPseudoType, nullable: true}
	l.vars[name] = v
	c := l.content(b, schema{
		optional: []string{"type", "default", "description", "sensitive", "nullable"},
		blocks:   []hcl.BlockHeaderSchema{{Type: "validation"}},
	})
	v.sensitive = l.literalBool(c.Attributes["sensitive"], false)
	v.nullable = l.literalBool(c.Attributes["nullable"], true)
	l.literal(c.Attributes["description"], cty.String)
	if a := c.Attributes["type"]; a != nil {
		t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		l.add(diags...)
		if !diags.HasErrors() {
			v.typ, v.defaults, v.typed = t, defaults, true
		}
	}
	l.setDefault(v, c.Attributes["default"])
	for _, n := range c.Blocks {
		vc := l.content(n, schema{required: []string{"condition", "error_message"}})
		if cond, msg := vc.Attributes["condition"], vc.Attributes["error_message"]; cond != nil && msg != nil {
			v.validations = append(v.validations, validation{cond.Expr, msg.Expr})
		}
	}
}

// setDefault evaluates a default, in which functions can be called but nothing
// can be referred to.
func (l *loader) setDefault(v *variable, a *hcl.Attribute) {
	if a == nil {
		return
	}
	if v.sensitive {
		l.blanks = append(l.blanks, a.Expr.Range())
	}
	ctx := &hcl.EvalContext{Functions: functions(l.dir, l.opts.Env)}
	val, diags := a.Expr.Value(ctx)
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
		if v.sensitive && !harmless(d.Summary) {
			d.Detail = hiddenDetail
		}
	}
	l.add(diags...)
	if diags.HasErrors() {
		val = cty.UnknownVal(v.typ)
	}
	val, ok := l.convertVariable(v, val, a.Expr.Range().Ptr())
	if ok && val.IsNull() && !v.nullable {
		l.add(errorAt(a.Expr.Range(), "Invalid default", "The variable %q is not nullable, so its default must not be null.", v.name))
		ok = false
	}
	if !ok {
		val = cty.UnknownVal(v.typ)
	}
	v.def = &val
}

// literal evaluates an attribute that is needed before anything is declared.
func (l *loader) literal(a *hcl.Attribute, want cty.Type) (cty.Value, bool) {
	if a == nil {
		return cty.DynamicVal, false
	}
	v, diags := a.Expr.Value(nil)
	l.add(diags...)
	if diags.HasErrors() || v.IsNull() {
		return cty.DynamicVal, false
	}
	out, err := convert.Convert(v, want)
	if err != nil {
		l.add(wrongType(a, want, v.Type()))
		return cty.DynamicVal, false
	}
	return out, true
}

func (l *loader) literalBool(a *hcl.Attribute, otherwise bool) bool {
	if v, ok := l.literal(a, cty.Bool); ok {
		return v.True()
	}
	return otherwise
}

// convertVariable gives a value the variable's type.
func (l *loader) convertVariable(v *variable, val cty.Value, at *hcl.Range) (cty.Value, bool) {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	if err == nil {
		return out, true
	}
	reason := err.Error()
	if v.sensitive || val.ContainsMarked() {
		reason = "it cannot be converted"
	}
	d := errorPlain("Wrong type of a variable", "The variable %q is declared as %s, and the value does not fit: %s.", v.name, v.typ.FriendlyNameForConstraint(), reason)
	d.Subject = at
	l.add(d)
	return cty.DynamicVal, false
}

// given is the value of a variable as one of the ways to set it gives it. A bad
// value is unknown, so that it does not cause further diagnostics.
type given map[string]cty.Value

// setVariables finds the value of every variable, the later ways winning: the
// environment, *.auto.hclvars by name, then the command line in its order.
func (l *loader) setVariables(autos []source) {
	values := given{}
	for _, name := range sortedKeys(l.vars) {
		text, ok := l.opts.Env(EnvPrefix + name)
		if text == "" && l.vars[name].sensitive && l.opts.AllowMissingKeys {
			continue // as systems give secrets to those who may not have them
		}
		if ok {
			values[name] = l.textValue(l.vars[name], text, "environment variable "+EnvPrefix+name)
		}
	}
	for _, f := range autos {
		l.readVarFile(f, values, nil)
	}
	for _, in := range l.opts.Inputs {
		if in.File != "" {
			b, err := os.ReadFile(in.File)
			if err != nil {
				l.add(errorPlain("Unreadable variable file", "The file of -var-file cannot be read: %s.", err))
				continue
			}
			l.readVarFile(source{in.File, b}, values, l.notePlain)
			continue
		}
		v := l.vars[in.Name]
		if v == nil {
			if !l.broken {
				l.add(errorPlain("Unknown variable", "-var sets %q, but no variable of that name is declared.%s", in.Name, didYouMean(in.Name, sortedKeys(l.vars))))
			}
			continue
		}
		l.notePlain(v, in)
		if in.IsExpression {
			values[in.Name] = l.expressionValue(v, in.Value, "-var "+in.Name)
			continue
		}
		values[in.Name] = l.textValue(v, in.Value, "-var "+in.Name)
	}
	vals := map[string]cty.Value{}
	for _, name := range sortedKeys(l.vars) {
		vals[name] = l.finalValue(l.vars[name], values)
	}
	l.ctx.Variables["var"] = cty.ObjectVal(vals)
}

// notePlain notes a value that the command line gives, if it may be kept.
func (l *loader) notePlain(v *variable, in Input) {
	if !v.sensitive {
		l.cfg.PlainInputs = append(l.cfg.PlainInputs, in)
	}
}

// textValue reads a value that came as bare text: primitive types take it as it
// is, others as an expression.
func (l *loader) textValue(v *variable, text, from string) cty.Value {
	if !v.typed || v.typ.IsPrimitiveType() {
		val, ok := l.convertVariable(v, cty.StringVal(text), nil)
		if !ok {
			d := l.diags[len(l.diags)-1]
			d.Detail = "In " + from + ": " + d.Detail
			return cty.UnknownVal(v.typ)
		}
		return val
	}
	return l.expressionValue(v, text, from)
}

// expressionValue reads a value that came as the text of an expression.
func (l *loader) expressionValue(v *variable, text, from string) cty.Value {
	name := "<" + from + ">"
	if !v.sensitive {
		l.src[name] = &hcl.File{Bytes: []byte(text)}
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), name, hcl.InitialPos)
	if !diags.HasErrors() {
		return l.inputValue(v, expr)
	}
	if v.sensitive {
		hideSyntax(diags)
	}
	l.add(diags...)
	return cty.UnknownVal(v.typ)
}

// hideSyntax takes the details out of diagnostics of a parser, which can quote
// what they stumble over.
func hideSyntax(diags hcl.Diagnostics) {
	for _, d := range diags {
		d.Detail = hiddenSyntax
	}
}

// inputValue evaluates an expression of a variable file or the command line, in
// which nothing can be referred to or called.
func (l *loader) inputValue(v *variable, expr hcl.Expression) cty.Value {
	val, diags := expr.Value(nil)
	l.add(hideInput(diags, v.sensitive)...)
	if diags.HasErrors() {
		return cty.UnknownVal(v.typ)
	}
	val, ok := l.convertVariable(v, val, expr.Range().Ptr())
	if !ok {
		return cty.UnknownVal(v.typ)
	}
	return val
}

func hideInput(diags hcl.Diagnostics, secret bool) hcl.Diagnostics {
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
		if secret && !harmless(d.Summary) {
			d.Detail = hiddenDetail
		}
	}
	return diags
}

// readVarFile reads the values of a file. note, if there is one, gets each of them.
func (l *loader) readVarFile(f source, values given, note func(*variable, Input)) {
	file, diags := hclsyntax.ParseConfig(f.text, f.name, hcl.InitialPos)
	if file == nil {
		file = &hcl.File{Bytes: f.text}
	}
	l.src[f.name] = file
	if diags.HasErrors() {
		if l.anySensitive() {
			l.blanks = append(l.blanks, assignedLines(f)...)
			hideSyntax(diags)
		}
		l.add(diags...)
		return
	}
	attrs, diags := file.Body.JustAttributes()
	l.add(diags...)
	for _, name := range sortedKeys(attrs) {
		a, v := attrs[name], l.vars[name]
		if v != nil && v.sensitive || v == nil && l.anySensitive() {
			l.blanks = append(l.blanks, a.Expr.Range())
		}
		switch {
		case v != nil:
			values[name] = l.inputValue(v, a.Expr)
			if note != nil {
				note(v, Input{Name: name, Value: string(a.Expr.Range().SliceBytes(f.text)), IsExpression: true})
			}
		case !l.broken:
			l.add(warnAt(a.NameRange, "Unknown variable", "No variable named %q is declared; the value is not used.%s", name, didYouMean(name, sortedKeys(l.vars))))
		}
	}
}

// anySensitive reports whether values of variable files may be secret: when one
// variable is, or when some declarations could not be read.
func (l *loader) anySensitive() bool {
	for _, v := range l.vars {
		if v.sensitive {
			return true
		}
	}
	return l.broken
}

// finalValue chooses between the given value and the default, and marks it.
func (l *loader) finalValue(v *variable, values given) cty.Value {
	val, set := values[v.name]
	switch {
	case set && (v.nullable || !val.IsKnown() || !val.IsNull()):
	case v.def != nil:
		val = *v.def
	case l.opts.AllowMissingVars:
		l.missing = true
		return cty.UnknownVal(v.typ)
	case l.opts.AllowMissingKeys && v.sensitive && !set:
		l.unset = append(l.unset, v)
		return cty.UnknownVal(v.typ).Mark(sensitive)
	default:
		what := "has no default and no value"
		if set {
			what = "is not nullable and was given null"
		}
		l.add(withoutValue(v, what))
		return cty.UnknownVal(v.typ)
	}
	v.ok = val.IsWhollyKnown()
	if v.sensitive {
		val = val.Mark(sensitive)
	}
	return val
}

func withoutValue(v *variable, what string) *hcl.Diagnostic {
	return errorAt(v.rng, "Variable without a value", "The variable %q %s. Set it with -var '%s=...', in a file for -var-file or named *%s, or with the environment variable %s%s.",
		v.name, what, v.name, autoVarExt, EnvPrefix, v.name)
}

// checkUnset refuses a sensitive variable without a value where more than keys of masks
// depends on it, as by nonsensitive(): what is unknown then is the configuration itself.
func (l *loader) checkUnset() {
	for _, v := range l.unset {
		if l.needed {
			l.add(withoutValue(v, "has no default and no value, and more than keys depends on a sensitive variable"))
		}
		l.cfg.Unset = append(l.cfg.Unset, v.name)
	}
}

// validateVariables checks the conditions, which can refer to anything.
func (l *loader) validateVariables() {
	for _, name := range sortedKeys(l.vars) {
		v := l.vars[name]
		for _, c := range v.validations {
			if v.ok {
				l.validate(v, c)
			}
		}
	}
}

func (l *loader) validate(v *variable, c validation) {
	cond, ok := l.raw(c.condition, v.sensitive)
	if !ok {
		return
	}
	cond, _ = cond.UnmarkDeep()
	cond, err := convert.Convert(cond, cty.Bool)
	if err != nil || cond.IsNull() {
		l.add(errorAt(c.condition.Range(), "Wrong type", "A condition must be true or false."))
		return
	}
	if cond.True() {
		return
	}
	val, ok := l.raw(c.message, v.sensitive)
	if !ok {
		return
	}
	text := "The value does not meet the condition. (The message would show a sensitive value, so it is left out.)"
	if !val.ContainsMarked() {
		s, err := convert.Convert(val, cty.String)
		if err != nil || s.IsNull() {
			l.add(errorAt(c.message.Range(), "Wrong type", "An error_message must be text."))
			return
		}
		text = strings.TrimSpace(s.AsString())
	}
	l.add(errorAt(c.condition.Range(), "Invalid value of a variable", "The variable %q: %s", v.name, text))
}
