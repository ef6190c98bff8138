package commit

import (
	"reconcile/engine/lake"
	"reconcile/state"
)

// Options are what a Committer works with beside its lock.
type Options struct {
	Lake       *lake.Lake
	Declared   *lake.Declared
	Home       *lake.Home
	Protected  *Protected
	Unfinished *Unfinished
	// Published is told of bytes that were made visible, by several goroutines; nil for
	// nobody.
	Published func(bytes int64)
}

// Committer commits under one lock of the state, one table after the other. One
// goroutine uses it at a time.
type Committer struct {
	lock       *state.Lock
	lake       *lake.Lake
	declared   *lake.Declared
	home       *lake.Home
	protected  *Protected
	unfinished *Unfinished
	announcer  *Announcer
	cleaner    *Cleaner
	published  func(bytes int64)
}

// New returns what commits under a lock.
func New(l *state.Lock, o Options) *Committer {
	return &Committer{lock: l, lake: o.Lake, declared: o.Declared, home: o.Home, protected: o.Protected, unfinished: o.Unfinished,
		announcer: NewAnnouncer(l, o), cleaner: NewCleaner(l, o), published: o.Published}
}
