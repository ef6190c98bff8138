package chain

import (
	"context"
	"fmt"
	"time"
)

// Vouching returns the checkpoint that vouches for what lies below it: the newest one
// that is old, as Collect has it. It is nil if there is none.
func (c *Chain) Vouching(ctx context.Context, head Position) (*Checkpoint, error) {
	list, err := c.checkpointsUpTo(ctx, head)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	o, err := c.store.Stat(ctx, list[0].Key)
	if err != nil {
		return nil, fmt.Errorf("ask for the store's clock: %w", err)
	}
	vouch, _ := pair(list, func(t time.Time) bool { return !o.Now.IsZero() && !t.IsZero() && o.Now.Sub(t) > c.o.Day })
	for i := range list {
		if list[i].Serial == vouch && vouch > 0 {
			return &list[i], nil
		}
	}
	return nil, nil
}

// ObjectGeneration returns the generation of the lease under which an object was made;
// false if no object has such a name.
func ObjectGeneration(name string) (uint64, bool) {
	n, ok := parseObjectName(name)
	return n.generation, ok
}
