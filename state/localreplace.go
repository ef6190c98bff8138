package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reconcile/state/internal/boltfile"
)

// LockOver is Lock, which does not look at the content.
func (s *local) LockOver(ctx context.Context, holder Holder, wait time.Duration) (Session, error) {
	return s.Lock(ctx, holder, wait)
}

// standing is what there is of a state file.
type standing struct {
	meta   metaRecord // as far as it can be read
	exists bool
	damage error
}

// standing proves the state file. That it is damaged is no error.
func (s *local) standing(ctx context.Context) (st standing, err error) {
	st.exists, err = s.view(ctx, func(v *boltfile.View) error {
		meta, err := s.readMeta(v)
		if err != nil {
			return err
		}
		st.meta = meta
		_, err = s.verify(v, nil)
		return err
	})
	if errors.Is(err, ErrDamaged) {
		st.damage, err = err, nil
	}
	return st, err
}

// Over looks at the state file and the folder of its objects, which it marks where
// nobody's is.
func (l *localLock) Over(ctx context.Context, lineage string) (Base, error) {
	if err := l.check(); err != nil {
		return Base{}, err
	}
	s := l.store
	st, err := s.standing(ctx)
	if err != nil {
		return Base{}, err
	}
	if have := st.meta.Lineage; have != "" && have != lineage {
		return Base{}, &LineageError{Place: s.path, Lineage: have, What: "what is to replace it", Want: lineage}
	}
	if err := s.take(ctx, lineage, st.exists && st.damage == nil); err != nil {
		return Base{}, err
	}
	return Base{Serial: st.meta.Serial, Lineage: st.meta.Lineage, Generation: st.meta.Generation, Whole: st.exists && st.damage == nil, Damage: st.damage}, nil
}

// take makes the folder of the objects that of a lineage, unless it is another state's.
func (s *local) take(ctx context.Context, lineage string, born bool) error {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	m, err := s.readMarker()
	switch {
	case errors.Is(err, errNoMarker):
		return s.unmarked(born, lineage, err)
	case err != nil:
		return err
	case m != nil && !m.begun && m.lineage != lineage:
		return &LineageError{Place: s.ObjectsDir(), Lineage: m.lineage, What: "what is to replace it", Want: lineage}
	case m == nil || *m != marker{lineage: lineage}:
		if err := s.writeMarker(ctx, marker{lineage: lineage}); err != nil {
			return err
		}
	}
	s.owner.known, s.owner.born, s.owner.lineage, s.owner.claimed = true, true, lineage, true
	return nil
}

// replace commits a transaction that replaces all: on top of a state file that can be
// read, else in a new one, whose renaming is the commit.
func (l *localLock) replace(ctx context.Context, tx *Tx) (Outcome, error) {
	s := l.store
	st, err := s.standing(ctx)
	if err != nil {
		return Refused, err
	}
	if st.exists && st.damage == nil {
		if st.meta.Serial != tx.before || st.meta.Lineage != tx.lineage {
			return Refused, fmt.Errorf("state file %s was replaced meanwhile", s.path)
		}
		st.meta.follow(tx, s.program)
		return s.commit(ctx, tx, st.meta)
	}
	meta := metaRecord{}
	meta.follow(tx, s.program)
	return s.createState(ctx, tx, meta)
}
