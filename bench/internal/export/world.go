package export

// world computes everything about an export's rows from their numbers.
type world struct {
	o       Options
	start   int64 // of the first event, in ms
	nights  []Night
	mapped  int // users below it are mapped to another one
	prefix  uint64
	current int // number of the dump that is being written, from 0
}

const (
	msPerDay  = 24 * 60 * 60 * 1000
	startTime = 1_751_328_000_000 // 2025-07-01
	idBits    = 53
)

func newWorld(o Options, nights []Night) *world {
	w := &world{o: o, start: startTime, nights: nights, mapped: o.Migrations, prefix: mix(o.Seed)}
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

// eventTime returns the time of an event: of the first Events evenly spread, of
// those of later nights somewhere in the last two days.
func (w *world) eventTime(i int) int64 {
	if i < w.o.Events {
		step := w.span() / int64(w.o.Events)
		return w.start + w.span()*int64(i)/int64(w.o.Events) + int64(w.hash(ofTime, i)%uint64(step+1))
	}
	two := min(2*int64(msPerDay), w.span())
	return w.start + w.span() - two + int64(w.hash(ofTime, i)%uint64(two))
}

// session returns the session of an event: one of a few that were open.
func (w *world) session(i int) int {
	if i < w.o.Events {
		s := int(int64(i) * int64(w.o.Sessions) / int64(w.o.Events))
		return max(s-int(w.hash(ofEvent, i)%8), 0)
	}
	return w.o.Sessions + (i-w.o.Events)/eventsPerSession
}

// eventsPerSession is that of nights.
const eventsPerSession = 10

func (w *world) sessionTime(s int) int64 {
	if s < w.o.Sessions {
		return w.start + w.span()*int64(s)/int64(w.o.Sessions)
	}
	return w.eventTime(w.o.Events + (s-w.o.Sessions)*eventsPerSession)
}

// user returns the user of a session: some have many.
func (w *world) user(s int) int {
	r := float64(w.hash(ofSession, s)%(1<<32)) / (1 << 32)
	return min(int(float64(w.o.Users)*r*r), w.o.Users-1)
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
