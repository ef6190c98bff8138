package planner

import (
	"context"
	"maps"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// A plan of the configuration alone changes the tables that ConfigDiff names, from the
// dumps that they have and at the mappings where they stand. What is pending stays pending:
// to such a plan only those dumps have arrived that some table has, of each table those
// that it has. Other tables are not looked at.

// compareConfig says what the configuration changes. A plan of that alone is one of nothing
// else; a comparison of the sinks has no use for it.
func compareConfig(ctx context.Context, p *Session) error {
	if p.Ask.RefreshOnly {
		return nil
	}
	part, err := ConfigDiff(ctx, p.Planner, p.Snap)
	if err != nil {
		return err
	}
	p.ConfigDigest, p.NotChecked = part.Digest, part.UnknownKeys
	if p.ConfigOnly {
		return onlyConfig(p, part)
	}
	return nil
}

// onlyConfig makes a session one of the configuration alone. The commits of its tables name
// their entries.
func onlyConfig(p *Session, part *ConfigPart) error {
	p.Config, p.SavedDigests = part.Entries, map[string]string{}
	for i := range p.Config {
		digest, err := p.Config[i].Digest()
		if err != nil {
			return err
		}
		p.SavedDigests[p.Config[i].Table] = digest
	}
	ask := *p.Ask
	ask.OnlyDumps = dumpsIn(p.Snap)
	p.Planner = p.asking(&ask)
	return nil
}

// changesConfigOf reports whether the configuration changes a table.
func changesConfigOf(p *Session, table string) bool {
	return slices.ContainsFunc(p.Config, func(e plan.ConfigEntry) bool { return e.Table == table })
}

// appliedOnly is what is delivered, without what tables do not have yet.
func appliedOnly(p *Session, all map[string][]Delivery) map[string][]Delivery {
	out := map[string][]Delivery{}
	for name, t := range p.Snap.Tables {
		has := map[int64]bool{}
		for _, a := range t.Applied {
			has[a.Dump] = true
		}
		out[name] = slices.DeleteFunc(slices.Clone(all[name]), func(d Delivery) bool { return !has[d.Dump] })
	}
	return out
}

// keepMapping has the mapping stay what it is in the state.
func keepMapping(ctx context.Context, p *Session) error {
	have := p.Snap.Mapping
	if have == nil {
		return nil
	}
	dump := have.Dump
	p.Mapping.From, p.Standing = &dump, have
	m, err := LoadMapping(ctx, p.Objects, have.Ref)
	if bad := DamagedObject(err); bad != nil {
		p.unreadable = &unreadable{mapping: have, bad: bad, way: wayToMapping(p, have.Dump)}
	} else if err != nil {
		return err
	}
	p.StandingMapping = m
	return describeMapping(ctx, p)
}

// planKept finds out what a table needs to know of the dumps that it has, and that it
// takes no other one. A file that has grown is for the next plan of all.
func planKept(ctx context.Context, p *Session, t *Table) error {
	if t.Kind == feed.KindMapping {
		return nil
	}
	holds := len(p.Holds)
	if err := planDumps(ctx, p, t); err != nil {
		return err
	}
	p.Holds = p.Holds[:holds]
	t.Pending, t.Dumps, t.Floor, t.Bad = nil, nil, t.resync, map[int64]plan.Hold{}
	for i := range t.All {
		t.All[i].Again = false
	}
	return nil
}

// ofOthers reports whether a hold is none of the tables that the configuration changes.
func ofOthers(p *Session, h plan.Hold) bool {
	if h.Table != "" {
		return !changesConfigOf(p, h.Table)
	}
	return h.Sink == "" || !slices.ContainsFunc(slices.Collect(maps.Keys(p.Snap.Tables)), func(name string) bool {
		return changesConfigOf(p, name) && slices.ContainsFunc(p.Snap.Tables[name].Sinks, func(s state.SinkTable) bool { return s.Root == h.Sink })
	})
}
