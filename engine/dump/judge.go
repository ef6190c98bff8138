package dump

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

// candidate is a manifest that was read, and what is wrong with it by itself.
type candidate struct {
	dump      *Dump
	validator string // by which it is known again, empty if by nothing
	hasID     bool
	reason    string // why it is held, empty if usable
	refused   error  // why the store does not give it out, nil if it does
	prefix    *PrefixError
	lead      lead
	hint      string
	notices   []string
}

const (
	hintCopy = "if it is still being copied, it heals by itself; else deliver it again, or leave it out with the manifests pattern of the source"
	hintGive = "let it be read, or leave it out with the manifests pattern of the source"
	hintMend = "correct the manifest, or leave it out with the manifests pattern of the source"
	hintTwin = "remove the wrong one, or leave it out with the manifests pattern of the source"
)

// read reads one manifest. It fails only if the source is Unavailable, or what is listed
// has no place: what is wrong with the manifest itself is a reason.
func (s *Source) read(ctx context.Context, lists *textlist.Store, key string) (candidate, error) {
	c := candidate{dump: &Dump{Manifest: key}}
	h, err := s.Open(ctx, key)
	if err == nil {
		defer h.Close()
		c, err = s.readOpen(ctx, lists, h)
	}
	if cerr := ctx.Err(); cerr != nil {
		return c, cerr
	}
	if full := (*listsError)(nil); errors.As(err, &full) {
		return c, err
	}
	if Unavailable(err) {
		return c, fmt.Errorf("the manifest %s cannot be read: %w", s.place(key[len(folder)+1:]), err)
	}
	if err != nil {
		c.reason, c.hint = fmt.Sprintf("it cannot be read: %v", err), hintCopy
		if refused(err) {
			c.refused, c.hint = err, hintGive
		}
	}
	return c, nil
}

// readOpen reads a manifest that is open. It fails if the store does not give it out.
func (s *Source) readOpen(ctx context.Context, lists *textlist.Store, h blob.Handle) (candidate, error) {
	o := h.Object()
	c := candidate{dump: &Dump{Manifest: o.Key, Object: o}}
	if o.Size > s.manifest {
		return s.tooLarge(h)
	}
	if err := s.reading.Acquire(ctx, o.Size); err != nil {
		return c, err
	}
	defer s.reading.Release(o.Size)
	data, err := blob.ReadWhole(h, s.manifest)
	if err != nil {
		return c, err
	}
	return s.parse(o, data, lists)
}

// parse judges the text of one manifest, of which the candidate keeps nothing. It fails if
// the lists of files have no place.
func (s *Source) parse(o blob.Object, data []byte, lists *textlist.Store) (candidate, error) {
	o.Now = time.Time{} // when it was asked is nothing about the manifest
	c := candidate{dump: &Dump{Manifest: o.Key, Object: o}, hint: hintMend}
	m, err := parseManifest(data, s.at, &s.lists)
	c.hasID, c.dump.ID, c.notices = m.hasID, m.id, m.notices
	switch {
	case err != nil:
		c.reason, c.hint = err.Error(), hintCopy
	case m.faulty > 0:
		c.reason = m.reason()
	default:
		c.dump.Properties = strings.Clone(m.properties)
		c.dump.Entries = unite(m.entries)
		c.dump.seal()
		c.lead = leadOf(c.dump.Entries)
		return c, c.dump.pack(lists)
	}
	return c, nil
}

// listsError says that lists of files have no place.
type listsError struct{ err error }

func (e *listsError) Error() string { return e.err.Error() }

// Unwrap returns why.
func (e *listsError) Unwrap() error { return e.err }

// pack has a dump keep nothing of the text of its manifest.
func (d *Dump) pack(lists *textlist.Store) error {
	w := lists.NewWriter()
	for _, e := range d.Entries {
		for _, key := range e.listed {
			w.Add(key)
		}
		var err error
		if e.Files, err = w.List(); err != nil {
			return &listsError{err}
		}
		e.Name, e.listed = strings.Clone(e.Name), nil
	}
	return nil
}

// seal computes the digests of a dump that is complete.
func (d *Dump) seal() {
	var room [4 << 10]byte
	buf := room[:0]
	for _, e := range d.Entries {
		e.Digest, buf = e.digest(buf)
	}
	d.Digest = d.digest(buf)
}

// digest returns the digest of what the dump means, without its id: of all its
// entries, in whatever order they stand. Where its property definitions lie is
// not part of it: they change no row.
func (d *Dump) digest(buf []byte) string {
	buf = appendText(buf[:0], "manifest 1")
	for _, e := range d.Entries {
		buf = appendText(buf, e.Digest)
	}
	return hexSum(buf)
}

// judge sorts candidates into dumps and problems. Manifests with one id are one
// dump if they mean the same; otherwise none of them is used.
func (l *Listing) judge(found []candidate) {
	slices.SortStableFunc(found, func(a, b candidate) int {
		if a.hasID != b.hasID {
			return cmp.Compare(flag(a.hasID), flag(b.hasID))
		}
		return compareIDs(a.dump.ID, b.dump.ID)
	})
	for i := 0; i < len(found); {
		n := 1
		for found[i].hasID && i+n < len(found) && found[i+n].hasID && found[i+n].dump.ID == found[i].dump.ID {
			n++
		}
		l.take(found[i : i+n])
		i += n
	}
	slices.SortFunc(l.Problems, func(a, b Problem) int { return strings.Compare(a.Manifests[0], b.Manifests[0]) })
}

// take judges the candidates of one id, or one without.
func (l *Listing) take(group []candidate) {
	first := group[0]
	p := Problem{Dump: first.dump.ID, HasDump: first.hasID, Hint: first.hint}
	differ := false
	for _, c := range group {
		p.Manifests = append(p.Manifests, c.dump.Manifest)
		if at := c.dump.Object.ModTime; at.After(p.Changed) {
			p.Changed = at
		}
		if c.reason != "" {
			p.Reason, p.Hint = c.reason, c.hint
		}
		differ = differ || c.dump.Digest != first.dump.Digest
	}
	slices.Sort(p.Manifests)
	switch {
	case len(group) == 1 || !differ && p.Reason == "":
	case p.Reason != "":
		p.Reason = groupReason(group)
	default:
		p.Reason = fmt.Sprintf("they are one dump, %d, and differ in %s", first.dump.ID, difference(group))
		p.Hint = hintTwin
	}
	if p.Reason != "" {
		l.Problems = append(l.Problems, p)
		return
	}
	l.Dumps = append(l.Dumps, first.dump)
	for _, n := range first.notices {
		l.Notices = append(l.Notices, first.dump.Manifest+": "+n)
	}
}

// groupReason says which of several manifests of one dump are bad, and why.
func groupReason(group []candidate) string {
	var bad []string
	for _, c := range group {
		if c.reason != "" {
			bad = append(bad, fmt.Sprintf("%s is bad (%s)", c.dump.Manifest, c.reason))
		}
	}
	return fmt.Sprintf("they are one dump, %d, and %s", group[0].dump.ID, strings.Join(bad, ", "))
}

// difference names what differs between manifests of one dump.
func difference(group []candidate) string {
	var in []string
	add := func(what string) {
		if !slices.Contains(in, what) {
			in = append(in, what)
		}
	}
	a := group[0].dump
	for _, c := range group[1:] {
		for _, pair := range [][2]*Dump{{a, c.dump}, {c.dump, a}} {
			for _, e := range pair[0].Entries {
				if f := pair[1].Entry(e.Name); f == nil || f.Digest != e.Digest {
					add("table " + abbreviate(e.Name))
				}
			}
		}
	}
	const most = 5
	if len(in) > most {
		in = append(in[:most], amount.Number(len(in)-most)+" more")
	}
	return strings.Join(in, ", ")
}

func compareIDs(a, b int64) int { return cmp.Compare(a, b) }

// judgePrefixes fails if all dumps that were read lie where a prefix leads. Where only some
// do, these are held.
func judgePrefixes(found []candidate) error {
	var first *PrefixError
	readable := false
	for i := range found {
		c := &found[i]
		switch {
		case c.prefix != nil:
			first = c.prefix
		case c.reason == "" && slices.ContainsFunc(c.dump.Entries, func(e *Entry) bool { return e.Files.Len() > 0 }):
			readable = true
		}
	}
	if first == nil {
		return nil
	}
	if !readable {
		return first
	}
	for i := range found {
		if c := &found[i]; c.prefix != nil {
			c.reason, c.hint = c.prefix.reason(), fmt.Sprintf("the other dumps are read as they are, so place its files below %s/", c.prefix.Prefix)
		}
	}
	return nil
}
