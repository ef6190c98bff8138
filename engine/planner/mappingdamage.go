package planner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// hold is the hold of a table that waits for the mapping.
func (u *unreadable) hold(table string) plan.Hold {
	return plan.Hold{Table: table, Object: u.bad.Ref.Digest,
		Reason: fmt.Sprintf("the user mapping of dump %d cannot be read: %v; the table stays as it is; %s", u.mapping.Dump, u.bad, u.way)}
}

// mappingToKeep is the mapping of the state, nil if there is none any more. With -repair
// it is none either if it cannot be read: that is then read from the source.
func mappingToKeep(ctx context.Context, p *Session) (*state.Mapping, *unreadable, error) {
	have := p.Snap.Mapping
	if have == nil || p.Ask.Withdrawn(p.Listing, have.Dump, feed.TableMapping) {
		return nil, nil, nil
	}
	if !p.Ask.Repair {
		return have, nil, nil
	}
	err := VerifyObject(ctx, p, have.Ref)
	if bad := DamagedObject(err); bad != nil {
		return nil, &unreadable{mapping: have, bad: bad}, nil
	}
	return have, nil, err
}

// wayToMapping says how a mapping that cannot be read comes back.
func wayToMapping(p *Session, id int64) string {
	if d := p.Listing.Dump(id); d != nil && d.Entry(feed.TableMapping) != nil {
		return fmt.Sprintf("-repair reads it again from dump %d, and writes no table anew for that", id)
	}
	instead := "without any"
	for _, d := range p.Listing.Dumps {
		if d.Entry(feed.TableMapping) != nil && d.ID < id && !p.Ask.LeftOut(d.ID, feed.TableMapping) {
			instead = fmt.Sprintf("with that of dump %d", d.ID)
		}
	}
	return fmt.Sprintf("dump %d is gone from the source: -repair -accept-loss=%s goes on %s, and writes the tables anew", id, feed.TableMapping, instead)
}

// replaceMapping goes on with what the source has instead of a mapping that cannot be
// read: the same one, whose object is then written again, or a newer one. An older one
// would part users, which has to be accepted.
func replaceMapping(p *Session, lost *unreadable) error {
	switch {
	case p.Standing != nil && p.Standing.Dump >= lost.mapping.Dump:
		sum := sha256.New()
		if err := p.StandingMapping.Encode(sum); err != nil {
			return fmt.Errorf("the user mapping of dump %d: %w", p.Standing.Dump, err)
		}
		if digest := hex.EncodeToString(sum.Sum(nil)); digest == lost.bad.Ref.Digest {
			p.Closures[digest] = p.StandingMapping.Closure(p.Budget.Workers())
		}
	case !p.Ask.AcceptsLoss(feed.TableMapping):
		lost.way = wayToMapping(p, lost.mapping.Dump)
		p.NewMapping, p.StandingMapping, p.Standing, p.unreadable = nil, nil, lost.mapping, lost
	}
	return nil
}
