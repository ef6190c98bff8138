package engine

import (
	"context"
	"fmt"

	"reconcile/internal/blob"
	"reconcile/state"
)

// compareMapping compares the files of the mapping in force, which have is, with
// what was read of them. If one is another file now, the mapping is read again, and
// the newer reading counts for all tables; while it cannot be read, the mapping
// stays and is held.
func (e *Engine) compareMapping(ctx context.Context, p *Plan, have *state.Mapping) (*mappingRead, *Hold, error) {
	if have.Read == nil {
		return nil, nil, nil
	}
	d := p.listing.Dump(have.Dump)
	if d == nil {
		return nil, nil, nil
	}
	en := d.Entry(tableMapping)
	if en == nil || en.Digest != have.Digest || len(en.Files) != len(have.Read.Files) {
		return nil, nil, nil
	}
	rd := readDelivery{&delivery{dump: d.ID, entry: en}, *have.Read, map[string]blob.Object{}}
	if err := e.lookAgain(ctx, p, []readDelivery{rd}); err != nil {
		return nil, nil, fmt.Errorf("the user mapping, dump %d: %w", d.ID, err)
	}
	changed := rd.changed(e.tagged())
	if changed < 0 {
		return nil, nil, nil
	}
	read, err := e.readMappingOf(ctx, d.ID, en)
	if bad := holding(err); bad != nil && ctx.Err() == nil {
		key := en.Files[changed].Key
		return nil, &Hold{Table: tableMapping, Dump: d.ID, File: bad.file.key, Reason: fmt.Sprintf(
			"%v; the mapping is read again, as %s is not the file that was read: it has %d bytes now, it had %d; tables follow what was read before until all its files are complete; "+
				"to go on without a file, remove those that changed, or leave the dump out by skip_dump", bad.err, key, rd.now[key].Size, have.Read.Files[changed].Size)}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if read.read.SameContent(have.Read) {
		same := *have
		same.Read = read.read
		p.sameMapping = &same
		return nil, nil, nil
	}
	return read, nil, nil
}

// changed returns the place of a file that is not as it was, -1 if there is none.
func (rd readDelivery) changed(tagged bool) int {
	for i, f := range rd.entry.Files {
		if now, there := rd.now[f.Key]; there && !sameFile(rd.was.Files[i], now, tagged) {
			return i
		}
	}
	return -1
}
