// Package failpoint lets a test make the program fail or die at a named step.
//
// A Set travels in the context: there is no global switch, two runs in one
// process do not affect each other, and a program that was given no Set pays one context
// lookup per durable step. Every step that makes something durable or visible
// has a name here, so that the list of names is the list of test cases.
//
// The package never does anything unless a Set that names the point is in the
// context. It is not for the row path.
package failpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// ErrInjected is matched by the error of the action "error".
var ErrInjected = errors.New("injected failure")

// exitCode is what a process that was killed by SIGKILL would report.
const exitCode = 137

type action uint8

const (
	actError action = iota + 1
	actExit
	actNoSpace
)

// Set says which points act, and how. The nil Set never acts. A Set may be
// used by several goroutines.
type Set struct {
	points map[Name]*point
}

type point struct {
	action action
	nth    int64 // 0: at every hit
	hits   atomic.Int64
}

// Parse reads a comma-separated list of name=action or name=action@n. The
// actions are "error" (Hit returns an error that matches ErrInjected), "enospc"
// (Hit returns an error that matches syscall.ENOSPC) and "exit" (the process
// ends at once, without deferred functions, with code 137). With @n the point
// acts at its n-th hit only, counted from 1; without, at every hit. The empty
// text gives the nil Set.
func Parse(spec string) (*Set, error) {
	if strings.TrimSpace(spec) == "" {
		return nil, nil
	}
	s := &Set{points: map[Name]*point{}}
	for item := range strings.SplitSeq(spec, ",") {
		name, p, err := parseItem(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("failpoint %q: %w", item, err)
		}
		if s.points[name] != nil {
			return nil, fmt.Errorf("failpoint %q: %s is named twice", item, name)
		}
		s.points[name] = p
	}
	return s, nil
}

func parseItem(item string) (Name, *point, error) {
	text, act, ok := strings.Cut(item, "=")
	if !ok {
		return "", nil, errors.New("want name=action or name=action@n")
	}
	name := Name(text)
	if !slices.Contains(All(), name) {
		return "", nil, fmt.Errorf("no point is called %q; there are %v", text, All())
	}
	p := &point{}
	act, nth, counted := strings.Cut(act, "@")
	if counted {
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil || n < 1 {
			return "", nil, fmt.Errorf("%q is not the number of a hit, counted from 1", nth)
		}
		p.nth = n
	}
	switch act {
	case "error":
		p.action = actError
	case "exit":
		p.action = actExit
	case "enospc":
		p.action = actNoSpace
	default:
		return "", nil, fmt.Errorf("no action is called %q; there are error, exit and enospc", act)
	}
	return name, p, nil
}

type key struct{}

// With returns a context in which the points of s act. A nil s gives ctx back.
func With(ctx context.Context, s *Set) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// Hit says that the point called name was reached. It returns nil unless a Set
// in ctx makes the point act. What follows a Hit must not happen when it
// returns an error.
func Hit(ctx context.Context, name Name) error {
	s, _ := ctx.Value(key{}).(*Set)
	if s == nil {
		return nil
	}
	p := s.points[name]
	if p == nil {
		return nil
	}
	if n := p.hits.Add(1); p.nth != 0 && n != p.nth {
		return nil
	}
	switch p.action {
	case actExit:
		os.Exit(exitCode)
	case actNoSpace:
		return fmt.Errorf("failpoint %s: %w", name, syscall.ENOSPC)
	}
	return fmt.Errorf("failpoint %s: %w", name, ErrInjected)
}

// Hits returns how often the point called name was reached under s, which is 0
// for a point that s does not name.
func (s *Set) Hits(name Name) int64 {
	if s == nil || s.points[name] == nil {
		return 0
	}
	return s.points[name].hits.Load()
}
