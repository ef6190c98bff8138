package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// compareMapping compares the files of the mapping in force, which have is, with
// what was read of them. If one is another file now, the mapping is read again, and
// the newer reading counts for all tables; while it cannot be read, the mapping
// stays and is held.
func compareMapping(ctx context.Context, p *Session, have *state.Mapping) (*MappingRead, *plan.Hold, error) {
	d := p.Listing.Dump(have.Dump)
	if d == nil {
		return nil, nil, nil
	}
	en := d.Entry(feed.TableMapping)
	if en == nil || en.Digest != have.Digest {
		return nil, nil, nil
	}
	if why := readsMappingAnew(p, have); why != "" {
		return readMappingAnew(ctx, p, d.ID, en, why)
	}
	if have.Read == nil || en.Files.Len() != len(have.Read.Files) {
		return nil, nil, nil
	}
	rd := ReadDelivery{&Delivery{Dump: d.ID, Entry: en}, *have.Read, map[string]PartFile{}}
	if err := probeAgain(ctx, p, []ReadDelivery{rd}); err != nil {
		return nil, nil, fmt.Errorf("the user mapping, dump %d: %w", d.ID, err)
	}
	changed, key, err := rd.changed(p.tagged())
	if changed < 0 || err != nil {
		return nil, nil, err
	}
	read, err := ReadMappingOf(ctx, p, d.ID, en)
	if bad := BadFile(err); bad != nil && ctx.Err() == nil {
		return nil, &plan.Hold{Table: feed.TableMapping, Dump: d.ID, File: bad.File, Reason: fmt.Sprintf(
			"%s; the mapping is read again, as %s is not the file that was read: it has %s now, it had %s; tables follow what was read before until all its files are complete; "+
				"to go on without a file, remove those that changed, or leave the dump out by skip_dump", bad.reason(ctx, p.Source), key, amount.Of(rd.Now[key].Size, "byte"), amount.Number(have.Read.Files[changed].Size))}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if read.Read.SameContent(have.Read) {
		same := *have
		same.Read = read.Read
		p.SameMapping = &same
		return nil, nil, nil
	}
	return read, nil, nil
}

// readsMappingAnew says why the mapping in force is read again although its files are
// the same; empty if it is not.
func readsMappingAnew(p *Session, have *state.Mapping) string {
	switch now := rules.UnitText(p.Ask.Config.Source.TimeUnit); {
	case now != have.TimeUnit:
		return fmt.Sprintf("time_unit is %q, it was %q", cmp.Or(now, column.UnitAuto.String()), cmp.Or(have.TimeUnit, column.UnitAuto.String()))
	case have.Rules < rules.ContentVersion && p.Ask.Repair && slices.Contains(p.Ask.Targets, "table."+feed.TableMapping):
		return "-repair: an earlier version read it by its own rules"
	}
	return ""
}

func readMappingAnew(ctx context.Context, p *Session, id int64, en *dump.Entry, why string) (*MappingRead, *plan.Hold, error) {
	read, err := ReadMappingOf(ctx, p, id, en)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil // expired: it stays, and the plan says so
	}
	if bad := BadFile(err); bad != nil && ctx.Err() == nil {
		return nil, &plan.Hold{Table: feed.TableMapping, Dump: id, File: bad.File,
			Reason: fmt.Sprintf("%s; the mapping is to be read again (%s); tables follow what was read before until that can be", bad.reason(ctx, p.Source), why)}, nil
	}
	return read, nil, err
}

// changed returns the place and the key of a file that is not as it was, -1 if there is none.
func (rd ReadDelivery) changed(tagged bool) (place int, key string, _ error) {
	i := -1
	for key, err := range rd.Entry.Files.All() {
		if err != nil {
			return -1, "", err
		}
		i++
		if now, there := rd.Now[key]; there && !sameFile(rd.Was.Files[i], now, tagged) {
			return i, key, nil
		}
	}
	return -1, "", nil
}
