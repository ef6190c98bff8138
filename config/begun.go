package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Begun is a folder that is to become a configuration: it says at most what a source
// needs.
type Begun struct {
	// Config has the source, and what a reconcile block says.
	Config *Config
	// Empty says that the folder has no file of a configuration yet, HasSource that it
	// has a source block, HasSettings that it has a reconcile block.
	Empty, HasSource, HasSettings bool
}

// LoadBegun reads a folder that declares no tables yet. given is the text of a source
// block that is not in the folder, under the name that diagnostics give it; without one
// the folder must have a source block.
func LoadBegun(dir, name string, given []byte, o Options) (*Begun, Sources, hcl.Diagnostics) {
	l := newLoader(o)
	configs, autos, diag := l.read(dir)
	if diag != nil {
		return nil, l.src, hcl.Diagnostics{diag}
	}
	b := &Begun{Empty: len(configs) == 0}
	blocks := l.parse(configs)
	b.HasSource, b.HasSettings = len(blocks["source"]) > 0, len(blocks["reconcile"]) > 0
	l.refuseDeclared(blocks)
	switch {
	case b.HasSource && given != nil:
		l.add(errorAt(blocks["source"][0].DefRange, "Two sources", "The folder has a source block, and another source was given. Leave out one of them."))
	case given != nil:
		blocks["source"] = l.parse([]source{{name, given}})["source"]
	case !b.HasSource && !l.broken:
		l.add(errorPlain("No source", "The folder %s has no source block. Name the place of the export, as in -from-source=s3://bucket/prefix, or write a source block first.", dir))
	}
	l.begin(blocks, autos)
	cfg, src, diags := l.end()
	b.Config = cfg
	return b, src, diags
}

// refuseDeclared diagnoses a configuration that is begun further than that.
func (l *loader) refuseDeclared(blocks map[string]hcl.Blocks) {
	for _, kind := range sortedKeys(blocks) {
		if !slices.Contains([]string{"source", "reconcile", "variable", "locals"}, kind) {
			l.add(errorAt(blocks[kind][0].DefRange, "A configuration is there",
				"The folder declares more than a source already (a block %q), and nothing of it is overwritten. Start in an empty folder, or in one that has a source block alone.", kind))
			return
		}
	}
}

// LoadWith is Load of a folder with one more file, which is not in it yet.
func LoadWith(dir, name string, text []byte, o Options) (*Config, Sources, hcl.Diagnostics) {
	l := newLoader(o)
	configs, autos, diag := l.read(dir)
	if diag != nil {
		return nil, l.src, hcl.Diagnostics{diag}
	}
	return l.load(append(configs, source{name, text}), autos)
}
