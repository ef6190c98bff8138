package avro

// measure sets width and fixed of all nodes. A type that contains itself is
// endless until another of its parts shows a way out, so the widths shrink
// round by round; nodes come after their parts, which makes two rounds usual.
func (p *parser) measure() {
	for _, n := range p.nodes {
		n.width, n.fixed = endless, -1
	}
	for changed := true; changed; {
		changed = false
		for _, n := range p.nodes {
			w, f := n.leastWidth(), n.fixedWidth()
			if w != n.width || f != n.fixed {
				n.width, n.fixed, changed = w, f, true
			}
		}
	}
}

func (n *node) leastWidth() int {
	switch n.kind {
	case kindNull:
		return 0
	case kindFloat:
		return 4
	case kindDouble:
		return 8
	case kindFixed:
		return n.size
	case kindRecord:
		sum := 0
		for i := range n.fields {
			sum = min(sum+n.fields[i].node.width, endless)
		}
		return sum
	case kindUnion:
		least := endless
		for _, b := range n.branches {
			least = min(least, b.width)
		}
		return min(least+1, endless)
	}
	return 1
}

func (n *node) fixedWidth() int {
	switch n.kind {
	case kindNull, kindFloat, kindDouble, kindFixed:
		return n.leastWidth()
	case kindRecord:
		sum := 0
		for i := range n.fields {
			f := n.fields[i].node.fixed
			if f < 0 {
				return -1
			}
			sum = min(sum+f, endless)
		}
		return sum
	}
	// A boolean is one byte, but not any byte: it is read to be checked.
	return -1
}

// skip passes over a value without looking at more than its lengths.
func (r *reader) skip(n *node, depth int) error {
	if n.fixed >= 0 {
		_, err := r.takeBytes(n.fixed)
		return err
	}
	if depth > maxDepth {
		return errDepth
	}
	var err error
	switch n.kind {
	case kindBoolean:
		_, err = r.boolean()
	case kindInt:
		_, err = r.int()
	case kindLong:
		_, err = r.long()
	case kindBytes, kindString:
		_, err = r.bytes()
	case kindEnum:
		_, err = r.index(len(n.symbols), errEnum)
	case kindUnion:
		var b int
		if b, err = r.index(len(n.branches), errBranch); err == nil {
			err = r.skip(n.branches[b], depth+1)
		}
	case kindRecord:
		for i := 0; i < len(n.fields) && err == nil; i++ {
			err = r.skip(n.fields[i].node, depth+1)
		}
	case kindArray, kindMap:
		err = r.skipItems(n, depth)
	}
	return err
}

func (r *reader) skipItems(n *node, depth int) error {
	key := 0
	if n.kind == kindMap {
		key = 1
	}
	for {
		count, end, err := r.items(n.items.width + key)
		if err != nil || count == 0 {
			return err
		}
		if end >= 0 {
			r.pos = end
			continue
		}
		if key == 0 && n.items.fixed >= 0 {
			// items saw to it that so many are there; it cannot overflow.
			r.pos += int(count) * n.items.fixed
			continue
		}
		for ; count > 0; count-- {
			if key == 1 {
				if _, err := r.bytes(); err != nil {
					return err
				}
			}
			if err := r.skip(n.items, depth+1); err != nil {
				return err
			}
		}
	}
}
