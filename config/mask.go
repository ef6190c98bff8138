package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// maskBlock is a declared mask. It exists before its attributes are read, so
// that expressions can refer to it.
type maskBlock struct {
	name   string
	tables []glob.Pattern    // folded
	mask   definition.Mask   // what tables know of it
	listed []setting[string] // the columns as they are written
	// tablesListed are the tables as they are written, none by default.
	tablesListed []setting[string]
	columnsAt    hcl.Range // of the list of columns
	optional     bool      // may meet nothing
	key          Secret
	scoped       bool // has columns of its own
	used         bool // a column refers to it
	block        *hcl.Block
	rng          hcl.Range
}

func (l *loader) declareMask(b *hcl.Block) {
	l.blankMaskKey(b.Body)
	if !l.name(b, 0) {
		return
	}
	for _, old := range l.masks {
		if old.name == b.Labels[0] {
			l.add(errorAt(b.DefRange, "Duplicate mask", "The mask %q was already declared at %s.", old.name, place(old.rng)))
			return
		}
	}
	m := &maskBlock{name: b.Labels[0], block: b, rng: b.DefRange}
	l.masks = append(l.masks, m)
}

// blankMaskKey hides in snippets whatever may be meant as the key: a misspelt name
// must not show it.
func (l *loader) blankMaskKey(body hcl.Body) {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for name, a := range b.Attributes {
		switch name {
		case "method", "tables", "columns", "optional":
		default:
			l.blankLiterals(a.Expr)
		}
	}
}

// maskValues is the value of "mask" in expressions.
func (l *loader) maskValues() cty.Value {
	vals := map[string]cty.Value{}
	for _, m := range l.masks {
		vals[m.name] = cty.CapsuleVal(maskType, m)
	}
	return cty.ObjectVal(vals)
}

func (l *loader) maskNames() []string {
	names := make([]string, len(l.masks))
	for i, m := range l.masks {
		names[i] = m.name
	}
	return names
}

func (l *loader) loadMasks() {
	for _, m := range l.masks {
		l.loadMask(m)
		m.mask.Prepare()
		l.cfg.masks = append(l.cfg.masks, m)
	}
}

func (l *loader) loadMask(m *maskBlock) {
	c := l.content(m.block, schema{required: []string{"method"}, optional: []string{"tables", "columns", "key", "optional"}})
	if s := l.boolean(c.Attributes["optional"]); s != nil {
		m.optional = s.value
	}
	if s := l.oneOf(c.Attributes["method"], string(definition.MaskHMAC), string(definition.MaskNull), string(definition.MaskDrop)); s != nil {
		m.mask.Method = definition.MaskMethod(s.value)
	}
	if a := c.Attributes["tables"]; a != nil {
		m.tables, m.tablesListed = l.maskPatterns(a)
	} else {
		m.tables = []glob.Pattern{"*"}
	}
	if a := c.Attributes["columns"]; a != nil {
		m.scoped, m.columnsAt = true, a.Expr.Range()
		m.mask.Columns, m.listed = l.maskPatterns(a)
		l.checkMaskColumns(m)
	}
	l.loadMaskKey(m, c.Attributes["key"])
}

// maskPatterns reads a list of names and globs, which masks compare without case.
func (l *loader) maskPatterns(a *hcl.Attribute) ([]glob.Pattern, []setting[string]) {
	s := l.strs(a)
	if s == nil {
		return nil, nil
	}
	if len(s.value) == 0 {
		l.add(errorAt(s.rng, "Empty list", "A mask whose %q is empty masks nothing. Name what it is for.", a.Name))
	}
	var out []glob.Pattern
	for _, e := range s.value {
		if p, ok := l.pattern(feed.Fold(e.value), e.rng); ok {
			out = append(out, p)
		}
	}
	return out, s.value
}

// checkMaskColumns refuses names of columns that cannot be masked. Globs just
// pass over them.
func (l *loader) checkMaskColumns(m *maskBlock) {
	for _, e := range m.listed {
		if feed.IsExact(e.value) {
			l.add(errorAt(e.rng, "Column that cannot be masked", "%q is a key or a timestamp, which every table needs as it is. Take it off the list; a glob passes over it.", e.value))
		}
	}
}

// loadMaskKey reads the key, the one place where a sensitive value belongs.
func (l *loader) loadMaskKey(m *maskBlock, a *hcl.Attribute) {
	if a == nil {
		if m.mask.Method == definition.MaskHMAC {
			l.add(errorAt(m.rng, "Missing key", "A mask with method \"hmac-sha256\" needs a key, best from a sensitive variable: key = var.mask_key."))
		}
		return
	}
	if m.mask.Method == definition.MaskNull || m.mask.Method == definition.MaskDrop {
		l.add(errorAt(a.NameRange, "Key without use", "Only the method \"hmac-sha256\" has a key. Remove it, or change the method."))
		return
	}
	v, ok := l.raw(a.Expr, true)
	if !ok {
		return
	}
	secret := v.HasMarkDeep(sensitive) || v.HasMarkDeep(private)
	v, _ = v.UnmarkDeep()
	s, err := convert.Convert(v, cty.String)
	switch {
	case err != nil:
		l.add(errorAt(a.NameRange, "Wrong type", "\"key\" must be text, not %s.", v.Type().FriendlyName()))
	case s.IsNull() || s.AsString() == "":
		l.add(errorAt(a.NameRange, "Missing key", "The key is empty or null. Anybody could compute the masked values: set a secret one."))
	default:
		m.key = Secret(s.AsString())
		m.mask.Verifier = verifierOf(m.key)
		if !secret {
			l.add(warnAt(a.NameRange, "Key that is not sensitive", "Whoever reads the key, here or where it comes from, can compute the masked values. Take it from a sensitive variable: key = var.mask_key."))
		}
	}
}

// checkMasksUsed diagnoses masks that can never mask anything.
func (l *loader) checkMasksUsed() {
	for _, m := range l.masks {
		if !m.scoped && !m.used && !l.broken {
			l.add(errorAt(m.rng, "Mask without effect", "The mask %q has no \"columns\", and no column refers to it as mask.%s: it masks nothing. Name the columns.", m.name, m.name))
		}
	}
}

func matchAny(ps []glob.Pattern, name string) bool {
	for _, p := range ps {
		if p.Match(name) {
			return true
		}
	}
	return false
}

// takesTable reports whether the mask is for a table, by its delivered name.
func (m *maskBlock) takesTable(name string) bool { return matchAny(m.tables, feed.Fold(name)) }

// takesColumn reports whether the mask is for a delivered column.
func (m *maskBlock) takesColumn(delivered, published string) bool {
	return m.mask.TakesColumn(delivered, published)
}

// verifierOf tells keys of masks apart without keeping them.
func verifierOf(key Secret) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("reconcile mask key verifier"))
	return hex.EncodeToString(m.Sum(nil)[:8])
}
