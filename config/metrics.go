package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Metrics says where applies leave figures for Prometheus.
type Metrics struct {
	Textfile string            // absolute
	Labels   map[string]string // that all samples get
}

// ownLabels are those that samples have already.
var ownLabels = []string{"folder", "table", "code", "change", "version", "kind"}

// loadMetrics reads the metrics block.
func (l *loader) loadMetrics(blocks hcl.Blocks) {
	b := l.only(blocks, "metrics block")
	if b == nil {
		return
	}
	c := l.content(b, schema{required: []string{"textfile"}, optional: []string{"labels"}})
	m := &Metrics{}
	l.textfile = l.place(c.Attributes["textfile"], "textfile")
	if l.textfile != nil {
		m.Textfile = l.textfile.abs
	}
	if a := c.Attributes["labels"]; a != nil {
		m.Labels = l.metricLabels(a)
	}
	l.cfg.Metrics = m
}

func (l *loader) metricLabels(a *hcl.Attribute) map[string]string {
	v, ok := l.eval(a.Expr)
	if !ok || v.IsNull() {
		return nil
	}
	labels := l.texts(a, v)
	for _, name := range sortedKeys(labels) {
		switch {
		case slices.Contains(ownLabels, name):
			l.add(errorAt(a.Expr.Range(), "Reserved label", "Figures have a label %q already. Choose another name.", name))
		case !regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`).MatchString(name):
			l.add(errorAt(a.Expr.Range(), "Invalid label", "%q cannot be the name of a label: it is a letter, then letters, digits or \"_\".", name))
		}
	}
	return labels
}

// texts reads a value as texts by name.
func (l *loader) texts(a *hcl.Attribute, v cty.Value) map[string]string {
	m, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil || m.IsNull() || hasNull(m) {
		l.add(errorAt(a.Expr.Range(), "Wrong type", "%q must be texts by name, as in { environment = \"production\" }, not %s.", a.Name, v.Type().FriendlyName()))
		return nil
	}
	out := map[string]string{}
	for it := m.ElementIterator(); it.Next(); {
		k, e := it.Element()
		out[k.AsString()] = e.AsString()
	}
	return out
}

// checkMetrics judges where the figures go when all other places are known: a file among
// those that the program looks after would be taken for one of somebody else.
func (l *loader) checkMetrics() {
	if l.textfile == nil {
		return
	}
	p := l.textfile.abs
	in := l.cfg.sharesWith(p)
	if p == l.cfg.StatePath {
		in = "the state"
	}
	if in != "" {
		l.add(errorAt(l.textfile.rng, "Invalid place for figures", "%q lies in %s: name a file elsewhere.", l.textfile.written, in))
		return
	}
	if _, err := os.Stat(filepath.Dir(p)); errors.Is(err, fs.ErrNotExist) {
		l.add(warnAt(l.textfile.rng, "No folder for figures", "There is no folder %s, so that an apply could not leave its figures there. Make it.", filepath.Dir(p)))
	}
}
