package config

import (
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/glob"
)

const (
	defaultState     = ".reconcile/state.db"
	defaultScratch   = ".reconcile/scratch"
	defaultCache     = ".reconcile/cache"
	defaultManifests = "*.json"
)

func (l *loader) loadReconcile(blocks hcl.Blocks) {
	state := placedPath{what: "state", written: defaultState, abs: filepath.Join(l.dir, defaultState)}
	scratch := placedPath{what: "scratch_dir", written: defaultScratch, abs: filepath.Join(l.dir, defaultScratch)}
	var memory *setting[int64]
	if b := l.only(blocks, "reconcile block"); b != nil {
		memory = l.loadSettings(b, &state, &scratch)
	}
	l.cfg.MemoryLimit = l.memoryLimit(memory)
	l.cfg.StatePath, l.cfg.StateS3, l.cfg.ScratchDir = state.abs, state.s3, scratch.abs
	l.cfg.CacheDir = filepath.Join(l.dir, defaultCache)
	l.paths = append(l.paths, state, scratch)
}

// loadSettings reads the reconcile block over the defaults, and returns its memory_limit.
func (l *loader) loadSettings(b *hcl.Block, state, scratch *placedPath) *setting[int64] {
	c := l.content(b, schema{
		optional: []string{"required_version", "memory_limit", "scratch_dir"},
		blocks:   []hcl.BlockHeaderSchema{{Type: "state", LabelNames: []string{"kind"}}},
	})
	l.checkVersion(c.Attributes["required_version"])
	if p := l.place(c.Attributes["scratch_dir"], "scratch_dir"); p != nil {
		*scratch = *p
	}
	if s := l.only(c.Blocks.OfType("state"), "state block"); s != nil {
		l.loadState(s, state)
	}
	return l.loadMemory(c.Attributes["memory_limit"])
}

func (l *loader) loadState(b *hcl.Block, state *placedPath) {
	switch kind := b.Labels[0]; kind {
	case "local":
		c := l.content(b, schema{optional: []string{"path", "backup"}})
		l.loadBackup(c.Attributes["backup"])
		if p := l.place(c.Attributes["path"], "state"); p != nil {
			*state = *p
		}
	case "s3":
		l.loadS3State(b, state)
	default:
		l.add(errorAt(b.LabelRanges[0], "Unknown kind of state", "This version has state \"local\" and state \"s3\".%s", didYouMean(kind, []string{"local", "s3"})))
	}
}

// loadS3State reads where in a bucket the state is, and how that is reached.
func (l *loader) loadS3State(b *hcl.Block, state *placedPath) {
	c := l.content(b, schema{required: []string{"bucket"}, optional: slices.Concat([]string{"prefix", "backup"}, connectArgs, writeArgs)})
	l.loadBackup(c.Attributes["backup"])
	s := l.location(c)
	l.written(c, s)
	if s.Bucket == "" {
		return
	}
	*state = placedPath{what: "state", written: s.URL(), abs: s.URL(), s3: s, rng: b.DefRange}
}

func (l *loader) checkVersion(a *hcl.Attribute) {
	s := l.str(a, false)
	if s == nil {
		return
	}
	want, err := version.NewConstraint(s.value)
	if err != nil {
		l.add(errorAt(s.rng, "Invalid version constraint", "%q is not a constraint. Write it as \">= 0.1\" or \"~> 0.2, < 1.0\".", s.value))
		return
	}
	have, err := version.NewVersion(l.opts.Version)
	if err != nil || want.Check(have) || want.Check(have.Core()) {
		return
	}
	l.add(errorAt(s.rng, "Unsuitable version", "This is reconcile %s, but the configuration requires %q. Use a version that fits, or change required_version.", l.opts.Version, s.value))
}

func (l *loader) loadSource(blocks hcl.Blocks) {
	b := l.only(blocks, "source")
	if b == nil {
		return
	}
	switch kind := b.Labels[0]; kind {
	case "local":
		l.loadLocalSource(b)
	case "s3":
		l.loadS3Source(b)
	default:
		l.add(errorAt(b.LabelRanges[0], "Unknown kind of source", "This version has source \"s3\" and source \"local\".%s", didYouMean(kind, []string{"local", "s3"})))
	}
}

func (l *loader) loadLocalSource(b *hcl.Block) {
	c := l.content(b, schema{
		required: []string{"path"}, optional: []string{"manifests", "manifest_prefix", "time_unit", "until_dump"},
		blocks: []hcl.BlockHeaderSchema{{Type: "skip_dump", LabelNames: []string{"dump_id"}}},
	})
	l.cfg.Source = Source{Kind: "local", Manifests: defaultManifests}
	if p := l.place(c.Attributes["path"], "source"); p != nil {
		l.cfg.Source.Path = p.abs
		l.paths = append(l.paths, *p)
	}
	l.sourceBlocks(c)
}

// sourceBlocks reads what every kind of source has.
func (l *loader) sourceBlocks(c *hcl.BodyContent) {
	if s := l.str(c.Attributes["manifests"], true); s != nil {
		if _, err := path.Match(s.value, "x"); err != nil || strings.Contains(s.value, "/") {
			l.add(errorAt(s.rng, "Invalid glob", "%q must be a glob over the names of files in manifests/, as in \"sync_*.json\".", s.value))
		}
		l.cfg.Source.Manifests = s.value
	}
	if s := l.str(c.Attributes["manifest_prefix"], false); s != nil {
		l.cfg.Source.ManifestPrefix = l.prefix(s.value, s.rng)
	}
	if u := l.timeUnit(c.Attributes["time_unit"]); u != nil {
		l.cfg.Source.TimeUnit = u.value
	}
	if s := l.str(c.Attributes["until_dump"], false); s != nil {
		l.cfg.Source.UntilDump = l.dumpID(s, "until_dump = 1234")
	}
	seen := map[int64]hcl.Range{}
	for _, n := range c.Blocks.OfType("skip_dump") {
		l.loadSkip(n, seen)
	}
}

// dumpID reads the id of a dump, which is a number or its digits; nil if it is none.
func (l *loader) dumpID(s *setting[string], example string) *int64 {
	id, err := strconv.ParseInt(s.value, 10, 64)
	if err != nil {
		l.add(errorAt(s.rng, "Invalid dump id", "%q is not the id of a dump, which is a whole number, as in %s.", s.value, example))
		return nil
	}
	return &id
}

func (l *loader) loadSkip(b *hcl.Block, seen map[int64]hcl.Range) {
	c := l.content(b, schema{required: []string{"tables", "reason"}})
	id := int64(0)
	if n := l.dumpID(&setting[string]{value: b.Labels[0], rng: b.LabelRanges[0]}, "skip_dump \"1234\""); n != nil {
		id = *n
		if at, dup := seen[id]; dup {
			l.add(errorAt(b.DefRange, "Duplicate skip_dump", "Dump %d is already skipped at %s. List all its tables in one block.", id, place(at)))
		} else {
			seen[id] = b.DefRange
		}
	}
	skip := Skip{Dump: id}
	if s := l.strs(c.Attributes["tables"]); s != nil {
		if len(s.value) == 0 {
			l.add(errorAt(s.rng, "Empty list", "Name the tables that are to be skipped in dump %s.", b.Labels[0]))
		}
		for _, t := range s.value {
			if p := glob.Pattern(t.value); p.Check() != nil || p.IsGlob() {
				l.add(errorAt(t.rng, "Not a table", "Each table is named in full here, without globs; %q is none.", t.value))
			}
			skip.Tables = append(skip.Tables, t.value)
		}
		l.cfg.skips = append(l.cfg.skips, skipBlock{id, b.DefRange, s.value})
	}
	if s := l.str(c.Attributes["reason"], true); s != nil {
		skip.Reason = s.value
	}
	l.cfg.Skips = append(l.cfg.Skips, skip)
}

func (l *loader) loadIdentity(blocks hcl.Blocks) {
	if b := l.only(blocks, "identity block"); b != nil {
		c := l.content(b, schema{optional: []string{"on_conflict"}, blocks: []hcl.BlockHeaderSchema{{Type: "guard"}}})
		l.loadMappingGuard(c.Blocks.OfType("guard"))
		if s := l.oneOf(c.Attributes["on_conflict"], "warn", "fail"); s != nil {
			l.cfg.OnConflict = s.value
		}
	}
}

// ignoreBlock says of tables that nobody wants them.
type ignoreBlock struct {
	pattern glob.Pattern
	rng     hcl.Range
}

func (l *loader) loadIgnores(blocks hcl.Blocks) {
	for _, b := range blocks {
		l.content(b, schema{})
		p, ok := l.pattern(b.Labels[0], b.LabelRanges[0])
		if !ok {
			continue
		}
		for _, old := range l.cfg.ignores {
			if string(old.pattern) == string(p) {
				l.add(errorAt(b.DefRange, "Duplicate ignore", "%q is already ignored at %s.", string(p), place(old.rng)))
			}
		}
		for _, t := range l.cfg.tables {
			if string(t.pattern) == string(p) {
				l.add(errorAt(b.DefRange, "Ignored and configured", "The table block at %s has the same label %q. Remove one of the two.", place(t.rng), string(p)))
			}
		}
		l.cfg.ignores = append(l.cfg.ignores, ignoreBlock{p, b.DefRange})
		l.cfg.Ignores = append(l.cfg.Ignores, string(p))
	}
}

func (l *loader) loadRemoved(blocks hcl.Blocks) {
	seen := map[string]hcl.Range{}
	for _, b := range blocks {
		name := b.Labels[0]
		c := l.content(b, schema{required: []string{"destroy"}})
		if p, ok := l.pattern(name, b.LabelRanges[0]); ok && p.IsGlob() {
			l.add(errorAt(b.LabelRanges[0], "Not a table", "A removed block names one table in full, without globs."))
		}
		if at, dup := seen[name]; dup {
			l.add(errorAt(b.DefRange, "Duplicate removed block", "The table %q is already removed at %s.", name, place(at)))
		}
		seen[name] = b.DefRange
		for _, t := range l.cfg.tables {
			if string(t.pattern) == name && !t.pattern.IsGlob() {
				l.add(errorAt(b.DefRange, "Removed and configured", "The table %q is still configured at %s. Remove one of the two blocks.", name, place(t.rng)))
			}
		}
		destroy, ok := l.get(c.Attributes["destroy"], cty.Bool)
		l.cfg.Removed = append(l.cfg.Removed, Removed{Table: name, Destroy: ok && destroy.True()})
		l.cfg.removals = append(l.cfg.removals, removedBlock{name, b.DefRange})
	}
}

// pattern reads a label or an element of a list as a name or glob.
func (l *loader) pattern(text string, at hcl.Range) (glob.Pattern, bool) {
	p := glob.Pattern(text)
	err := p.Check()
	if err != nil {
		l.add(errorAt(at, "Invalid name or glob", "%q is not a name or glob: %s.", text, err))
	}
	return p, err == nil
}

// checkWhole looks at what no single block shows.
func (l *loader) checkWhole(blocks map[string]hcl.Blocks) {
	l.checkPaths()
	l.checkSharedSinks()
	l.checkBackup()
	l.checkMetrics()
	l.checkMasksUsed()
	if l.broken {
		return
	}
	missing := func(kind, example string) {
		l.add(errorPlain("No "+kind, "The configuration declares no %s. Add one, as in %s", kind, example))
	}
	if len(blocks["source"]) == 0 {
		missing("source", `source "local" { path = "./dumps" }`)
	}
	if len(blocks["sink"]) == 0 {
		missing("sink", `sink "parquet" "lake" { path = "./lake" }`)
	}
	if len(blocks["table"])+len(blocks["removed"]) == 0 {
		missing("table", `table "*" { sinks = [sink.parquet.lake] }`)
	}
	l.checkExactTables()
}
