package config

import (
	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// guardBlock is the guard block of a table block as it is written; nil settings inherit.
type guardBlock struct {
	removed   *setting[definition.Share]
	empty     *setting[string]
	rewritten *setting[definition.Bytes]
}

// What a guard does with a full resync without rows.
const (
	emptyHold = "hold"
	emptyTake = "take"
)

// loadGuard reads the guard block of a table block.
func (l *loader) loadGuard(t *tableBlock, blocks hcl.Blocks) {
	b := l.only(blocks, "guard block")
	if b == nil {
		return
	}
	c := l.content(b, schema{optional: []string{"max_removed_rows", "empty_resync", "max_rewritten_bytes"}})
	t.guard = guardBlock{removed: l.share(c.Attributes["max_removed_rows"]), empty: l.oneOf(c.Attributes["empty_resync"], emptyHold, emptyTake),
		rewritten: l.bytes(c.Attributes["max_rewritten_bytes"])}
	if t.pattern != feed.TableMapping {
		return
	}
	for _, name := range []string{"max_removed_rows", "empty_resync"} {
		if a := c.Attributes[name]; a != nil {
			l.add(errorAt(a.Range, "Guard of the mapping", "Each delivery of %q is a whole mapping, which all tables follow. Its guard stands in identity { guard { max_mappings_removed = \"50%%\" } }.", feed.TableMapping))
		}
	}
}

// loadMappingGuard reads the guard block of the identity block.
func (l *loader) loadMappingGuard(blocks hcl.Blocks) {
	b := l.only(blocks, "guard block")
	if b == nil {
		return
	}
	c := l.content(b, schema{optional: []string{"max_mappings_removed"}})
	if s := l.share(c.Attributes["max_mappings_removed"]); s != nil {
		l.cfg.MaxMappingsRemoved = &s.value
	}
}

// share reads a part of a whole, as "50%".
func (l *loader) share(a *hcl.Attribute) *setting[definition.Share] {
	s := l.str(a, false)
	if s == nil {
		return nil
	}
	n, err := definition.ParseShare(s.value)
	if err != nil {
		l.add(errorAt(s.rng, "Invalid share", "%s.", err))
		return nil
	}
	return &setting[definition.Share]{value: n, rng: s.rng}
}

// bytes reads a number of bytes, as "10GB".
func (l *loader) bytes(a *hcl.Attribute) *setting[definition.Bytes] {
	s := l.str(a, false)
	if s == nil {
		return nil
	}
	n, err := parseSize(s.value)
	if err != nil {
		l.add(errorAt(s.rng, "Invalid size", "%s.", err))
		return nil
	}
	return &setting[definition.Bytes]{value: definition.Bytes(n), rng: s.rng}
}

// inherit takes what the block does not say from a more general one.
func (g guardBlock) inherit(more guardBlock) guardBlock {
	return guardBlock{first(g.removed, more.removed), first(g.empty, more.empty), first(g.rewritten, more.rewritten)}
}

// defined is the guard as the table knows it.
func (g guardBlock) defined() definition.Guard {
	out := definition.Guard{HoldsEmpty: g.empty != nil && g.empty.value == emptyHold}
	if g.removed != nil {
		out.MaxRemovedRows = &g.removed.value
	}
	if g.rewritten != nil {
		out.MaxRewrittenBytes = &g.rewritten.value
	}
	return out
}
