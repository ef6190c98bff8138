package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"reconcile/state"
)

func lockCommand() *command {
	var o configFlags
	c := &command{
		name:    "lock",
		usage:   "show [flags]",
		words:   []string{"show"},
		summary: "Show who holds the lock of the state, and since when",
		help: `Reads the lock and changes nothing. The lock of a state on S3 is a lease, which its
holder renews. It is free when the time that it shows has passed since the last
renewal. The lock of a state on this machine ends with its process.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		if len(args) != 1 || args[0] != "show" {
			return 0, errors.New("write `reconcile lock show`")
		}
		e, err := s.reader(ctx, &o)
		if err != nil {
			return 0, err
		}
		st, err := e.States().LockStatus(ctx)
		if err != nil {
			return 0, err
		}
		s.showLock(st)
		return exitDone, nil
	}
	return c
}

// lockLine is how the lock of a state stands.
type lockLine struct {
	State      string      `json:"state"`
	Status     string      `json:"status"`
	Holder     *lockHolder `json:"holder"`
	ID         string      `json:"id,omitempty"`
	Generation uint64      `json:"generation,omitempty"`
	TTL        int64       `json:"ttl_seconds,omitempty"`
	Age        *int64      `json:"renewed_seconds_ago,omitempty"`
	FreeIn     int64       `json:"free_in_seconds,omitempty"`
	Expired    bool        `json:"expired"`
	Damage     string      `json:"damage,omitempty"`
}

// lockHolder is the process that has a lock.
type lockHolder struct {
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	User    string `json:"user"`
	Command string `json:"command"`
	Since   string `json:"since"`
}

func newLockLine(st *state.LockStatus) lockLine {
	v := lockLine{State: st.Place, Status: string(st.State), ID: st.ID, Generation: st.Generation, TTL: seconds(st.TTL),
		FreeIn: seconds(st.FreeIn()), Expired: st.Expired, Damage: st.Detail}
	if h := st.Holder; h.PID != 0 {
		v.Holder = &lockHolder{h.PID, h.Host, h.User, h.Command, h.Since.UTC().Format(time.RFC3339)}
	}
	if st.Lease && st.Dated && st.State != state.LockFree {
		age := seconds(st.Age)
		v.Age = &age
	}
	return v
}

// seconds rounds a time up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (s *session) showLock(st *state.LockStatus) {
	v := newLockLine(st)
	switch {
	case st.State == state.LockFree:
		s.view.record("lock", v, "The lock of state %s is free.\n", st.Place)
	case st.State == state.LockDamaged:
		s.view.record("lock", v, "The lock of state %s is damaged: %s.\nSee that no reconcile is at work on this state, then run: reconcile force-unlock %s\n", st.Place, st.Detail, st.ID)
	case !st.Lease:
		s.view.record("lock", v, "The lock of state %s is held.\n  holder      %s\nIt ends with that process.\n", st.Place, holderText(st.Holder))
	default:
		s.view.record("lock", v, "The lock of state %s is %s.\n  holder      %s\n  renewed     %s\n  lasts       %s after its last renewal\n  expired     %s\n  ID          %s\n  generation  %d\n",
			st.Place, string(st.State), holderText(st.Holder), renewedText(st), (st.TTL + st.Margin).String(), expiredText(st), st.ID, st.Generation)
	}
}

func holderText(h state.Holder) string {
	if h.PID == 0 {
		return "a process that did not say who it is"
	}
	return fmt.Sprintf("%s@%s (process %d, %q) since %s", h.User, h.Host, h.PID, h.Command, h.Since.UTC().Format(time.RFC3339))
}

func renewedText(st *state.LockStatus) string {
	if !st.Dated {
		return "nobody knows when, as the store does not tell its time"
	}
	return st.Age.Round(time.Second).String() + " ago, by the store's clock"
}

func expiredText(st *state.LockStatus) string {
	switch {
	case !st.Dated:
		return "nobody knows"
	case st.Expired:
		return "yes, the next apply takes it over"
	}
	return "no"
}
