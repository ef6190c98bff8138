package plan

// Plan says what an apply would do, as of one moment.
type Plan struct {
	Lineage string
	Serial  uint64
	Mapping Mapping
	Tables  []*Table
	Holds   []Hold
	// Unclaimed are delivered tables that no block takes.
	Unclaimed []string
	Notices   []string
	Recover   []string // tables whose commit an earlier apply left unfinished
	// Accepted are the dumps whose changed manifests are taken.
	Accepted []int64
	Restated []string // sinks whose current.json is written again
	// AcceptedNow is what -accept lets through, by its name there.
	AcceptedNow []string
	// Forgotten are the sinks that an apply takes out of the state.
	Forgotten []ForgottenSink
	// Moved are the sinks that an apply knows at another place.
	Moved []MovedSink
}

// Mapping is what becomes of the user mapping.
type Mapping struct {
	From    *int64 // the dump whose mapping is applied; nil without one
	To      *int64 // the dump whose mapping tables are to stand at; nil without one
	Entries int
	Merged  int // users
	Parted  int
	Notes   []string
	// Taken says that an apply stores a mapping that was read from the source, and
	// Withdrawn that it stores that there is none any more.
	Taken, Withdrawn bool
	// Gone are the dumps of mappings that are lost by going back to earlier dumps.
	Gone []int64
}

// ForgottenSink is a sink that a plan takes out of the state. Its files stay.
type ForgottenSink struct {
	Root   string
	Tables []string // that the state has there
	Files  int
}

// MovedSink is a sink that lies elsewhere than where the state knows it, with all
// that it held: a folder that was moved, a bucket that was copied.
type MovedSink struct {
	From, To string
	Tables   []string
}

// Counts returns the numbers of the plan's last line.
func (p *Plan) Counts() (add, change, destroy int) {
	for _, t := range p.Tables {
		switch t.Action {
		case Create:
			add++
		case Update, Rebuild, Forget:
			change++
		case Destroy:
			destroy++
		}
	}
	return add, change, destroy
}

// Changes reports whether an apply would do anything.
func (p *Plan) Changes() bool {
	a, c, d := p.Counts()
	return a+c+d > 0 || len(p.Recover)+len(p.Accepted)+len(p.Forgotten)+len(p.Moved)+len(p.Restated) > 0 || p.Mapping.Taken || p.Mapping.Withdrawn
}
