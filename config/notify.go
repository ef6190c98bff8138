package config

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"reconcile/internal/notify"
)

// Notify is who is told what an apply came to: a command or a webhook.
type Notify struct {
	Label   string
	Command []string
	Webhook Secret // the URL, which often holds a token
	Headers map[string]Secret
	On      []notify.Kind // what it is told; all without any
	Timeout time.Duration
}

const (
	defaultNotifyTimeout = 10 * time.Second
	leastNotifyTimeout   = time.Second
	mostNotifyTimeout    = 5 * time.Minute
)

// loadNotify reads the notify blocks.
func (l *loader) loadNotify(blocks hcl.Blocks) {
	seen := map[string]hcl.Range{}
	for _, b := range blocks {
		l.blankCallee(b.Body)
		if !l.name(b, 0) {
			continue
		}
		if at, twice := seen[b.Labels[0]]; twice {
			l.add(errorAt(b.DefRange, "Duplicate notify block", "notify %q was already declared at %s. Give each a label of its own.", b.Labels[0], place(at)))
			continue
		}
		seen[b.Labels[0]] = b.DefRange
		l.cfg.Notify = append(l.cfg.Notify, l.loadCallee(b))
	}
}

// blankCallee hides in snippets whatever may be meant as the address or a header.
func (l *loader) blankCallee(body hcl.Body) {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for name, a := range b.Attributes {
		switch name {
		case "command", "on", "timeout":
		default:
			l.blankLiterals(a.Expr)
		}
	}
}

func (l *loader) loadCallee(b *hcl.Block) Notify {
	c := l.content(b, schema{optional: []string{"command", "webhook", "headers", "on", "timeout"}})
	n := Notify{Label: b.Labels[0], Timeout: defaultNotifyTimeout}
	command, webhook, headers := c.Attributes["command"], c.Attributes["webhook"], c.Attributes["headers"]
	switch {
	case command == nil && webhook == nil:
		l.add(errorAt(b.DefRange, "Notify without a way", "notify %q tells nobody. Set command = [...] or webhook = \"https://...\".", n.Label))
	case command != nil && webhook != nil:
		l.add(errorAt(webhook.NameRange, "Notify with two ways", "notify %q has a command and a webhook. Make two blocks of it.", n.Label))
	case headers != nil && webhook == nil:
		l.add(errorAt(headers.NameRange, "Headers without use", "Only a webhook gets headers. Remove them."))
	}
	if s := l.strs(command); s != nil {
		if len(s.value) == 0 || s.value[0].value == "" {
			l.add(errorAt(s.rng, "Empty command", "The list is the command and its arguments, as in [\"./notify.sh\", \"reconcile\"]."))
		}
		for _, e := range s.value {
			n.Command = append(n.Command, e.value)
		}
	}
	if webhook != nil {
		n.Webhook = l.webhook(webhook)
	}
	if headers != nil {
		n.Headers = l.headers(headers)
	}
	n.On = l.kinds(c.Attributes["on"])
	if s := l.str(c.Attributes["timeout"], false); s != nil {
		n.Timeout = l.notifyTimeout(s)
	}
	return n
}

// kinds reads what somebody wants to be told.
func (l *loader) kinds(a *hcl.Attribute) (out []notify.Kind) {
	s := l.strs(a)
	if s == nil {
		return nil
	}
	var words []string
	for _, k := range notify.Kinds() {
		words = append(words, string(k))
	}
	if len(s.value) == 0 {
		l.add(errorAt(s.rng, "Empty list", "With an empty list nobody is ever told. Leave \"on\" out for everything."))
	}
	for _, e := range s.value {
		if !slices.Contains(words, e.value) {
			l.add(errorAt(e.rng, "Unknown event", "There is %s; %q is none of them.%s", quoted(words, "and"), e.value, didYouMean(e.value, words)))
		}
		out = append(out, notify.Kind(e.value))
	}
	return out
}

func (l *loader) notifyTimeout(s *setting[string]) time.Duration {
	d, err := time.ParseDuration(s.value)
	if err != nil || d < leastNotifyTimeout || d > mostNotifyTimeout {
		l.add(errorAt(s.rng, "Invalid timeout", "%q must be a time from 1s to 5m, as \"10s\": the apply waits for it.", s.value))
	}
	return d
}

// webhook reads an address, which may be secret: no diagnostic has it.
func (l *loader) webhook(a *hcl.Attribute) Secret {
	v, ok := l.secretText(a, a.Expr)
	if !ok {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(v, "\r\n") {
		l.add(errorAt(a.NameRange, "Invalid webhook", "A webhook is an address that begins with https:// (or http://) and names a host."))
		return nil
	}
	return Secret(v)
}

// secretText reads text that may be sensitive.
func (l *loader) secretText(a *hcl.Attribute, expr hcl.Expression) (string, bool) {
	v, ok := l.raw(expr, true)
	if !ok {
		return "", false
	}
	v, _ = v.UnmarkDeep()
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() || s.AsString() == "" {
		l.add(errorAt(a.NameRange, "Missing value", "%q must be text that is not empty.", a.Name))
		return "", false
	}
	return s.AsString(), true
}

// ownHeaders are those that the program sets.
var ownHeaders = []string{"Content-Type", "Content-Length", "Host", "Transfer-Encoding", "Connection"}

// headers reads what a webhook gets beside the message: values may be sensitive.
func (l *loader) headers(a *hcl.Attribute) map[string]Secret {
	v, ok := l.raw(a.Expr, true)
	if !ok {
		return nil
	}
	v, _ = v.UnmarkDeep()
	m, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil || m.IsNull() || hasNull(m) {
		l.add(errorAt(a.NameRange, "Wrong type", "\"headers\" must be texts by name, as in { Authorization = var.token }."))
		return nil
	}
	out := map[string]Secret{}
	for it := m.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name, value := k.AsString(), e.AsString()
		switch {
		case !regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`).MatchString(name) || slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)):
			l.add(errorAt(a.NameRange, "Invalid header", "A name in \"headers\" is not one of a header that can be set."))
		case strings.ContainsAny(value, "\r\n\x00"):
			l.add(errorAt(a.NameRange, "Invalid header", "The header %q has more than one line.", name))
		default:
			out[name] = Secret(value)
		}
	}
	return out
}
