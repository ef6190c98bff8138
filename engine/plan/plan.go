package plan

// Plan says what an apply would do, as of one moment.
type Plan struct {
	Lineage string   `cbor:"1,keyasint,omitempty"`
	Serial  uint64   `cbor:"2,keyasint,omitempty"`
	Mapping Mapping  `cbor:"3,keyasint,omitempty"`
	Tables  []*Table `cbor:"4,keyasint,omitempty"`
	Holds   []Hold   `cbor:"5,keyasint,omitempty"`
	// Unclaimed are delivered tables that no block takes.
	Unclaimed []string `cbor:"6,keyasint,omitempty"`
	Notices   []string `cbor:"7,keyasint,omitempty"`
	Recover   []string `cbor:"8,keyasint,omitempty"` // tables whose commit an earlier apply left unfinished
	// Accepted are the dumps whose changed manifests are taken.
	Accepted []int64  `cbor:"9,keyasint,omitempty"`
	Restated []string `cbor:"10,keyasint,omitempty"` // sinks whose current.json is written again
	// AcceptedNow is what -accept lets through, by its name there.
	AcceptedNow []string `cbor:"11,keyasint,omitempty"`
	// Forgotten are the sinks that an apply takes out of the state.
	Forgotten []ForgottenSink `cbor:"12,keyasint,omitempty"`
	// Moved are the sinks that an apply knows at another place.
	Moved []MovedSink `cbor:"13,keyasint,omitempty"`
	// Dumps are those that the source had: a plan that is derived again from these alone
	// has equal digests.
	Dumps []int64 `cbor:"14,keyasint,omitempty"`
	// Unchecked says that what the sinks hold was not looked at. Where the plan is derived
	// again, that is not done either.
	Unchecked bool `cbor:"15,keyasint,omitempty"`
	// ConfigOnly says that the plan is of the configuration alone: of what Config has, and
	// of nothing that is pending. Before it is derived under a lock it has no tables.
	ConfigOnly bool `cbor:"16,keyasint,omitempty"`
	// Config is what the configuration changes, of a plan of that alone.
	Config []ConfigEntry `cbor:"17,keyasint,omitempty"`
	// ConfigDigest identifies what the configuration changes.
	ConfigDigest string `cbor:"18,keyasint,omitempty"`
	// NotChecked is what was not looked at, or could not be known.
	NotChecked []Unchecked `cbor:"19,keyasint,omitempty"`
	// Raise is what the first commit does to the format of the state; nil if that stays.
	Raise *Raise `cbor:"30,keyasint,omitempty"`
	// Folder is that of the configuration, as the command was given it.
	Folder string `cbor:"20,keyasint,omitempty"`
	// RefreshOnly says that the sinks were compared with the state, and that nothing else
	// was looked at. There are no steps then; tables have their Drift.
	RefreshOnly bool `cbor:"21,keyasint,omitempty"`
	// Unjudged are checks that judged nothing of a table since they were declared.
	Unjudged []Unjudged `cbor:"24,keyasint,omitempty"`
}

// Raise is a newer format that a state gets.
type Raise struct {
	From    uint32 `cbor:"1,keyasint,omitempty"`
	To      uint32 `cbor:"2,keyasint,omitempty"`
	Program string `cbor:"3,keyasint,omitempty"` // the first version that reads it
}

// Mapping is what becomes of the user mapping.
type Mapping struct {
	From    *int64   `cbor:"1,keyasint,omitempty"` // the dump whose mapping is applied; nil without one
	To      *int64   `cbor:"2,keyasint,omitempty"` // the dump whose mapping tables are to stand at; nil without one
	Entries int      `cbor:"3,keyasint,omitempty"`
	Merged  int      `cbor:"4,keyasint,omitempty"` // users
	Parted  int      `cbor:"5,keyasint,omitempty"`
	Notes   []string `cbor:"6,keyasint,omitempty"`
	// Taken says that an apply stores a mapping that was read from the source, and
	// Withdrawn that it stores that there is none any more.
	Taken     bool `cbor:"7,keyasint,omitempty"`
	Withdrawn bool `cbor:"8,keyasint,omitempty"`
	// Gone are the dumps of mappings that are lost by going back to earlier dumps.
	Gone []int64 `cbor:"9,keyasint,omitempty"`
}

// ForgottenSink is a sink that a plan takes out of the state. Its files stay.
type ForgottenSink struct {
	Root   string   `cbor:"1,keyasint,omitempty"`
	Tables []string `cbor:"2,keyasint,omitempty"` // that the state has there
	Files  int      `cbor:"3,keyasint,omitempty"`
}

// MovedSink is a sink that lies elsewhere than where the state knows it, with all
// that it held: a folder that was moved, a bucket that was copied.
type MovedSink struct {
	From   string   `cbor:"1,keyasint,omitempty"`
	To     string   `cbor:"2,keyasint,omitempty"`
	Tables []string `cbor:"3,keyasint,omitempty"`
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

// Changes reports whether an apply would do anything. Where the sinks alone were compared,
// it reports whether they are not as the state says.
func (p *Plan) Changes() bool {
	if p.RefreshOnly {
		return len(p.Drifted())+len(p.Restated) > 0
	}
	if p.ConfigOnly && p.Tables == nil {
		return len(p.Config) > 0
	}
	a, c, d := p.Counts()
	return a+c+d > 0 || len(p.Recover)+len(p.Accepted)+len(p.Forgotten)+len(p.Moved)+len(p.Restated) > 0 || p.Mapping.Taken || p.Mapping.Withdrawn
}

// Drifted are the tables of which sinks do not hold what was written.
func (p *Plan) Drifted() (out []*Table) {
	for _, t := range p.Tables {
		if len(t.Drift) > 0 {
			out = append(out, t)
		}
	}
	return out
}
