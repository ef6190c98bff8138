package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/health"
	"reconcile/engine/model"
	"reconcile/internal/blob"
	"reconcile/internal/feed"
)

// waits waits for something new, for an hour of a clock that goes on while it sleeps. on is
// called with how often it slept.
func (a *bed) waits(e *Engine, on func(n int)) (*health.News, int, error) {
	a.t.Helper()
	now, n := time.Date(2026, 3, 5, 2, 0, 0, 0, time.UTC), 0
	news, err := e.Health().Wait(a.t.Context(), health.Wait{Limit: time.Hour, Now: func() time.Time { return now }, Sleep: func(ctx context.Context, d time.Duration) error {
		now = now.Add(d)
		n++
		on(n)
		return ctx.Err()
	}})
	return news, n, err
}

// news says what it waits for, "nothing" if nothing comes.
func (a *bed) news() string {
	a.t.Helper()
	news, n, err := a.waits(a.engine(), func(int) {})
	switch {
	case err != nil:
		a.t.Fatal(err)
	case news == nil && n != 100:
		a.t.Fatalf("it slept %d times", n)
	case news == nil:
		return "nothing"
	case n > 0:
		a.t.Fatalf("it slept %d times", n)
	case len(news.Unfinished) > 0:
		return "unfinished " + strings.Join(news.Unfinished, ",")
	}
	return fmt.Sprintf("%d %s", news.Newest, strings.Join(news.Tables, ","))
}

func (a *bed) wantNews(want string) {
	a.t.Helper()
	if got := a.news(); got != want {
		a.t.Errorf("the news is %s, want %s", got, want)
	}
}

// TestWaitForNew: what is new is what a table or the mapping can take and no apply has
// seen. What is held is seen once.
func TestWaitForNew(t *testing.T) {
	a := newBed(t, waitConfig)
	part := func(id int64) *model.File { return avroPart("event_id user_id", row(id, 10)) }
	bad := part(2)
	bad.Fault = model.Missing
	a.wantNews("nothing")
	a.arrive(dumpOf(1, full("e", part(1)), full("f", part(1))))
	a.wantNews("1 e,f")
	a.run()
	a.wantNews("nothing")

	a.arrive(dumpOf(2, more("noise", part(2))), dumpOf(3))
	a.wantNews("nothing")
	a.arrive(dumpOf(4, full(feed.TableMapping, avroPart("from_user_id to_user_id time", row(10, 11, "2026-02-01")))))
	a.wantNews("4 user_migrations")
	a.run()
	a.wantNews("nothing")

	a.arrive(dumpOf(5, more("e", bad)))
	a.wantNews("5 e")
	a.held(a.run(), "e sync_5")
	a.wantNews("nothing")
	a.arrive(dumpOf(6, more("e", part(6))))
	a.wantNews("6 e")
	a.held(a.run(), "e sync_5")
	a.wantNews("nothing")
	a.arrive(dumpOf(-1, more("e", part(20)))) // late ones do not wait
	a.wantNews("6 e")
	a.held(a.run(), "e sync_5")
	a.wantNews("nothing")
	a.arrive(dumpOf(7, more("f", part(7))))
	a.wantNews("7 f")
	a.opts.Targets = []string{"table.e"}
	a.wantNews("nothing")
	a.run()
	a.opts.Targets = nil
	a.wantNews("nothing") // an apply has seen it, and was told to leave it
	a.held(a.run(), "e sync_5")
	if a.want("f", "event_id", "1", "7"); t.Failed() {
		return
	}
	a.arrive(dumpOf(8, full("e", part(8)))) // makes void what is held
	a.wantNews("8 e")
	a.held(a.run())
	a.wantNews("nothing")
	if !a.snapshot().Waiting.Empty() {
		t.Errorf("there still waits %+v", a.snapshot().Waiting)
	}

	a.replace(dumpOf(8, full("e", part(8)), more("g", part(9)))) // a manifest that changed holds its dump
	a.wantNews("nothing")
	a.replace(dumpOf(8, full("e", part(8))))

	a.arrive(dumpOf(9, more("e", part(9))))
	a.interruptAt("publish.move.before=error")
	a.wantNews("unfinished e")
}

// TestWaitingGoesOn: it is looked again and again, also while the source is out of reach.
func TestWaitingGoesOn(t *testing.T) {
	a := newBed(t, waitConfig)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	late := dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10))))
	news, n, err := a.waits(a.engine(), func(n int) {
		if n == 30 {
			a.arrive(late)
		}
	})
	if err != nil || news == nil || news.Newest != 2 || n != 30 {
		t.Errorf("after %d looks: %+v, %v", n, news, err)
	}
	a.run()

	e, down := a.engine(), &downStore{}
	store, err := blob.NewLocal(filepath.Join(a.dir, "dumps"))
	if err != nil {
		t.Fatal(err)
	}
	down.Store = store
	e.source = dump.Open(down, dump.Options{Dated: true, Retry: blob.Retry{Attempts: 1}})
	for name, c := range map[string]struct {
		from, to int
		err      error
		arrives  int
		slept    int
		want     error
	}{
		"from the beginning": {0, 5, syscall.EIO, 50, 0, syscall.EIO},
		"for a while":        {10, 20, syscall.EIO, 50, 50, nil},
		"until the end":      {10, 1000, syscall.EIO, 50, 100, syscall.EIO},
		"no source any more": {10, 20, fs.ErrNotExist, 50, 10, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			down.err = nil
			if c.from == 0 {
				down.err = c.err
			}
			arrived := slices.Clone(a.arrived)
			news, n, err := a.waits(e, func(n int) {
				if down.err = nil; n >= c.from && n < c.to {
					down.err = c.err
				}
				if n == c.arrives && c.want == nil {
					a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 10)))))
				}
			})
			if n != c.slept || !errors.Is(err, c.want) || (news != nil) != (c.want == nil) {
				t.Errorf("after %d looks: %+v, %v", n, news, err)
			}
			if len(a.arrived) > len(arrived) {
				a.run()
			}
		})
	}
}

// downStore is a store that cannot be reached while there is an error.
type downStore struct {
	blob.Store
	err error
}

func (d *downStore) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.Store.List(ctx, prefix)
}
