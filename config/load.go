// Package config turns a folder of HCL files into a typed, checked Config.
//
// It promises that all mistakes are reported at once, each with its place and
// what to do about it; that a Config it returns without errors is complete; and
// that the values of sensitive variables, of env() and of mask keys stand in no
// diagnostic. It reads the configuration's files, variable files and what file()
// names, and never writes (fmt aside), opens a source, a sink or the state, or
// keeps anything between calls.
package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Options are what a configuration is evaluated with.
type Options struct {
	// Inputs are the -var and -var-file flags in the order of the command line.
	Inputs []Input
	// Env looks up an environment variable; nil means that there are none.
	Env func(string) (string, bool)
	// Version is that of the program, for required_version; a text that is no
	// version number, as of a development build, satisfies every constraint.
	Version string
	// AllowMissingVars makes variables without a value unknown instead of an
	// error, and what depends on them unchecked. Load then returns no Config,
	// but all other mistakes.
	AllowMissingVars bool
	// CgroupMemory is how many bytes of memory the cgroups of the process may take; 0 for
	// any number. The variable GOMEMLIMIT of Env can say less.
	CgroupMemory int64
	// AllowMissingKeys makes sensitive variables without a value unknown, where only keys
	// of masks depend on them. The Config then says which in Unset.
	AllowMissingKeys bool
}

// Input is one -var flag, or one -var-file flag when File is set. A relative
// File starts at the working directory.
type Input struct {
	Name, Value string
	File        string
	// IsExpression says that Value is an expression whatever type the variable has.
	IsExpression bool
}

// ParseVar reads the argument of a -var flag, NAME=VALUE.
func ParseVar(arg string) (Input, error) {
	name, value, ok := strings.Cut(arg, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return Input{}, errors.New("a -var is written NAME=VALUE, as in -var 'bucket=acme'")
	}
	return Input{Name: name, Value: value}, nil
}

const (
	configExt  = ".hcl"
	varExt     = ".hclvars"
	autoVarExt = ".auto.hclvars"
)

// Load reads and checks the configuration in the folder dir. With an error among
// the diagnostics it returns no Config. The sources are for writing the
// diagnostics, those of the Config's methods too.
func Load(dir string, o Options) (*Config, Sources, hcl.Diagnostics) {
	l := newLoader(o)
	configs, autos, diag := l.read(dir)
	if diag == nil && len(configs) == 0 {
		diag = errorPlain("No configuration", "The folder %s has no *%s file. A configuration is all such files of one folder; -chdir=DIR names another one. `reconcile init -from-source=PLACE` writes a first one of the export at PLACE, a folder or s3://bucket/prefix.", dir, configExt)
	}
	if diag != nil {
		return nil, l.src, hcl.Diagnostics{diag}
	}
	return l.load(configs, autos)
}

// readRegular reads a regular file. Opening others, as named pipes, can take for ever.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	return os.ReadFile(path)
}

// read finds the files of the folder, sorted by name.
func (l *loader) read(dir string) (configs, autos []source, diag *hcl.Diagnostic) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, errorPlain("No configuration", "The folder %s cannot be resolved: %s.", dir, err)
	}
	l.dir = Resolve(abs)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, errorPlain("No configuration", "The folder of the configuration cannot be read: %s.", err)
	}
	for _, e := range entries {
		name := e.Name()
		isConfig, isAuto := strings.HasSuffix(name, configExt), strings.HasSuffix(name, autoVarExt)
		if e.IsDir() || strings.HasPrefix(name, ".") || !isConfig && !isAuto {
			continue
		}
		path := filepath.Join(dir, name)
		b, err := readRegular(path)
		if err != nil {
			return nil, nil, errorPlain("Unreadable file", "The file %s cannot be read: %s.", path, err)
		}
		if isConfig {
			configs = append(configs, source{path, b})
		} else {
			autos = append(autos, source{path, b})
		}
	}
	return configs, autos, nil
}

// source is a file under the name that diagnostics give it.
type source struct {
	name string
	text []byte
}

// loader carries one Load. All mistakes are collected in diags.
type loader struct {
	dir     string // absolute
	opts    Options
	src     Sources
	diags   hcl.Diagnostics
	blanks  []hcl.Range // secrets in the sources
	broken  bool        // a file has a syntax error: what refers to its content cannot be judged
	missing bool        // a variable has no value, and that is allowed
	unset   []*variable // sensitive ones without a value, which is allowed for keys of masks
	needed  bool        // something else than a key is unknown
	vars    map[string]*variable
	locals  map[string]*local
	sinks   []*sinkBlock
	masks   []*maskBlock
	ctx     *hcl.EvalContext
	cfg     *Config
	hidden  []string     // texts out of env(), which diagnostics must not quote
	paths   []placedPath // for the check of what lies in what
	backup  *setting[string]
	// textfile is where figures go, nil without one.
	textfile *placedPath
}

func newLoader(o Options) *loader {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	return &loader{opts: o, src: Sources{}, vars: map[string]*variable{}, locals: map[string]*local{}}
}

func (l *loader) add(diags ...*hcl.Diagnostic) { l.diags = append(l.diags, diags...) }

// load evaluates parsed text in the order of dependence: variables, locals,
// then the blocks.
func (l *loader) load(configs, autos []source) (*Config, Sources, hcl.Diagnostics) {
	blocks := l.parse(configs)
	l.begin(blocks, autos)
	l.loadSinks()
	l.loadMasks()
	l.loadIdentity(blocks["identity"])
	l.loadTables(blocks["table"])
	l.loadIgnores(blocks["ignore"])
	l.loadRemoved(blocks["removed"])
	l.loadMoved(blocks["moved"])
	l.loadChecks(blocks["check"])
	l.loadMetrics(blocks["metrics"])
	l.loadNotify(blocks["notify"])
	l.checkWhole(blocks)
	l.checkUnset()
	return l.end()
}

// begin evaluates what everything else needs, and where things lie.
func (l *loader) begin(blocks map[string]hcl.Blocks, autos []source) {
	for _, b := range blocks["variable"] {
		l.declareVariable(b)
	}
	for _, b := range blocks["locals"] {
		l.declareLocals(b)
	}
	l.cfg = &Config{Dir: l.dir, OnConflict: "warn"}
	for _, b := range blocks["sink"] {
		l.declareSink(b)
	}
	for _, b := range blocks["mask"] {
		l.declareMask(b)
	}
	l.ctx = l.newContext()
	l.setVariables(autos)
	l.setLocals()
	l.validateVariables()

	l.loadReconcile(blocks["reconcile"])
	l.loadSource(blocks["source"])
}

// end returns what was loaded.
func (l *loader) end() (*Config, Sources, hcl.Diagnostics) {
	l.src.blank(l.blanks)
	l.hideRemembered()
	diags := sortDiagnostics(l.diags)
	if diags.HasErrors() || l.missing {
		return nil, l.src, diags
	}
	return l.cfg, l.src, diags
}

// parse returns the top-level blocks of all files by their type. A file with a
// syntax error gives none: half a file would only make up further mistakes.
func (l *loader) parse(configs []source) map[string]hcl.Blocks {
	blocks := map[string]hcl.Blocks{}
	for _, c := range configs {
		f, diags := hclsyntax.ParseConfig(c.text, c.name, hcl.InitialPos)
		if f == nil {
			f = &hcl.File{Bytes: c.text}
		}
		l.src[c.name] = f
		diags = hintQuotes(diags, c.text)
		l.add(diags...)
		if diags.HasErrors() {
			l.broken = true
			l.blanks = append(l.blanks, secretLines(c)...)
			continue
		}
		l.blankCalls(f.Body)
		l.blankSecretNames(f.Body)
		content, diags := l.withoutLater(f.Body, sortedKeys(laterBlocks())).Content(rootSchema())
		l.add(l.answerHabits(diags)...)
		for _, b := range content.Blocks {
			blocks[b.Type] = append(blocks[b.Type], b)
		}
	}
	return blocks
}

func rootSchema() *hcl.BodySchema {
	s := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "reconcile"}, {Type: "locals"}, {Type: "identity"},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "source", LabelNames: []string{"kind"}},
		{Type: "sink", LabelNames: []string{"kind", "name"}},
		{Type: "mask", LabelNames: []string{"name"}},
		{Type: "table", LabelNames: []string{"name"}},
		{Type: "ignore", LabelNames: []string{"name"}},
		{Type: "removed", LabelNames: []string{"name"}},
		{Type: "moved"}, {Type: "metrics"},
		{Type: "notify", LabelNames: []string{"name"}},
		{Type: "check", LabelNames: []string{"name"}},
	}}
	for _, name := range sortedKeys(laterBlocks()) {
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: name}) // for suggestions
	}
	return s
}

// laterBlocks are the blocks that the language has and this version has not,
// with what can be done without them.
func laterBlocks() map[string]string {
	return map[string]string{
		"derived":    "Derive the table from the published ones with your own query.",
		"properties": "",
		"property":   "",
		"erasures":   "",
		"catalog":    "Register the tables in the catalog by yourself.",
		"keep":       "",
	}
}

func notYet(r hcl.Range, what, instead string) *hcl.Diagnostic {
	return errorAt(r, "Not in this version", "%s", strings.TrimSpace(
		"This version of reconcile has no "+what+". Remove it, or use a version that has it. "+instead))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
