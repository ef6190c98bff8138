package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// local is one local value.
type local struct {
	attr  *hcl.Attribute
	state localState
}

type localState uint8

const (
	localUntouched localState = iota
	localOpen                 // being evaluated: to meet it again is a cycle
	localDone
)

func (l *loader) declareLocals(b *hcl.Block) {
	attrs, diags := b.Body.JustAttributes()
	l.add(diags...)
	for _, name := range sortedKeys(attrs) {
		a := attrs[name]
		if old := l.locals[name]; old != nil {
			l.add(errorAt(a.NameRange, "Duplicate local value", "The local value %q was already declared at %s.", name, place(old.attr.NameRange)))
			continue
		}
		l.locals[name] = &local{attr: a}
	}
}

// setLocals evaluates the local values, each after those that it refers to.
func (l *loader) setLocals() {
	vals := map[string]cty.Value{}
	for _, name := range sortedKeys(l.locals) {
		l.setLocal(name, nil, vals)
	}
}

func (l *loader) setLocal(name string, path []string, vals map[string]cty.Value) {
	loc := l.locals[name]
	path = append(path, "local."+name)
	switch loc.state {
	case localDone:
		return
	case localOpen:
		first := 0
		for path[first] != "local."+name {
			first++
		}
		l.add(errorAt(loc.attr.Range, "Cycle of local values", "%s refers to itself: %s. One of them must do without the others.",
			path[first], strings.Join(path[first:], " -> ")))
		return
	}
	loc.state = localOpen
	for _, t := range loc.attr.Expr.Variables() {
		if next, ok := member(t, 1); ok && t.RootName() == "local" && l.locals[next] != nil {
			l.setLocal(next, path, vals)
		}
	}
	loc.state = localDone
	vals[name] = l.localValue(loc, vals)
	l.ctx.Variables["local"] = cty.ObjectVal(vals)
}

// localValue evaluates one local value. A wrong one, or one in a cycle, is
// unknown, so that what uses it causes no further diagnostics.
func (l *loader) localValue(loc *local, vals map[string]cty.Value) cty.Value {
	for _, t := range loc.attr.Expr.Variables() {
		if name, ok := member(t, 1); ok && t.RootName() == "local" && l.locals[name] != nil {
			if _, ok := vals[name]; !ok {
				return cty.DynamicVal
			}
		}
	}
	if !l.knownNames(loc.attr.Expr) {
		return cty.DynamicVal
	}
	v, diags := l.evaluate(loc.attr.Expr)
	l.add(l.hide(diags, loc.attr.Expr, false)...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}
