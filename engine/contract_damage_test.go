package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// damageBed is a lake with every kind of object in its state, each in a file, as it is
// before something is damaged.
type damageBed struct {
	*bed
	saved   string
	objects []stateObject
}

// stateObject is an object of the state, and who has it for what.
type stateObject struct {
	ref  state.Ref
	uses map[string]planner.ObjectUse // by table
}

func newDamageBed(t *testing.T) *damageBed {
	b := &damageBed{bed: bulkyTables(t), saved: t.TempDir()}
	for i := int64(1); i < 5; i++ {
		b.run(bulkyDump(i))
	}
	snap := b.snapshot()
	for _, name := range sortedKeys(snap.Tables) {
		for use, ref := range planner.EachObject(snap.Tables[name], snap.Partitions[name]) {
			i := slices.IndexFunc(b.objects, func(o stateObject) bool { return o.ref.Digest == ref.Digest })
			if i < 0 {
				i = len(b.objects)
				b.objects = append(b.objects, stateObject{ref, map[string]planner.ObjectUse{}})
			}
			b.objects[i].uses[name] = use
		}
	}
	for _, dir := range []string{"lake", "state", "dumps"} {
		copyTree(t, filepath.Join(b.dir, dir), filepath.Join(b.saved, dir))
	}
	return b
}

// restore makes everything what it was before the damage.
func (b *damageBed) restore() {
	b.t.Helper()
	b.opts, b.waiting, b.lost, b.arrived = Options{AllowDestroy: true}, nil, nil, b.arrived[:4]
	for _, dir := range []string{"lake", "state", "dumps"} {
		if err := os.RemoveAll(filepath.Join(b.dir, dir)); err != nil {
			b.t.Fatal(err)
		}
		copyTree(b.t, filepath.Join(b.saved, dir), filepath.Join(b.dir, dir))
	}
}

// damage spoils an object in one of several ways.
func (b *damageBed) damage(ref state.Ref, how int) {
	b.t.Helper()
	path := filepath.Join(b.dir, "state", "state.db.objects", ref.Digest[:2], ref.Digest)
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	switch how {
	case 0:
		err = os.Remove(path)
	case 1:
		err = os.WriteFile(path, data[:len(data)/2], 0o600)
	default:
		for i := range data {
			data[i] ^= 0x5a
		}
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// expire takes the oldest dumps out of the source.
func (b *damageBed) expire(last int64) {
	b.t.Helper()
	for id := range last {
		if err := os.Remove(filepath.Join(b.dir, "dumps", "manifests", fmt.Sprintf("sync_%d.json", id+1))); err != nil {
			b.t.Fatal(err)
		}
	}
}

// part makes a dump that has all that is stored read: every user is on his own again.
func everybodyParted(id int64) *model.Dump {
	event := avroPart("event_id user_id time", row(1, 10, "2026-01-02"), row(77, 10, "2026-01-03"))
	return dumpOf(id, more("e", event), more("f", event), more("users", avroPart("user_id v:string", row(10, "z"))), full(feed.TableMapping))
}

// holdsOf lists the tables that are held, and fails unless each hold names the way out.
func (b *damageBed) holdsOf(res *Result, ref state.Ref, way string) []string {
	b.t.Helper()
	var out []string
	for _, h := range res.Holds {
		out = append(out, h.Table)
		if h.Object != ref.Digest || !strings.Contains(h.Reason, way) {
			b.t.Errorf("held: %+v, want it to name %q", h, way)
		}
	}
	slices.Sort(out)
	return out
}

// TestDamagedObjects damages each object of a state in turn. It holds its tables, the
// others go on, and -repair makes everything right, without a loss.
func TestDamagedObjects(t *testing.T) {
	b := newDamageBed(t)
	kinds := map[planner.ObjectUse]int{}
	for i, o := range b.objects {
		b.restore()
		b.damage(o.ref, i%3)
		res := b.run(everybodyParted(5))
		held := b.holdsOf(res, o.ref, "-repair")
		for _, name := range held {
			if o.uses[name] == "" {
				t.Errorf("%s is held for %v", name, o.uses)
			}
			kinds[o.uses[name]]++
		}
		for name := range o.uses {
			b.waiting = append(b.waiting, name)
		}
		b.check()
		if again := b.holdsOf(b.run(), o.ref, "-repair"); !slices.Equal(held, again) {
			t.Errorf("held at first %v, then %v", held, again)
		}
		b.waiting = nil
		b.opts.Repair = true
		b.held(b.run())
		b.check()
		b.opts.Repair = false
		b.held(b.run())
		b.checkIdle()
	}
	for _, use := range []planner.ObjectUse{planner.UseMapping, planner.UseIndex, planner.UseShadow, planner.UseUsers} {
		if kinds[use] == 0 {
			t.Errorf("nothing was held for %s: %v", use, kinds)
		}
	}
}

// TestDamagedMappingInForce: while the mapping in force cannot be read nothing goes on;
// -repair reads it again and rewrites nothing.
func TestDamagedMappingInForce(t *testing.T) {
	b := newDamageBed(t)
	ref := b.snapshot().Mapping.Ref
	event := avroPart("event_id user_id time", row(1, 10, "2026-01-02"))
	for how := range 3 {
		b.restore()
		b.damage(ref, how)
		held := b.holdsOf(b.run(dumpOf(5, more("e", event), more("new", event))), ref, "-repair reads it again from dump 4")
		if !slices.Equal(held, []string{"e", "f", "new", "user_migrations", "users"}) {
			t.Errorf("held are %v", held)
		}
		b.opts.Repair, b.opts.Targets = true, []string{"table.f"}
		res := b.run()
		if len(res.Tables) != 0 {
			t.Errorf("rewrote %+v", res.Tables)
		}
		b.opts.Repair, b.opts.Targets = false, nil
		b.held(b.run())
		b.check()
		b.checkIdle()
	}
}

// TestLostMappingInForce: where the source has it no longer, either, users are parted
// only if that is accepted.
func TestLostMappingInForce(t *testing.T) {
	for _, expired := range []int64{0, 4} {
		b := newDamageBed(t)
		b.damage(b.snapshot().Mapping.Ref, 0)
		if expired > 0 {
			b.expire(expired)
		} else if err := os.Remove(filepath.Join(b.dir, "dumps", "manifests", "sync_4.json")); err != nil {
			t.Fatal(err)
		}
		b.opts.Repair = true
		ref := b.snapshot().Mapping.Ref
		if held := b.holdsOf(b.run(), ref, "-accept-loss=user_migrations"); len(held) != 4 {
			t.Errorf("held are %v", held)
		}
		b.opts.AcceptLoss = []string{feed.TableMapping}
		res := b.run()
		b.held(res)
		if len(res.Tables) != 4 {
			t.Errorf("rewrote %+v", res.Tables)
		}
		b.opts = Options{AllowDestroy: true}
		// All rows are there still; the users are those of the mapping that is left.
		var all []*model.Dump
		for _, d := range b.arrived {
			if d.ID == 4 || expired > 0 {
				d = d.Without(feed.TableMapping)
			}
			all = append(all, d)
		}
		b.arrived = all
		if expired > 0 {
			b.waiting = []string{feed.TableMapping} // it is empty, and has no dump
		}
		b.check()
		b.checkIdle()
	}
}

// TestDamagedObjectsAndExpiredDumps: a repair that needs what the source no longer has
// waits until its loss is accepted; one that does not loses nothing.
func TestDamagedObjectsAndExpiredDumps(t *testing.T) {
	b := newDamageBed(t)
	needs := []planner.ObjectUse{planner.UseShadow, planner.UseUsers}
	for i, o := range b.objects {
		if i%2 > 0 && !slices.Contains(needs, firstUse(o)) {
			continue
		}
		b.restore()
		b.damage(o.ref, i%3)
		b.expire(2)
		b.run(everybodyParted(5))
		b.opts.Repair = true
		res := b.run()
		switch use := firstUse(o); {
		case slices.Contains(needs, use):
			for _, name := range b.holdsOfLoss(res) {
				b.opts.AcceptLoss = append(b.opts.AcceptLoss, name)
				if b.lost == nil {
					b.lost = map[string]int64{}
				}
				b.lost[name] = 2
			}
			if len(b.lost) != len(o.uses) {
				t.Fatalf("%s of %v: held %+v", use, o.uses, res.Holds)
			}
			b.held(b.run())
		case use == planner.UseQuarantine:
			for name := range o.uses {
				b.opts.AcceptLoss = append(b.opts.AcceptLoss, name)
			}
			if len(res.Holds) != len(o.uses) || !strings.Contains(res.Holds[0].Reason, "quarantined rows") {
				t.Fatalf("quarantined rows: held %+v", res.Holds)
			}
			b.held(b.run())
			b.waiting = sortedKeys(o.uses) // it lacks these rows
		default:
			b.held(res)
		}
		b.check()
		b.opts = Options{AllowDestroy: true}
		b.held(b.run())
		b.checkIdle()
	}
}

func firstUse(o stateObject) planner.ObjectUse { return o.uses[sortedKeys(o.uses)[0]] }

// holdsOfLoss lists the tables that are held because of the loss of the first dumps.
func (b *damageBed) holdsOfLoss(res *Result) []string {
	b.t.Helper()
	var out []string
	for _, h := range res.Holds {
		if !strings.Contains(h.Reason, "dumps 1, 2") || !strings.Contains(h.Reason, "-accept-loss="+h.Table) {
			b.t.Errorf("held: %+v", h)
		}
		out = append(out, h.Table)
	}
	return out
}

// TestDamagedManifests: what the state keeps of the manifests heals by itself.
func TestDamagedManifests(t *testing.T) {
	b := newDamageBed(t)
	b.tuning.Settle = 1
	b.run(bulkyDump(5))
	b.arrived = b.arrived[:5]
	for how := range 3 {
		ref := b.snapshot().Manifests
		if ref.IsZero() {
			t.Fatal("no manifests are kept")
		}
		b.damage(ref, how)
		b.held(b.run())
		b.check()
		b.checkIdle()
		if err := planner.VerifyObject(t.Context(), &planner.Session{Planner: b.engine().planner()}, b.snapshot().Manifests); err != nil {
			t.Error(err)
		}
	}
}

// TestObjectsComeBack: a hold ends when the object is there again.
func TestObjectsComeBack(t *testing.T) {
	b := newDamageBed(t)
	for _, o := range b.objects {
		if firstUse(o) != planner.UseShadow && firstUse(o) != planner.UseIndex {
			continue
		}
		b.restore()
		path := filepath.Join(b.dir, "state", "state.db.objects", o.ref.Digest[:2], o.ref.Digest)
		if err := os.Rename(path, path+".aside"); err != nil {
			t.Fatal(err)
		}
		held := b.holdsOf(b.run(everybodyParted(5)), o.ref, "-repair")
		if err := errors.Join(os.Rename(path+".aside", path)); err != nil {
			t.Fatal(err)
		}
		b.held(b.run())
		b.check()
		b.checkIdle()
		if len(held) > 0 {
			return
		}
	}
	t.Error("nothing was held")
}
