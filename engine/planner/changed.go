package planner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/state"
)

// fileChange is what became of a part file since it was read.
type fileChange int

const (
	unchanged fileChange = iota
	rewritten            // the same bytes under another ETag
	grown                // what was read is its beginning
	replaced             // another file
)

// compareRead compares the files of the dumps that the table applied last with what
// was read of them. A dump with a file that has grown is taken again, so that its
// new rows come in by their versions. A file that is another one has the table
// rebuilt. While one cannot be read as a whole, or the rebuild cannot be made, the
// table is held from its dump on. What a resync makes void is not looked at, nor
// anything where all is read anyway.
func compareRead(ctx context.Context, p *Session, t *Table, sizes map[int64]int64) error {
	if t.Old == nil {
		return nil
	}
	t.Compared = map[int64]bool{}
	var list []ReadDelivery
	for _, was := range t.Old.Read {
		d := t.StillListed(was)
		if d == nil {
			continue
		}
		t.Compared[was.Dump] = true // also where a resync turns out to be bad, or the table is held below
		if t.Floor.Live(was.Dump) && t.Change.Class != plan.ClassRebuild {
			list = append(list, ReadDelivery{d, was, map[string]PartFile{}})
		}
	}
	return CompareFiles(ctx, p, t, list, sizes)
}

// CompareFiles compares the files of dumps, which are in their order.
func CompareFiles(ctx context.Context, p *Session, t *Table, list []ReadDelivery, sizes map[int64]int64) error {
	if err := probeAgain(ctx, p, list); err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	var others []otherFile
	for _, rd := range list {
		c, files, h, err := changeOf(ctx, p, t, rd)
		if err != nil {
			return fmt.Errorf("table %s, dump %d: %w", t.Name, rd.Dump, err)
		}
		if c == grown && h == nil {
			if h, sizes[rd.Dump], err = checkGrown(ctx, p, t, rd.Delivery); err != nil {
				return err
			}
		}
		if h != nil {
			t.Bad[rd.Dump] = *h // what is above waits
			return nil
		}
		t.Compared[rd.Dump] = c > rewritten
		others = append(others, files...)
	}
	return checkReplaced(ctx, p, t, others)
}

// checkGrown has a dump read again, of which a file has grown, or returns why that
// cannot be.
func checkGrown(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, int64, error) {
	h, size, err := checkFiles(ctx, p, t, d)
	if h != nil {
		h.Reason = fmt.Sprintf("%s; another file of the dump has grown since it was read, and only all of them together tell which rows are new: "+
			"the table keeps what it has, and later dumps wait; put the file back, or leave the dump out by skip_dump", h.Reason)
	}
	d.Again = h == nil && err == nil
	return h, size, err
}

// ReadDelivery is a dump whose files are compared: as it is listed, what was read
// of them, and those that may be others now, by key.
type ReadDelivery struct {
	*Delivery
	Was state.ReadDump
	Now map[string]PartFile
}

// StillListed returns the delivery that a record is about, nil if the source does
// not list the same files any more.
func (t *Table) StillListed(was state.ReadDump) *Delivery {
	i := t.DeliveryOf(was.Dump)
	if i < 0 {
		return nil
	}
	d := &t.All[i]
	k, ok := slices.BinarySearchFunc(t.Old.Applied, was.Dump, func(a state.Applied, id int64) int { return cmp.Compare(a.Dump, id) })
	if !ok || t.Old.Applied[k].Lost || t.Old.Applied[k].Digest != d.Entry.Digest || d.Entry.Problem != "" || d.Entry.Files.Len() != len(was.Files) {
		return nil
	}
	return d
}

// ListRead lists, all at once, the folders of the dumps whose files are compared.
func ListRead(ctx context.Context, p *Session) error {
	var list []Delivery
	add := func(table string, dump int64) {
		if d := p.Listing.Dump(dump); d != nil && d.Entry(table) != nil && !p.Ask.LeftOut(dump, table) {
			list = append(list, Delivery{Dump: dump, Entry: d.Entry(table)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Snap.Tables)) {
		for _, was := range p.Snap.Tables[name].Read {
			add(name, was.Dump)
		}
	}
	if m := p.Snap.Mapping; m != nil && m.Read != nil {
		add(feed.TableMapping, m.Dump)
	}
	p.probed()
	if !p.tagged() {
		return nil
	}
	return listDumps(ctx, p, list)
}

// probeAgain finds out which files of applied dumps are there as others. On S3 ListRead has
// listed the folder of each dump: what is gone from it is not asked for. In folders those of
// another size are looked at.
func probeAgain(ctx context.Context, p *Session, list []ReadDelivery) error {
	for _, rd := range list {
		others, err := filesAgain(ctx, p, rd)
		if err != nil {
			return err
		}
		for _, f := range others {
			switch {
			case !f.seen || errors.Is(f.err, fs.ErrNotExist):
			case dump.Unavailable(f.err) || ctx.Err() != nil:
				return errors.Join(ctx.Err(), f.err)
			default:
				rd.Now[f.Key] = f
			}
		}
	}
	return nil
}

// filesAgain returns the files of an applied dump that may be others.
func filesAgain(ctx context.Context, p *Session, rd ReadDelivery) (out []PartFile, _ error) {
	sizes, err := sizesOf(ctx, p, rd)
	if err != nil {
		return nil, err
	}
	folder := fmt.Sprintf("sync_%d/", rd.Dump)
	i := -1
	for f, err := range FilesOf(p, rd.Entry) {
		if err != nil {
			return nil, err
		}
		i++
		switch was := rd.Was.Files[i]; {
		case p.tagged() && f.seen && f.err == nil && sameFile(was, f, true):
		case p.tagged() && !f.seen && strings.HasPrefix(f.Key, folder): // no listing shows it
		case !p.tagged() && sizes[i] == was.Size:
		default:
			out = append(out, f)
		}
	}
	return out, askAll(ctx, p, out)
}

// sizesOf are the sizes of the files of a dump in a folder, where that is known at once.
func sizesOf(ctx context.Context, p *Session, rd ReadDelivery) ([]int64, error) {
	if p.tagged() {
		return nil, nil
	}
	keys, err := rd.Entry.Files.Texts()
	if err != nil {
		return nil, err
	}
	return p.Source.Sizes(ctx, keys)
}

// otherFile is a file that is not the one that was read.
type otherFile struct {
	dump int64
	text string // says so
}

// changeOf says what became of a dump's files: the most that any of them did and
// which are others now, or why one of them cannot be read as a whole. A file that is
// gone is as it was.
func changeOf(ctx context.Context, p *Session, t *Table, rd ReadDelivery) (most fileChange, others []otherFile, _ *plan.Hold, _ error) {
	var renewed []state.ReadFile // as they are read now, nil if none is another
	i := -1
	for key, err := range rd.Entry.Files.All() {
		if err != nil {
			return 0, nil, nil, err
		}
		i++
		was := rd.Was.Files[i]
		now, there := rd.Now[key]
		if !there || sameFile(was, now, p.tagged()) {
			continue
		}
		c, err := changeOfFile(ctx, p, t, rd.Dump, was, now)
		if dump.Unavailable(err) {
			return 0, nil, nil, err
		}
		if err != nil {
			return 0, nil, &plan.Hold{Table: t.Name, Dump: rd.Dump, File: key, Reason: changedReason(was.Size, now.Size, err)}, nil
		}
		if c == replaced {
			others = append(others, otherFile{rd.Dump, fmt.Sprintf("%s of dump %d is not the file that was read: it has %s now, it had %s", key, rd.Dump, amount.Of(now.Size, "byte"), amount.Number(was.Size))})
		}
		if renewed == nil {
			renewed = slices.Clone(rd.Was.Files)
		}
		if renewed[i].Tag = ""; p.tagged() {
			renewed[i].Tag = now.Pin
		}
		most = max(most, c)
	}
	if most == rewritten {
		t.Renewed = append(t.Renewed, state.ReadDump{Dump: rd.Dump, Files: renewed})
	}
	return most, others, nil, nil
}

// sameFile reports whether a file looks as it did when it was read.
func sameFile(was state.ReadFile, now PartFile, tagged bool) bool {
	return now.Size == was.Size && (!tagged || was.Tag == "" || was.Tag == now.Pin)
}

// changedReason says why a file that is not the one that was read holds its table.
func changedReason(was, now int64, err error) string {
	return fmt.Sprintf("it is not the file that was read, which had %s: it has %s now, and cannot be read as a whole: %v; "+
		"the table keeps what it has, and later dumps wait until the file is complete; to go on without it, remove the file, or leave the dump out by skip_dump", amount.Of(was, "byte"), amount.Number(now), err)
}

// changeOfFile reads a file that is not as it was. It fails if the file cannot be
// read to its end.
func changeOfFile(ctx context.Context, p *Session, t *Table, id int64, was state.ReadFile, now PartFile) (fileChange, error) {
	for _, h := range p.Snap.Holds {
		if h.Table == t.Name && h.Dump == id && h.File == now.Key && t.stillBad(h.Pin, now.Pin, p.Budget.Block()) {
			return 0, errors.New(h.Reason)
		}
	}
	begins, err := beginsWith(ctx, p, now, was)
	switch {
	case err != nil:
		return 0, err
	case begins && now.Size == was.Size:
		return rewritten, nil
	case begins:
		return grown, nil
	}
	return replaced, nil
}

// beginsWith reads a file to its end, without decoding it, and reports whether it
// begins with what was read.
func beginsWith(ctx context.Context, p *Session, now PartFile, was state.ReadFile) (_ bool, err error) {
	h, err := p.Source.Open(ctx, now.Key)
	if err != nil {
		return false, err
	}
	defer h.Close()
	if h.Object().Pin != now.Pin {
		return false, partfile.ErrChanged
	}
	sum := &prefixSum{hash: xxh3.New128(), left: was.Size}
	sc, err := partfile.NewScanner(io.TeeReader(partfile.Reader(h, 1), sum), now.Size, partfile.Limits(p.Budget))
	if err == nil {
		err = partfile.EachBlock(ctx, sc, func(*avro.Block) error { return nil })
	}
	if err != nil {
		return false, err
	}
	got := sum.hash.Sum128().Bytes()
	return sum.left == 0 && bytes.Equal(got[:], was.Sum), nil
}

// prefixSum takes the digest of the first bytes that are written to it.
type prefixSum struct {
	hash *xxh3.Hasher128
	left int64
}

func (p *prefixSum) Write(b []byte) (int, error) {
	n := min(p.left, int64(len(b)))
	p.left -= n
	if _, err := p.hash.Write(b[:n]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// checkReplaced plans the rebuild that other files ask for. If it would lose rows
// and nobody accepted that, the table is held from the first of their dumps on.
func checkReplaced(ctx context.Context, p *Session, t *Table, others []otherFile) error {
	if len(others) == 0 {
		return nil
	}
	missing, err := missingOf(ctx, p, t)
	if err != nil {
		return err
	}
	var texts []string
	for _, o := range others {
		texts = append(texts, o.text)
	}
	if len(missing) > 0 && !p.Ask.AcceptsLoss(t.Name) {
		first := others[0].dump
		t.Bad[first] = plan.Hold{Table: t.Name, Dump: first, Reason: fmt.Sprintf("%s; the table would have to be rebuilt, but that needs %s; "+
			"the table keeps what it has, and later dumps wait until the old file, or what is missing, is back; %s rebuilds it without the rows of what is missing",
			strings.Join(texts, "; "), strings.Join(missing, ", "), lossFlag(t.Name))}
		return nil
	}
	for _, text := range texts {
		t.Change.Add(plan.ClassRebuild, "%s", text)
	}
	for i := range t.All {
		t.All[i].Again = false // all are
	}
	return nil
}

// missingOf names what a rebuild of the table would need and cannot read.
func missingOf(ctx context.Context, p *Session, t *Table) (missing []string, _ error) {
	for _, id := range RebuiltFrom(p, t) {
		h, _, err := CheckRebuild(ctx, p, t, id)
		switch {
		case err != nil:
			return nil, err
		case h == nil:
		case h.Reason == "":
			missing = append(missing, fmt.Sprintf("dump %d, which is gone from the source", id))
		default:
			missing = append(missing, fmt.Sprintf("dump %d (%s)", id, strings.TrimPrefix(h.File+": "+h.Reason, ": ")))
		}
	}
	return missing, nil
}
