package config

import (
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// sinkType and maskType are the types that sink.parquet.x and mask.x have in
// expressions.
var (
	sinkType = cty.Capsule("sink", reflect.TypeFor[Sink]())
	maskType = cty.Capsule("mask", reflect.TypeFor[maskBlock]())
)

// sinkBlock is a declared sink. The Sink exists before its attributes are read,
// so that expressions can refer to it.
type sinkBlock struct {
	sink  *Sink
	block *hcl.Block
}

func (l *loader) declareSink(b *hcl.Block) {
	kind := b.Labels[0]
	if kind != "parquet" {
		l.add(errorAt(b.LabelRanges[0], "Unknown kind of sink", "This version has sink \"parquet\".%s", otherSink(kind)))
	}
	if !l.name(b, 1) || !l.name(b, 0) {
		return
	}
	s := &Sink{Sink: definition.Sink{Kind: kind, Label: b.Labels[1]}}
	for _, old := range l.sinks {
		if old.sink.Address() == s.Address() {
			l.add(errorAt(b.DefRange, "Duplicate sink", "%s was already declared at %s.", s.Address(), place(old.block.DefRange)))
			return
		}
	}
	l.sinks = append(l.sinks, &sinkBlock{s, b})
}

// loadSinks reads the attributes of the declared sinks.
func (l *loader) loadSinks() {
	for _, d := range l.sinks {
		if d.sink.Kind != "parquet" {
			continue
		}
		c := l.content(d.block, schema{
			required: []string{"path"}, optional: slices.Concat([]string{"compression", "encodings", "shared"}, connectArgs, writeArgs),
		})
		d.sink.Compression = "zstd"
		if s := l.oneOf(c.Attributes["compression"], "zstd", "snappy", "none"); s != nil {
			d.sink.Compression = s.value
		}
		if s := l.oneOf(c.Attributes["encodings"], definition.Plain, definition.Compact); s != nil {
			d.sink.Encodings = s.value
		}
		if p := l.place(c.Attributes["path"], d.sink.Address()); p != nil {
			d.sink.Path, d.sink.S3 = p.abs, p.s3
			shared := l.boolean(c.Attributes["shared"])
			d.sink.Shared = shared != nil && shared.value
			p.sink, p.shared = true, d.sink.Shared || shared == nil && c.Attributes["shared"] != nil
			l.paths = append(l.paths, *p)
			l.loadSinkS3(c, d.sink)
		}
		l.cfg.Sinks = append(l.cfg.Sinks, d.sink)
	}
}

// checkSharedSinks diagnoses sinks in the folder of one machine where the state is in a
// bucket: what is staged on the disk of one runner nobody else can make visible.
func (l *loader) checkSharedSinks() {
	if l.cfg.StateS3 == nil {
		return
	}
	for _, p := range l.paths {
		if p.sink && p.s3 == nil && !p.shared {
			l.add(errorAt(p.rng, "Sink on one machine", "The state is in a bucket (%s), and %s in a folder. What an interrupted apply staged there another machine could not make visible. Put the sink on S3. If the folder is a mounted network file system that every machine that runs apply sees, say shared = true.", l.cfg.StateS3.URL(), p.what))
		}
	}
}

// loadSinkS3 reads the arguments of a sink on S3; others have none of them, and it has
// none of theirs.
func (l *loader) loadSinkS3(c *hcl.BodyContent, s *Sink) {
	if s.S3 != nil {
		if a := c.Attributes["shared"]; a != nil {
			l.add(errorAt(a.NameRange, "On S3", "\"shared\" is for sinks in folders: every machine sees a bucket. Remove it."))
		}
		l.connect(c, s.S3)
		l.written(c, s.S3)
		return
	}
	for _, name := range slices.Concat(connectArgs, writeArgs) {
		if a := c.Attributes[name]; a != nil {
			l.add(errorAt(a.NameRange, "Not on S3", "%q is for sinks on S3, whose path is \"s3://bucket/folder\".", name))
		}
	}
}

// sinkValues is the value of "sink" in expressions.
func (l *loader) sinkValues() cty.Value {
	kinds := map[string]map[string]cty.Value{}
	for _, d := range l.sinks {
		if kinds[d.sink.Kind] == nil {
			kinds[d.sink.Kind] = map[string]cty.Value{}
		}
		kinds[d.sink.Kind][d.sink.Label] = cty.CapsuleVal(sinkType, d.sink)
	}
	vals := map[string]cty.Value{}
	for kind, sinks := range kinds {
		vals[kind] = cty.ObjectVal(sinks)
	}
	return cty.ObjectVal(vals)
}

// sinkList reads a list of references to sinks.
func (l *loader) sinkList(a *hcl.Attribute) *setting[[]*Sink] {
	if a == nil {
		return nil
	}
	v, ok := l.eval(a.Expr)
	if !ok || v.IsNull() {
		return nil
	}
	out := &setting[[]*Sink]{rng: a.Expr.Range()}
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		l.add(errorAt(out.rng, "Wrong type", "\"sinks\" must be a list of sinks, as in [sink.parquet.lake], not %s.", v.Type().FriendlyName()))
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.Type() != sinkType || e.IsNull() {
			l.add(errorAt(out.rng, "Wrong type", "Each member of \"sinks\" refers to a sink without quotes, as in [sink.parquet.lake]; one is %s.", e.Type().FriendlyName()))
			return nil
		}
		s := e.EncapsulatedValue().(*Sink)
		if slices.Contains(out.value, s) {
			l.add(errorAt(out.rng, "Duplicate sink", "%s stands in the list twice.", s.Address()))
			return nil
		}
		out.value = append(out.value, s)
	}
	return out
}

// otherSink says more about a kind of sink that there is not.
func otherSink(kind string) string {
	if feed.Fold(kind) == "iceberg" {
		return " Iceberg is not there yet."
	}
	return didYouMean(kind, []string{"parquet"})
}
