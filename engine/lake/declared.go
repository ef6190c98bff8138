package lake

import (
	"path/filepath"
	"slices"
	"strings"

	"reconcile/config"
)

// Declared is the sinks of the configuration, and how somebody writes their roots.
type Declared struct {
	Sinks []*config.Sink
	// Dir is the folder that relative paths of sinks are relative to.
	Dir string
	// Lost are the sinks that are said to be lost for good, as somebody writes them.
	Lost []string
}

// sink returns the sink that the configuration has at a root, nil if it has none.
func (d *Declared) sink(root string) *config.Sink {
	i := slices.IndexFunc(d.Sinks, func(s *config.Sink) bool { return s.Path == root })
	if i < 0 {
		return nil
	}
	return d.Sinks[i]
}

// Has reports whether the configuration has a sink at a root.
func (d *Declared) Has(root string) bool { return d.sink(root) != nil }

// Address returns the address of a declared sink.
func (d *Declared) Address(root string) string { return d.sink(root).Address() }

// Name names a sink in messages.
func (d *Declared) Name(root string) string {
	if d.Has(root) {
		return d.Address(root) + " at " + root
	}
	return "the sink at " + root
}

// RootOf returns the root of a sink as somebody writes it.
func (d *Declared) RootOf(name string) string {
	switch {
	case strings.HasPrefix(name, "s3://"):
		return strings.TrimRight(name, "/")
	case filepath.IsAbs(name):
		return config.Resolve(name)
	}
	return config.Resolve(filepath.Join(d.Dir, name))
}

// S3Of says how a root on S3 is reached: as its declaration says, or, when the
// configuration no longer has it, as that of another sink, first of one in the same
// bucket. It is nil for a folder.
func (d *Declared) S3Of(root string) *config.S3 {
	rest, ok := strings.CutPrefix(root, "s3://")
	if !ok {
		return nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	var like *config.S3
	for _, s := range d.Sinks {
		switch {
		case s.S3 == nil:
		case s.Path == root:
			return s.S3
		case like == nil || like.Bucket != bucket && s.S3.Bucket == bucket:
			like = s.S3
		}
	}
	out := config.S3{}
	if like != nil {
		out = *like
	}
	out.Bucket, out.Prefix = bucket, prefix
	return &out
}

// SaidLost reports whether a declared sink is said to be lost.
func (d *Declared) SaidLost(root string) bool {
	return d.Has(root) && slices.ContainsFunc(d.Lost, func(name string) bool { return d.RootOf(name) == root })
}
