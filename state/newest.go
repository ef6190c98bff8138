package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"reconcile/state/internal/kv"
)

// newest is what a state holds after the newest transaction of a lock. It is loaded once
// and then follows each transaction of the lock, so that a commit costs what it changes,
// not what there is. Its records are never changed, only replaced.
type newest struct {
	snap *Snapshot
	// named counts how often each object is named, by its ID.
	named map[string]int
	// inline are the digests of the small objects that are stored, by their IDs; unnamed
	// are those of them that nothing names.
	inline, unnamed map[string][]byte
}

// LoadTables is Load of some tables alone: what it returns has their records, partitions,
// publish lists and holds, and nothing else. What Snapshot.Fork does not copy of them is
// shared, and not to be changed. It need not be closed.
func (l *Lock) LoadTables(ctx context.Context, names ...string) (*Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.loadNewest(ctx)
	if err != nil {
		return nil, err
	}
	return n.only(names), nil
}

// Attempts names the staging folders that commits under way still need.
func (l *Lock) Attempts(ctx context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.loadNewest(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range n.snap.Publishes {
		out = append(out, p.Attempt)
	}
	return out, nil
}

// Unnamed returns the digests of the small objects that no record names.
func (l *Lock) Unnamed(ctx context.Context) ([][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.loadNewest(ctx)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(n.unnamed), bytes.Compare), nil
}

// loadNewest returns the newest content, which is loaded where it is not known. It needs
// l.mu.
func (l *Lock) loadNewest(ctx context.Context) (*newest, error) {
	head, err := l.Session.Head(ctx)
	if err != nil {
		return nil, err
	}
	if n := l.newest; n != nil && n.snap.Serial == head.Serial && (n.snap.Lineage == head.Lineage || head.Serial == 0) {
		return n, nil
	}
	l.newest = nil
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	if err := snap.Close(); err != nil {
		return nil, err
	}
	l.newest = newNewest(snap)
	return l.newest, nil
}

// follow brings what is known of the newest content up to date after a transaction. Where
// it is not certain that it counts, it is loaded when it is needed. It needs l.mu.
func (l *Lock) follow(c *kv.Changes, done bool) {
	if l.newest != nil && (!done || c.Replaces || l.newest.follow(c) != nil) {
		l.newest = nil
	}
}

func newNewest(snap *Snapshot) *newest {
	n := &newest{snap: snap, named: map[string]int{}, inline: map[string][]byte{}, unnamed: map[string][]byte{}}
	snap.Dumps, snap.Settings, snap.Facts, snap.Notices = nil, nil, Facts{}, nil // nobody asks for them
	for _, sum := range snap.inline {
		n.store(sum)
	}
	for ref := range snap.Refs() {
		n.name(ref, 1)
	}
	snap.inline = nil
	return n
}

// only returns a view of some tables, with records of its own.
func (n *newest) only(tables []string) *Snapshot {
	out := &Snapshot{Lineage: n.snap.Lineage, Serial: n.snap.Serial, Program: n.snap.Program, Tables: map[string]*Table{}, Partitions: map[string][]*Partition{},
		Dumps: map[int64]*Dump{}, Settings: map[string][]byte{}, Facts: newFacts()}
	for _, name := range tables {
		if t := n.snap.Tables[name]; t != nil {
			out.Tables[name] = t
		}
		if parts := n.snap.Partitions[name]; parts != nil {
			out.Partitions[name] = parts
		}
	}
	for _, p := range n.snap.Publishes {
		if slices.Contains(tables, p.Table) {
			out.Publishes = append(out.Publishes, p)
		}
	}
	for _, h := range n.snap.Holds {
		if slices.Contains(tables, h.Table) {
			out.Holds = append(out.Holds, h)
		}
	}
	return out.Fork(tables)
}

// follow makes n the content after a transaction. After an error n is of no use.
func (n *newest) follow(c *kv.Changes) error {
	put, err := decodePuts(c)
	if err != nil {
		return err
	}
	for _, sum := range c.Collect {
		id := hex.EncodeToString(sum)
		delete(n.inline, id)
		delete(n.unnamed, id)
	}
	for _, sum := range put.inline {
		n.store(sum)
	}
	n.followTables(c, put)
	n.followPartitions(c, put)
	n.followLists(c, put)
	n.followSingles(c, put)
	n.snap.Serial, n.snap.Lineage = c.Serial, c.Lineage
	return nil
}

// decodePuts decodes the records that a transaction puts.
func decodePuts(c *kv.Changes) (*Snapshot, error) {
	content := &kv.Content{Lineage: c.Lineage, Serial: c.Serial}
	for b := range kv.BucketCount {
		for _, key := range c.SortedKeys(b) {
			value := c.Puts[b][key]
			if value == nil {
				continue
			}
			payload, _, err := kv.Unseal(b, []byte(key), value)
			if err != nil {
				return nil, &kv.RecordError{Bucket: b, Key: []byte(key), Err: err}
			}
			content.Entries[b] = append(content.Entries[b], kv.Entry{Key: []byte(key), Payload: payload})
		}
	}
	return Decode(content)
}

func (n *newest) followTables(c *kv.Changes, put *Snapshot) {
	for name := range c.Puts[kv.Tables] {
		if old := n.snap.Tables[name]; old != nil {
			n.nameAll(old.refs(), -1)
			delete(n.snap.Tables, name)
		}
		if t := put.Tables[name]; t != nil {
			n.nameAll(t.refs(), 1)
			n.snap.Tables[name] = t
		}
	}
}

func (n *newest) followPartitions(c *kv.Changes, put *Snapshot) {
	for _, prefix := range c.Wiped {
		name := tableOfPrefix(prefix)
		for _, p := range n.snap.Partitions[name] {
			n.name(p.Shadow, -1)
		}
		delete(n.snap.Partitions, name)
	}
	changed := map[string]map[uint32]bool{}
	for key := range c.Puts[kv.Partitions] {
		if table, ordinal, ok := splitPartitionKey([]byte(key)); ok {
			if changed[string(table)] == nil {
				changed[string(table)] = map[uint32]bool{}
			}
			changed[string(table)][ordinal] = true
		}
	}
	for table, ordinals := range changed {
		parts := slices.Clone(put.Partitions[table])
		for _, p := range parts {
			n.name(p.Shadow, 1)
		}
		for _, p := range n.snap.Partitions[table] {
			if ordinals[p.Ordinal] {
				n.name(p.Shadow, -1)
			} else {
				parts = append(parts, p)
			}
		}
		slices.SortFunc(parts, func(a, b *Partition) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		n.snap.Partitions[table] = parts
		if len(parts) == 0 {
			delete(n.snap.Partitions, table)
		}
	}
}

func (n *newest) followLists(c *kv.Changes, put *Snapshot) {
	if gone := c.Puts[kv.Publishes]; len(gone) > 0 {
		n.snap.Publishes = slices.DeleteFunc(n.snap.Publishes, func(p *Publish) bool { _, ok := gone[p.Table]; return ok })
		n.snap.Publishes = append(n.snap.Publishes, put.Publishes...)
		slices.SortFunc(n.snap.Publishes, func(a, b *Publish) int { return strings.Compare(a.Table, b.Table) })
	}
	if gone := c.Puts[kv.Holds]; len(gone) > 0 {
		n.snap.Holds = slices.DeleteFunc(n.snap.Holds, func(h Hold) bool { _, ok := gone[string(h.key())]; return ok })
		n.snap.Holds = append(n.snap.Holds, put.Holds...)
		sortHolds(n.snap.Holds)
	}
}

// followSingles follows what there is at most one of.
func (n *newest) followSingles(c *kv.Changes, put *Snapshot) {
	if _, ok := c.Puts[kv.Mapping][mappingKey]; ok {
		n.nameAll(n.snap.Mapping.refs(), -1)
		n.nameAll(put.Mapping.refs(), 1)
		n.snap.Mapping = put.Mapping
	}
	if _, ok := c.Puts[kv.Settings][manifestsKey]; ok {
		n.name(n.snap.Manifests, -1)
		n.name(put.Manifests, 1)
		n.snap.Manifests = put.Manifests
	}
}

// store notes a small object.
func (n *newest) store(sum []byte) {
	id := hex.EncodeToString(sum)
	n.inline[id] = sum
	if n.named[id] == 0 {
		n.unnamed[id] = sum
	}
}

func (n *newest) nameAll(refs []Ref, times int) {
	for _, ref := range refs {
		n.name(ref, times)
	}
}

// name counts how often an object is named: once more, or once less.
func (n *newest) name(ref Ref, times int) {
	if ref.IsZero() {
		return
	}
	id := ref.ID()
	n.named[id] += times
	if n.named[id] > 0 {
		delete(n.unnamed, id)
		return
	}
	delete(n.named, id)
	if sum, ok := n.inline[id]; ok {
		n.unnamed[id] = sum
	}
}
