package dump

import (
	"errors"
	"fmt"
	"io"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
)

// manifestPart is the part of memory_limit that a manifest may have.
const manifestPart = 4

// tooLarge is a manifest that is not read, but for the id at its beginning. It fails if
// the store does not give that out.
func (s *Source) tooLarge(h blob.Handle) (candidate, error) {
	o := h.Object()
	c := candidate{dump: &Dump{Manifest: o.Key, Object: o}, hint: hintMend}
	const most = 64 << 10
	begin := make([]byte, min(o.Size, most))
	if n, err := h.ReadAt(begin, 0); n < len(begin) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return c, err
	}
	c.dump.ID, c.hasID = idAtBegin(string(begin))
	if o.Size > MostManifest {
		c.reason = fmt.Sprintf("it has %s, and at most %s are read, whatever memory_limit is", amount.Of(o.Size, "byte"), amount.Number(MostManifest))
		return c, nil
	}
	c.reason = fmt.Sprintf("it has %s, and at most %s are read: a quarter of memory_limit", amount.Of(o.Size, "byte"), amount.Number(s.manifest))
	c.hint = fmt.Sprintf("set memory_limit = \"%dMiB\" or more", (o.Size*manifestPart+1<<20-1)>>20)
	return c, nil
}

// idAtBegin returns the dump_id of a manifest of which text is the beginning, if it
// stands there.
func idAtBegin(text string) (id int64, ok bool) {
	m := &manifest{}
	p := &scanner{s: text}
	enough := errors.New("a member follows")
	err := p.object(func(name string) error {
		switch {
		case m.hasID: // all of it was there
			return enough
		case name == "dump_id":
			return m.readID(p)
		}
		return p.skip()
	})
	if err != enough {
		return 0, false
	}
	return m.id, true
}
