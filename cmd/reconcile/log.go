package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/plan"
	"reconcile/engine/stores"
	"reconcile/engine/work"
	"reconcile/internal/plain"
)

// logFlags say what goes to standard error, and in which form.
type logFlags struct {
	json  bool // one JSON object a line, in place of texts for people
	level slog.Level
}

// logFlags adds -log-format and -log-level.
func (c *commonFlags) logFlags(f *flag.FlagSet) {
	f.Func("log-format", "write what goes to standard error in a `FORMAT`: text or json", func(arg string) error {
		if arg != "text" && arg != "json" {
			return errors.New("it needs text or json")
		}
		c.log.json = arg == "json"
		return nil
	})
	f.Func("log-level", "leave out of standard error what is below a `LEVEL`: error, warn, info (as without it) or debug", func(arg string) error {
		levels := map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug}
		level, ok := levels[arg]
		if !ok {
			return errors.New("it needs error, warn, info or debug")
		}
		c.log.level = level
		return nil
	})
}

// startLog returns the log of a command. Where it is JSON, standard error has nothing else
// from then on.
func (p *program) startLog(l logFlags, command string) *slog.Logger {
	stderr, ok := p.err.(*errorStream)
	o := &slog.HandlerOptions{Level: l.level, ReplaceAttr: inUTC}
	switch {
	case !ok || !l.json && l.level > slog.LevelDebug:
		return slog.New(slog.DiscardHandler)
	case !l.json:
		return slog.New(slog.NewTextHandler(stderr, o)).With("command", command)
	}
	log := slog.New(slog.NewJSONHandler(jsonLines{stderr.Writer}, o)).With("command", command)
	stderr.become(log)
	return log
}

func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// jsonLines escapes in lines of JSON what would not be plain.
type jsonLines struct{ w io.Writer }

func (j jsonLines) Write(p []byte) (int, error) {
	if _, err := j.w.Write(plain.JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// errorStream is standard error. Once it has become a log, each text that is written to it
// is an entry of that.
type errorStream struct {
	io.Writer
	mu  sync.Mutex
	log *slog.Logger
}

func (e *errorStream) become(log *slog.Logger) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = log
}

func (e *errorStream) logs() *slog.Logger {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log
}

// Write writes a text, or makes an entry of it.
func (e *errorStream) Write(p []byte) (int, error) {
	log := e.logs()
	text := string(bytes.TrimSpace(p))
	switch {
	case log == nil:
		return e.Writer.Write(p)
	case text == "":
	case strings.HasPrefix(text, "Error:"):
		log.Error(strings.TrimSpace(strings.TrimPrefix(text, "Error:")))
	case strings.HasPrefix(text, "Warning:"):
		log.Warn(strings.TrimSpace(strings.TrimPrefix(text, "Warning:")))
	default:
		log.Info(text)
	}
	return len(p), nil
}

// logView is a view that makes entries of a log of what it shows.
type logView struct {
	view
	log *slog.Logger
	// own says that mistakes and progress are entries, too, and alone that the view does not
	// show them beside.
	own, alone bool
	told       map[string]bool // holds
}

// withLog is a view whose command writes a log.
func (p *program) withLog(v view, c commonFlags, log *slog.Logger) view {
	if c.log.level > slog.LevelDebug && !c.log.json {
		return v
	}
	return &logView{view: v, log: log, own: c.log.json, alone: c.log.json && !c.json, told: map[string]bool{}}
}

func (v *logView) diagnostics(src config.Sources, diags hcl.Diagnostics) {
	if !v.alone {
		v.view.diagnostics(src, diags)
	}
	if !v.own {
		return
	}
	for _, d := range config.JSON(diags) {
		entry := v.log.Error
		if d.Severity == "warning" {
			entry = v.log.Warn
		}
		args := []any{"detail", d.Detail}
		if d.File != "" {
			args = append(args, "file", d.File, "line", d.Range.Start.Line)
		}
		entry(d.Summary, args...)
	}
}

func (v *logView) failure(err error, code int) {
	if !v.alone {
		v.view.failure(err, code)
	}
	if v.own {
		v.log.Error(err.Error(), "exit_code", code)
	}
}

func (v *logView) record(typ string, value any, format string, args ...any) {
	v.view.record(typ, value, format, args...)
	level := slog.LevelInfo
	if typ == "warning" {
		level = slog.LevelWarn
	}
	v.log.Log(context.Background(), level, strings.ReplaceAll(typ, "_", " "), "record", value)
}

func (v *logView) plan(p *plan.Plan) {
	v.view.plan(p)
	add, change, destroy := p.Counts()
	v.log.Info("plan made", "add", add, "change", change, "destroy", destroy, "held", len(p.Holds))
	v.holds(p.Holds)
}

// holds makes entries of what is held, each once.
func (v *logView) holds(list []plan.Hold) {
	for _, h := range list {
		key := strings.Join([]string{whereHeld(&h), h.Guard, h.Object}, "\x00")
		if v.told[key] {
			continue
		}
		v.told[key] = true
		args := []any{"reason", h.Reason}
		for _, a := range []struct{ name, value string }{{"table", h.Table}, {"sink", h.Sink}, {"file", h.File}, {"guard", h.Guard}, {"accept", h.Accept}} {
			if a.value != "" {
				args = append(args, a.name, a.value)
			}
		}
		if h.Dump != 0 {
			args = append(args, "dump", h.Dump)
		}
		v.log.Warn("held", args...)
	}
}

func (v *logView) result(r *engine.Result, err error) {
	v.view.result(r, err)
	for _, t := range r.Tables {
		switch {
		case t.Err == nil:
			v.log.Info("table applied", "table", t.Name, "action", string(t.Action), "counts", countsJSON(t.Counts))
		case v.own && !v.alone:
			v.log.Error("table failed", "table", t.Name, "error", t.Err.Error())
		}
	}
	v.holds(r.Holds)
	for _, t := range each(r.Traffic, func(t stores.Traffic) trafficObject { return trafficObject(t) }) {
		v.log.Debug("requests", "traffic", t)
	}
}

func (v *logView) progress(toRead int64) progress {
	switch {
	case !v.own:
		return v.view.progress(toRead)
	case v.alone:
		return newEntries(v.log, toRead)
	}
	return bothProgress{v.view.progress(toRead), newEntries(v.log, toRead)}
}

// newEntries logs how far an apply is when a table begins and every now and then.
func newEntries(log *slog.Logger, toRead int64) progress {
	return newTracker(time.Now, lineEvery, func(t *tracker, fresh bool) {
		if fresh {
			log.Info("reading", "table", t.now.Table)
			return
		}
		r := t.record(toRead)
		args := []any{"table", r.Table, "phase", r.Phase, "table_rows", r.TableRows, "rows_read", r.Rows, "bytes_read", r.Bytes, "bytes_to_read", r.BytesToRead,
			"work_done", r.Done, "work_total", r.Total, "percent", r.Percent, "rows_per_second", r.Rate}
		if r.SecondsLeft != nil {
			args = append(args, "seconds_left", *r.SecondsLeft)
		}
		log.Info("progress", args...)
	})
}

// bothProgress shows progress in two ways.
type bothProgress struct{ a, b progress }

func (p bothProgress) tell(now work.Progress) {
	p.a.tell(now)
	p.b.tell(now)
}

func (p bothProgress) stop() {
	p.a.stop()
	p.b.stop()
}

// noProgress shows none.
type noProgress struct{}

func (noProgress) tell(work.Progress) {}
func (noProgress) stop()              {}

// sinceSeconds is how long ago something was, for a log.
func sinceSeconds(at time.Time) float64 { return time.Since(at).Round(time.Millisecond).Seconds() }
