package lake

import (
	"context"
	"fmt"
	"strings"

	"reconcile/internal/errclass"
	"reconcile/state"
)

// DistrustError says why a table cannot be worked on by what the state and the sinks
// have of it: the state is older than a sink, or of another lake. Planning,
// applying or committing a table returns it from wherever it is found. The table stays
// as it is until it is repaired.
type DistrustError struct{ Why string }

func (d *DistrustError) Error() string { return d.Why }

// ErrorClass implements errclass.Classed.
func (d *DistrustError) ErrorClass() (class errclass.Class, about string) {
	return errclass.Distrusted, ""
}

// WhyDistrusted returns why a table waits for -repair, empty if that is not what err says.
func WhyDistrusted(err error) string {
	if errclass.Of(err) != errclass.Distrusted {
		return ""
	}
	return errclass.Find(err).Error()
}

// FoundNewer is the error of one who finds that a sink is newer than his state: he has
// lost the lock to who wrote that, or his state is older. Who only plans has no lock.
func FoundNewer(ctx context.Context, l *state.Lock, why string) error {
	if l != nil {
		if err := l.Confirm(ctx); err != nil {
			return err
		}
	}
	return &DistrustError{Why: why}
}

// OlderText says that a sink has a greater commit of a table than the state.
func (h *Home) OlderText(root string, there, have uint64) string {
	return fmt.Sprintf("the state %s is older than the sink at %s: the table is there at commit %d, and the state has it at commit %d; bring back the newer state, or go on from this one",
		h.Place, root, there, have)
}

// OtherText says that a sink has a commit of a table that is not the state's.
func (h *Home) OtherText(root string, commit uint64) string {
	return fmt.Sprintf("the state %s is not the one that wrote the sink at %s: both have the table at commit %d, but with other dumps or another user mapping; bring back the state that wrote it, or go on from this one",
		h.Place, root, commit)
}

// OtherLineage is the error that a sink was written from a state of another lineage.
func (k *Lake) OtherLineage(root, wrote, ours string) error {
	have := "the state " + k.o.Home.Place + " is empty"
	if ours != "" {
		have = "the state " + k.o.Home.Place + " is of lineage " + ours
	}
	stays := ""
	if !strings.Contains(k.o.Home.Place, "://") {
		stays = " (local state needs a disk that stays)"
	}
	return fmt.Errorf("%s was written from a state of lineage %s, but %s: bring that state back%s, as by `reconcile state restore` from a backup; if there is none, `reconcile state rebuild` makes it anew; or move the sink's folder aside and apply again",
		k.o.Declared.Name(root), wrote, have, stays)
}
