package planner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/sinks"
	"reconcile/state"
)

// The inputs of a plan cost more than the plan: where the pins of the source hold on one
// machine only, the files that the steps read are read to their end. So they are taken
// only where they are asked for.

// describeInputs notes what the steps of each table were planned from.
func describeInputs(ctx context.Context, p *Session) error {
	m, err := p.mappingInput()
	if err != nil {
		return err
	}
	contents := map[string]string{} // of files that several tables list
	for _, t := range p.Drafts {
		in := &plan.Inputs{Mapping: m}
		if err := describeRecord(t, in); err != nil {
			return err
		}
		if err := describeDeliveries(ctx, p, t, in, contents); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		if err := p.describeSinks(t, in); err != nil {
			return err
		}
		t.Inputs = in
	}
	return nil
}

// mappingInput is the mapping that tables are to stand at.
func (p *Session) mappingInput() (*plan.MappingInput, error) {
	if p.Standing == nil {
		return nil, nil
	}
	out := &plan.MappingInput{Dump: p.Standing.Dump, Digest: p.Standing.Ref.Digest}
	var err error
	if out.Read, err = plan.DigestValue([]any{p.Standing.Digest, p.Standing.TimeUnit, p.Standing.Rules}); err != nil || p.NewMapping == nil {
		return out, err
	}
	sum := sha256.New()
	if err := p.StandingMapping.Encode(sum); err != nil {
		return nil, fmt.Errorf("the user mapping of dump %d: %w", out.Dump, err)
	}
	out.Digest = hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

// describeRecord notes the configuration of a table, and what the state has of it.
func describeRecord(t *Table, in *plan.Inputs) (err error) {
	if in.Definition, err = contentDigest(t.Definition, keysChanged(t)); err != nil {
		return err
	}
	if judging := judgingChecks(t); len(judging) > 0 {
		if in.Checks, err = plan.DigestValue(judging); err != nil {
			return err
		}
	}
	if t.Old == nil {
		return nil
	}
	in.Commit = t.Old.Commit
	in.Applied, err = plan.DigestValue(t.Old.Applied)
	return err
}

// contentDigest identifies what the configuration says of a table's content; empty where
// no block takes the table. Keys of masks are given again where a plan is applied, and need
// not be known before: they are part of it by their verifiers where they are known to have
// changed.
func contentDigest(d *definition.Table, keys []string) (string, error) {
	if d == nil {
		return "", nil
	}
	content := d.WithoutKeys()
	content.Guard, content.Checks = definition.Guard{}, nil // what they hold is not pending
	if len(keys) == 0 {
		return plan.DigestValue(content)
	}
	return plan.DigestValue([]any{content, keys})
}

// describeDeliveries notes the dumps that the steps read.
func describeDeliveries(ctx context.Context, p *Session, t *Table, in *plan.Inputs, contents map[string]string) error {
	for _, d := range deliveriesRead(p, t) {
		out := plan.Delivery{Dump: d.Dump, Manifest: d.Entry.Digest}
		if !readsNothing(t, d.Dump) {
			if err := probeFiles(ctx, p, []Delivery{d}); err != nil {
				return err
			}
			for f, err := range FilesOf(p, d.Entry) {
				if err != nil {
					return err
				}
				pin, err := pinOf(ctx, p, f, contents)
				if err != nil {
					return err
				}
				out.Files = append(out.Files, pin)
			}
		}
		in.Pending = append(in.Pending, out)
	}
	return nil
}

// deliveriesRead lists what the steps take and, of applied dumps, what a rebuild reads
// again, by dump.
func deliveriesRead(p *Session, t *Table) []Delivery {
	out := slices.Clone(t.Pending)
	if t.Action == plan.None || t.Change.Class != plan.ClassRebuild {
		return out
	}
	for _, id := range RebuiltFrom(p, t) {
		i := t.DeliveryOf(id)
		if i >= 0 && !slices.Contains(t.Lost, id) && !slices.ContainsFunc(out, func(d Delivery) bool { return d.Dump == id }) {
			out = append(out, t.All[i])
		}
	}
	slices.SortFunc(out, func(a, b Delivery) int { return cmp.Compare(a.Dump, b.Dump) })
	return out
}

// readsNothing reports whether a later resync makes a dump that is taken void: it is not read.
func readsNothing(t *Table, dump int64) bool {
	return slices.ContainsFunc(t.Dumps, func(d plan.DumpStep) bool { return d.Dump == dump && d.Void })
}

// pinOf tells a part file from another one of the same name, on every machine.
func pinOf(ctx context.Context, p *Session, f PartFile, contents map[string]string) (plan.Pin, error) {
	key := f.Key
	if f.err != nil {
		return plan.Pin{}, fmt.Errorf("%s: %w", key, f.err)
	}
	pin := plan.Pin{File: key, Size: f.Size, Version: f.Pin, Portable: p.tagged()}
	if pin.Portable {
		return pin, nil
	}
	if contents[key] == "" {
		sum, err := contentOf(ctx, p, key)
		if err != nil {
			return pin, fmt.Errorf("%s: %w", key, err)
		}
		contents[key] = sum
	}
	pin.Content = contents[key]
	return pin, nil
}

// contentOf is the digest of a part file.
func contentOf(ctx context.Context, p *Session, key string) (_ string, err error) {
	h, err := p.Source.Open(ctx, key)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(h, 0, h.Object().Size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), ctx.Err()
}

// describeSinks notes what the sinks say of a table, and hold of it. Without a look at
// the sinks that is nothing but where the table is.
func (p *Session) describeSinks(t *Table, in *plan.Inputs) error {
	roots := rootsOf(t)
	slices.Sort(roots)
	for _, root := range roots {
		s := plan.SinkInput{Root: root, Checked: !p.Blind}
		if s.Checked {
			var err error
			if entry, ok := entryIn(p, root, t.Name); ok {
				entry.Dumps = slices.Concat([]int64{}, entry.Dumps)
				if s.Entry, err = plan.DigestValue(entry); err != nil {
					return err
				}
			}
			if s.Listing, err = plan.DigestValue(filesIn(t, root)); err != nil {
				return err
			}
		}
		in.Sinks = append(in.Sinks, s)
	}
	return nil
}

// entryIn is what the current.json of a sink says of a table. While a commit of the table is
// being made visible it is what that will leave there: an apply finishes it before it plans.
func entryIn(p *Session, root, table string) (sinks.CurrentTable, bool) {
	if rec := p.Snap.Tables[table]; rec != nil && slices.Contains(p.Recover, table) {
		return lake.EntryOf(rec, root, rec.Commit, true)
	}
	return p.Heads.Table(root, table)
}

// heldFile is a data file as a sink holds it.
type heldFile struct{ Path, Digest string }

// filesIn lists the data files that a sink holds of a table, as the plan found them.
// Where that did not read a file, it is as the state knows it.
func filesIn(t *Table, root string) []heldFile {
	var out []heldFile
	for _, s := range t.Left {
		if s.Sink == root {
			out = append(out, heldFile{s.Path, s.Before})
		}
	}
	if t.Old == nil || t.Repair != "" {
		return out
	}
	for _, part := range t.FilesNow(t.Parts) {
		for _, f := range part.Files {
			if t.Old.Sinks[f.Sink].Root != root || slices.ContainsFunc(t.missing, func(x state.File) bool { return at(x) == at(f) }) {
				continue
			}
			out = append(out, heldFile{f.Path, f.Digest})
		}
	}
	return out
}
