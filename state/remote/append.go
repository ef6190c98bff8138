package remote

import (
	"context"
	"fmt"
	"os"
	"time"

	"reconcile/state"
	"reconcile/state/internal/chain"
)

// appendGrace is how long an append that was begun is still carried on after the work
// was told to end: its outcome is worth more than a quick end.
const appendGrace = 15 * time.Second

// appendRecord appends a record while the lease is valid. The end of ctx ends it only
// some time later.
func appendRecord(ctx context.Context, log *chain.Chain, rec *chain.Record, valid func() bool) (chain.Outcome, error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(appendGrace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-inner.Done():
		}
	})
	defer stop()
	out, other, err := log.Append(inner, rec, valid)
	if other != nil && err == nil {
		err = fmt.Errorf("record %d of the log was made by %s on %s at %s: %w", other.Serial, other.Command, other.Host, other.Time.Format(time.RFC3339), state.ErrLost)
	}
	return out, err
}

// hostName is this machine's name in records.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
