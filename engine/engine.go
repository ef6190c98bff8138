package engine

import (
	"context"
	"errors"
	"runtime"
	"time"

	"reconcile/config"
	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/lake"
	"reconcile/engine/native"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/engine/scratch"
	"reconcile/engine/states"
	"reconcile/engine/steps"
	"reconcile/engine/stores"
	"reconcile/engine/work"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/state"
)

// Options are what a command asks of the engine, beyond the configuration.
type Options struct {
	planner.Options
	Program      string   // version of the program, for files and the state
	Exact        bool     // plan: decode rows instead of estimating
	StatesLost   []string // places of states that sinks name and that are gone for good
	AllowDestroy bool
	LockTimeout  time.Duration
	Parallelism  int // 0: as many as there are processors
	// Progress is told how far an apply or a rebuild of the state is, and how far verify has
	// read; by several goroutines, one at a time.
	Progress func(work.Progress)
	// Now is the clock by which commits and holds are dated; nil for that of the machine.
	Now    func() time.Time
	Tuning Tuning
}

// Tuning holds thresholds that tests make small, so that little data takes every path, and
// what is registered: computed columns, another executor. Zero values stand for the
// defaults.
type Tuning struct {
	Memory     int // bytes of rows that wait for their partition
	SpillGroup int // rows of a row group in scratch files
	WideFrom   int // columns of a table from which on they are very many
	Probe      int // rows and entries of an index that are compared at once
	GroupRows  int // rows of a row group in data files
	AppendAt   int // bytes of a partition from which on rows come to it in a file of their own
	CutAt      int // bytes of a data file from which on another one is begun
	HashBits   int // of the index
	Inline     int // bytes up to which objects stay inside the state
	NoDelta    bool
	IndexRuns  int // runs of an index before they are merged
	// Settle is how long ago a folder must have changed for a fingerprint to count it, and a
	// manifest to be known again.
	Settle time.Duration
	// FingerprintFrom is how many files a table must have in a sink for its folder to get a fingerprint.
	FingerprintFrom int
	// GuardFrom is how many ids a mapping must have for the guard to judge others by it.
	GuardFrom int
	// Lease changes how long leases last, and what a state on S3 keeps, is kept.
	Lease states.Lease
	// Format is that of the state that is written.
	Format state.Format
	// State holds the state in place of where the configuration says, as if on S3.
	State blob.Store `json:"-"`
	// Computed are computed columns, by table.
	Computed map[string][]rules.Computed `json:"-"`
	// S3 changes how stores on S3 are reached.
	S3 func(*s3blob.Options) `json:"-"`
	// Executor carries out the tasks in place of the one in this process.
	Executor exec.Executor `json:"-"`
}

const (
	defaultGroupRows       = 128 << 10
	defaultAppendAt        = 64 << 20
	defaultCutAt           = 256 << 20
	defaultHashBits        = index.HashBits
	defaultIndexRuns       = 8
	defaultFingerprintFrom = 64 // fewer are listed in no time
)

// Engine runs plans and applies of one configuration.
type Engine struct {
	cfg             *config.Config
	opts            Options
	meter           tableMeter
	ask             *planner.Request
	store           *state.Store
	keeper          *states.Keeper
	source          *dump.Source
	stores          *stores.Opener
	home            *lake.Home
	declared        *lake.Declared
	lake            *lake.Lake
	protected       commit.Protected // attempts that are prefetched, or of which it is unknown whether they count
	unfinished      commit.Unfinished
	loaded          *state.Snapshot // by Recover, for the plan that follows; nil if that changed something
	executor        exec.Executor
	now             func() time.Time
	limits          exec.Limits
	sizes           exec.Thresholds
	fingerprintFrom int // files that a table must have in a sink for its folder to get a fingerprint
}

// New returns an engine. It reads nothing of the source and the sinks yet.
func New(ctx context.Context, cfg *config.Config, o Options) (*Engine, error) {
	if o.Progress == nil {
		o.Progress = func(work.Progress) {}
	}
	limits := newLimits(cfg, o)
	e := &Engine{cfg: cfg, opts: o, limits: limits}
	e.stores = &stores.Opener{Settle: o.Tuning.Settle, S3: o.Tuning.S3, Transfers: stores.Transfers(e.limits.Budget.Transfers())}
	e.meter = tableMeter{work.NewMeter(o.Progress), limits.Budget, e.stores.RoundTrip}
	e.sizes, e.fingerprintFrom = newThresholds(o.Tuning, e.limits.Budget), orDefault(o.Tuning.FingerprintFrom, defaultFingerprintFrom)
	opener := e.newPlaces()
	if err := errors.Join(e.openStores(ctx), e.openState(ctx, opener)); err != nil {
		return nil, err
	}
	if e.executor = o.Tuning.Executor; e.executor == nil {
		e.executor = native.Executor{}
	}
	if e.now = o.Now; e.now == nil {
		e.now = time.Now
	}
	e.ask = &planner.Request{Config: cfg, Options: o.Options, GuardFrom: o.Tuning.GuardFrom}
	return e, nil
}

// Lock takes the state for writing. The caller unlocks it.
func (e *Engine) Lock(ctx context.Context, command string) (*state.Lock, error) {
	return e.store.Lock(ctx, state.NewHolder(command), e.opts.LockTimeout)
}

// newLimits are the limits of a command.
func newLimits(cfg *config.Config, o Options) exec.Limits {
	workers := orDefault(o.Parallelism, runtime.GOMAXPROCS(0))
	b := exec.NewBudget(cfg.MemoryLimit, workers)
	if o.Tuning.Memory > 0 {
		b = exec.RowBudget(o.Tuning.Memory, workers)
	}
	return exec.Limits{Budget: b, Scratch: cfg.ScratchDir, SpillGroup: o.Tuning.SpillGroup, WideFrom: o.Tuning.WideFrom, ProbeAtOnce: o.Tuning.Probe}
}

// newThresholds are the sizes that files and objects go by.
func newThresholds(t Tuning, b exec.Budget) exec.Thresholds {
	return exec.Thresholds{GroupRows: min(orDefault(t.GroupRows, defaultGroupRows), b.GroupRows()), AppendAt: int64(orDefault(t.AppendAt, defaultAppendAt)),
		CutAt: int64(orDefault(t.CutAt, defaultCutAt)), HashBits: orDefault(t.HashBits, defaultHashBits), IndexRuns: orDefault(t.IndexRuns, defaultIndexRuns)}
}

func orDefault(v, d int) int {
	if v <= 0 {
		return d
	}
	return v
}

// scratch is scratch_dir as the state of the engine uses it.
func (e *Engine) scratch() scratch.Area {
	return scratch.Area{Dir: e.cfg.ScratchDir, State: e.store.Place()}
}

// applyScratch makes the scratch folder of an apply; what it returns removes it.
func (e *Engine) applyScratch() (remove func(), err error) {
	dir, remove, err := e.scratch().ForApply()
	if err != nil {
		return nil, err
	}
	e.limits.Scratch = dir
	return remove, nil
}

// stepMaker returns what makes the steps of tables.
func (e *Engine) stepMaker() *steps.Maker {
	return &steps.Maker{Ask: e.ask, Store: e.store, Source: e.source, Lake: e.lake, Executor: e.executor, Limits: e.limits,
		Sizes: e.sizes, Program: e.opts.Program, Tagged: e.tagged(), NoDelta: e.opts.Tuning.NoDelta, Computed: e.opts.Tuning.Computed,
		Key: func(verifier string) []byte { return e.cfg.MaskKey(verifier) }, Progress: e.meter.Tell}
}
