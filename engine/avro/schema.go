package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"reconcile/internal/column"
)

type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindFixed
	kindArray
	kindMap
	kindUnion
)

// endless is the width of a type of which no value can end.
const endless = 1 << 30

// node is a type. fixed and width serve to skip and to bound: see measure.
type node struct {
	kind     kind
	logical  logical
	scale    int    // of a decimal
	size     int    // of kindFixed
	name     string // of a named type
	fields   []fieldNode
	symbols  []string
	items    *node   // of kindArray and kindMap
	branches []*node // of kindUnion
	width    int     // the fewest bytes a value can take
	fixed    int     // the bytes every value takes, -1 if they differ
}

type fieldNode struct {
	name string
	key  []byte // `"name":`
	node *node
}

// parser turns a schema into nodes. names holds the named types by full name;
// nodes has every node after its parts, but for recursion.
type parser struct {
	names map[string]*node
	nodes []*node
}

func parseSchema(text []byte) (*node, error) {
	var v any
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	p := &parser{names: map[string]*node{}}
	root, err := p.parse(v, "")
	if err != nil {
		return nil, err
	}
	p.measure()
	return root, nil
}

var primitives = [...]string{kindNull: "null", kindBoolean: "boolean", kindInt: "int", kindLong: "long",
	kindFloat: "float", kindDouble: "double", kindBytes: "bytes", kindString: "string"}

// parse returns the node of a schema inside namespace ns.
func (p *parser) parse(v any, ns string) (*node, error) {
	switch v := v.(type) {
	case string:
		return p.named(v, ns)
	case []any:
		return p.union(v, ns)
	case map[string]any:
		return p.object(v, ns)
	}
	return nil, fmt.Errorf("a type is a name, a list or an object, not %s", brief(v))
}

// named returns the node of a primitive type or of one defined before.
func (p *parser) named(name, ns string) (*node, error) {
	for k, known := range primitives {
		if name == known {
			return p.addNode(&node{kind: kind(k)}), nil
		}
	}
	if !strings.Contains(name, ".") && ns != "" {
		if n := p.names[ns+"."+name]; n != nil {
			return n, nil
		}
	}
	if n := p.names[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

func (p *parser) union(list []any, ns string) (*node, error) {
	n := &node{kind: kindUnion}
	if len(list) == 0 {
		return nil, errors.New("a union has no types")
	}
	for _, v := range list {
		b, err := p.parse(v, ns)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion {
			return nil, errors.New("a union directly inside a union")
		}
		n.branches = append(n.branches, b)
	}
	return p.addNode(n), nil
}

func (p *parser) object(o map[string]any, ns string) (*node, error) {
	name, isName := o["type"].(string)
	if !isName {
		return p.parse(o["type"], ns)
	}
	switch name {
	case "record", "error", "enum", "fixed":
		return p.define(name, o, ns)
	case "array":
		return p.container(kindArray, o["items"], ns)
	case "map":
		return p.container(kindMap, o["values"], ns)
	}
	n, err := p.named(name, ns)
	if err == nil && int(n.kind) < len(primitives) {
		n.annotate(o)
	}
	return n, err
}

func (p *parser) container(k kind, items any, ns string) (*node, error) {
	n := &node{kind: k}
	var err error
	if n.items, err = p.parse(items, ns); err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	return p.addNode(n), nil
}

// define reads a record, enum or fixed and makes its name known, to its own
// fields too.
func (p *parser) define(what string, o map[string]any, ns string) (*node, error) {
	name, _ := o["name"].(string)
	if name == "" {
		return nil, fmt.Errorf("%s without a name", what)
	}
	if space, ok := o["namespace"].(string); ok {
		ns = space
	}
	full := name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		ns = name[:i]
	} else if ns != "" {
		full = ns + "." + name
	}
	if p.names[full] != nil {
		return nil, fmt.Errorf("type %q is defined twice", full)
	}
	n := &node{name: full}
	p.names[full] = n
	var err error
	switch what {
	case "enum":
		err = n.enum(o["symbols"])
	case "fixed":
		err = n.fixedSize(o["size"])
		n.annotate(o)
	default:
		err = p.record(n, o["fields"], ns)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", what, full, err)
	}
	return p.addNode(n), nil
}

func (p *parser) record(n *node, v any, ns string) error {
	n.kind = kindRecord
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("its fields are %s, not a list", brief(v))
	}
	seen := make(map[string]bool, len(list))
	for i, item := range list {
		o, _ := item.(map[string]any)
		name, _ := o["name"].(string)
		if name == "" {
			return fmt.Errorf("field %d has no name", i)
		}
		if seen[name] {
			return fmt.Errorf("two fields are called %q", name)
		}
		seen[name] = true
		typ, err := p.parse(o["type"], ns)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		key := append(column.AppendJSONString(nil, name), ':')
		n.fields = append(n.fields, fieldNode{name: name, key: key, node: typ})
	}
	return nil
}

func (n *node) enum(v any) error {
	n.kind = kindEnum
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("its symbols are %s, not a list", brief(v))
	}
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("symbol %s is not text", brief(item))
		}
		n.symbols = append(n.symbols, s)
	}
	return nil
}

func (n *node) fixedSize(v any) error {
	n.kind = kindFixed
	size, ok := v.(float64)
	if !ok || size < 0 || size > maxFixed || size != float64(int(size)) {
		return fmt.Errorf("its size is %s", brief(v))
	}
	n.size = int(size)
	return nil
}

func (p *parser) addNode(n *node) *node {
	p.nodes = append(p.nodes, n)
	return n
}

// brief shows a piece of JSON in an error.
func brief(v any) string {
	if v == nil {
		return "missing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("a %T", v)
	}
	if len(text) > 60 {
		return string(text[:60]) + "..."
	}
	return string(text)
}
