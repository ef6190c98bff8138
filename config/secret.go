package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// secrecy is a mark, as cty has them, of values that diagnostics must not show.
type secrecy string

const (
	// sensitive values come from sensitive variables and sensitive(). They can
	// stand only where a secret belongs.
	sensitive secrecy = "sensitive"
	// private values come from env(). They can stand anywhere.
	private secrecy = "private"
)

const (
	hiddenDetail = "The expression uses a value that may be secret, so the details are not shown."
	hiddenSyntax = "The file may hold secrets, so the details are not shown. Look for a quote, bracket or comma that is missing here or in the lines above."
)

// harmless are summaries of the language's own diagnostics whose detail speaks
// of names in the source only, never of values.
func harmless(summary string) bool {
	switch summary {
	case "Unknown variable", "Call to unknown function", "Not enough function arguments", "Too many function arguments",
		"Attempt to get attribute from null value", "Attempt to index null value", "Null condition",
		"Function calls not allowed", "Variables not allowed":
		return true
	}
	return false
}

// hide takes values out of diagnostics that came from evaluating expr, when it
// touches something secret or stands where a secret belongs.
func (l *loader) hide(diags hcl.Diagnostics, expr hcl.Expression, secret bool) hcl.Diagnostics {
	if len(diags) == 0 || !secret && !l.touchesSecret(expr) {
		return diags
	}
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Expression, c.EvalContext, c.Extra = nil, nil, nil
		if !harmless(c.Summary) {
			c.Detail = hiddenDetail
		}
		out[i] = &c
	}
	return out
}

// touchesSecret reports whether a value that the expression names, or a function
// that it calls, may be secret.
func (l *loader) touchesSecret(expr hcl.Expression) bool {
	for _, t := range expr.Variables() {
		if len(t) > 2 {
			t = t[:2] // var.x: what lies deeper shares its marks
		}
		if v, diags := t.TraverseAbs(l.ctx); !diags.HasErrors() && v.ContainsMarked() {
			return true
		}
	}
	found := false
	visit(expr, func(n hclsyntax.Node) {
		if c, ok := n.(*hclsyntax.FunctionCallExpr); ok && (c.Name == "env" || c.Name == "sensitive") {
			found = true
		}
	})
	return found
}

// remember notes the texts of a private value, which the program's own
// diagnostics may quote.
func (l *loader) remember(v cty.Value) {
	_ = cty.Walk(v, func(_ cty.Path, e cty.Value) (bool, error) {
		if e.Type() == cty.String && e.IsKnown() && !e.IsNull() && e.AsString() != "" {
			l.hidden = append(l.hidden, strconv.Quote(e.AsString()))
		}
		return true, nil
	})
}

// hideRemembered takes the remembered texts out of all diagnostics.
func (l *loader) hideRemembered() {
	for _, d := range l.diags {
		for _, h := range l.hidden {
			d.Detail = strings.ReplaceAll(d.Detail, h, `"..."`)
		}
	}
}

// visit calls f for every node of an expression or a body.
func visit(root any, f func(hclsyntax.Node)) {
	n, ok := root.(hclsyntax.Node)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		f(n)
		return nil
	})
}

// blankLiterals hides the literal parts of an expression in snippets.
func (l *loader) blankLiterals(root any) {
	visit(root, func(n hclsyntax.Node) {
		if e, ok := n.(*hclsyntax.LiteralValueExpr); ok {
			l.blanks = append(l.blanks, e.Range())
		}
	})
}

// blankCalls hides the literal arguments of sensitive() everywhere in a file.
func (l *loader) blankCalls(body hcl.Body) {
	visit(body, func(n hclsyntax.Node) {
		if c, ok := n.(*hclsyntax.FunctionCallExpr); ok && c.Name == "sensitive" {
			for _, a := range c.Args {
				l.blankLiterals(a)
			}
		}
	})
}

// secretName matches what credentials are called. Nothing in the language has such a name,
// and people try some.
const secretName = `[A-Za-z0-9_-]*(?i:secret|passw|token|credential|access_?key|private_?key|api_?key)[A-Za-z0-9_-]*`

// wholeSecretName is compiled once: every attribute of a configuration is asked about.
var wholeSecretName = regexp.MustCompile(`^` + secretName + `$`)

func isSecretName(name string) bool { return wholeSecretName.MatchString(name) }

// blankSecretNames hides the literals that are assigned to what is called like a
// credential.
func (l *loader) blankSecretNames(body hcl.Body) {
	visit(body, func(n hclsyntax.Node) {
		if a, ok := n.(*hclsyntax.Attribute); ok && isSecretName(a.Name) {
			l.blankLiterals(a.Expr)
		}
	})
}

// secretLines finds what may be secret in a file that does not parse: what is
// assigned to a name that mask keys, defaults of variables, what calls webhooks or
// credentials have.
func secretLines(c source) []hcl.Range {
	re := regexp.MustCompile(`(?m)(?:^|[^A-Za-z0-9_-])(?:key|default|webhook|` + secretName + `)[ \t]*=((?s:[ \t]*<<.*)|[^\n]*)`)
	headers := regexp.MustCompile(`(?m)(?:^|[^A-Za-z0-9_-])headers[ \t]*=([^}]*)`)
	return append(rangesOf(c, re), rangesOf(c, headers)...)
}

// assignedLines finds everything that a variable file which does not parse may
// assign: all that follows the first "=" of a line, and lines without one.
func assignedLines(c source) []hcl.Range {
	return rangesOf(c, regexp.MustCompile(`(?m)^(?:[ \t]*[A-Za-z0-9_-]+[ \t]*=)?([^\n]*)$`))
}

func rangesOf(c source, re *regexp.Regexp) []hcl.Range {
	var out []hcl.Range
	for _, m := range re.FindAllSubmatchIndex(c.text, -1) {
		out = append(out, hcl.Range{Filename: c.name, Start: hcl.Pos{Byte: m[2]}, End: hcl.Pos{Byte: m[3]}})
	}
	return out
}
