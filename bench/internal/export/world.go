package export

import (
	"math"
	"sort"
)

// world computes everything about an export's rows from their numbers. Events
// and sessions are numbered by time, those of nights after all others.
type world struct {
	o               Options
	start           int64 // of the first event, in ms
	nights          []nightPart
	mapped          int // users below it are mapped to another one
	mappedNewcomers int // and so many newcomers
	prefix          uint64
	current         int // number of the dump that is being written, from 0
}

// nightPart is what a night adds.
type nightPart struct {
	events, sessions span
	old              float64
}

const (
	msPerDay  = 24 * 60 * 60 * 1000
	startTime = 1_751_328_000_000 // 2025-07-01
	idBits    = 53
)

// newWorld makes the world of an export that the nights were added to.
func newWorld(o Options, nights []Night) *world {
	w := &world{o: o, start: startTime, mapped: o.Migrations, prefix: mix(o.Seed)}
	events, sessions := o.Events, o.Sessions
	for _, n := range nights {
		p := nightPart{events: span{events, events}, sessions: span{sessions, sessions}, old: n.Old}
		if n.Events > 0 && !n.Again {
			fresh := n.Events - int(float64(n.Events)*o.Overlap/(1+o.Overlap))
			p.events.hi += fresh
			p.sessions.hi += fresh/eventsPerSession + 1
		}
		events, sessions = p.events.hi, p.sessions.hi
		w.nights = append(w.nights, p)
		switch {
		case n.Again:
		case n.Recent:
			w.mappedNewcomers += n.Migrations
		default:
			w.mapped += n.Migrations
		}
	}
	return w
}

// mix spreads x over all bits, one to one.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Kinds of things that have a hash.
const (
	ofEvent = iota + 1
	ofSession
	ofUser
	ofTime
	ofPlace
)

func (w *world) hash(kind, n int) uint64 {
	return mix(w.prefix ^ uint64(kind)<<56 ^ uint64(n))
}

// userID, sessionID and eventID are one to one but for the seldom meeting of
// two hashes.
func (w *world) userID(u int) int64    { return int64(w.hash(ofUser, u) >> (64 - idBits)) }
func (w *world) sessionID(s int) int64 { return int64(w.hash(ofSession, s) >> (64 - idBits)) }
func (w *world) eventID(i int) int64   { return int64(w.hash(ofEvent, i) >> (64 - idBits)) }

func (w *world) span() int64 { return int64(w.o.Days) * msPerDay }

// place returns the number of the event in whose time and session an event
// happened: its own, unless it is an old one.
func (w *world) place(i int) int {
	old, before := w.o.Old, i
	if i >= w.o.Events {
		before = w.o.Events
		k := sort.Search(len(w.nights), func(k int) bool { return i < w.nights[k].events.hi })
		old = w.nights[k].old
	}
	if old == 0 || before == 0 {
		return i
	}
	h := w.hash(ofPlace, i)
	if float64(h>>32)/(1<<32) >= old {
		return i
	}
	return int(h & math.MaxUint32 % uint64(before))
}

// eventTime returns the time at a place: of the first Events evenly spread, of
// those of later nights somewhere in the last two days.
func (w *world) eventTime(place int) int64 {
	if place < w.o.Events {
		step := w.span() / int64(w.o.Events)
		return w.start + w.span()*int64(place)/int64(w.o.Events) + int64(w.hash(ofTime, place)%uint64(step+1))
	}
	return w.lastDays() + int64(w.hash(ofTime, place)%uint64(w.start+w.span()-w.lastDays()))
}

// lastDays is when the last two days begin.
func (w *world) lastDays() int64 { return w.start + w.span() - min(2*int64(msPerDay), w.span()) }

// session returns the session at a place: one of a few that were open.
func (w *world) session(place int) int {
	if place < w.o.Events {
		s := int(int64(place) * int64(w.o.Sessions) / int64(w.o.Events))
		return max(s-int(w.hash(ofEvent, place)%8), 0)
	}
	return w.o.Sessions + (place-w.o.Events)/eventsPerSession
}

// eventsPerSession is that of nights.
const eventsPerSession = 10

func (w *world) sessionTime(s int) int64 {
	if s < w.o.Sessions {
		return w.start + w.span()*int64(s)/int64(w.o.Sessions)
	}
	return w.eventTime(w.o.Events + (s-w.o.Sessions)*eventsPerSession)
}

// user returns the user of a session: some have many. Half of the sessions of
// the last days are the newcomers'.
func (w *world) user(s int) int {
	h := w.hash(ofSession, s)
	if n := w.o.Newcomers; n > 0 && h>>63 == 1 && w.sessionTime(s) >= w.lastDays() {
		return w.o.Users + int(h>>16%uint64(n))
	}
	r := float64(h%(1<<32)) / (1 << 32)
	return min(int(float64(w.o.Users)*r*r), w.o.Users-1)
}

// isMapped says whether the current dump maps a user.
func (w *world) isMapped(u int) bool {
	return u < w.mappedNow() || u >= w.o.Users && u < w.o.Users+w.mappedNewcomers
}

// target returns the user that a mapped user becomes. One in a hundred takes
// two hops.
func (w *world) target(u int) int {
	if u%97 == 0 && u+1 < w.o.Migrations && u < w.o.Migrations {
		return u + 1
	}
	half := w.o.Users / 2
	return half + int(w.hash(ofUser, u)%uint64(w.o.Users-half))
}
