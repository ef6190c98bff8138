package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// stage is a folder with a configuration in which dumps arrive.
type stage struct {
	w    io.Writer
	root string // of the repository
	dir  string
	bin  string // the built reconcile
}

// newStage empties dir, builds the command and says what is about to happen.
func newStage(ctx context.Context, w io.Writer, root, dir string) (*stage, error) {
	s := &stage{w: w, root: root, dir: dir, bin: filepath.Join(dir, "bin", "reconcile")}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", s.bin, "./cmd/reconcile")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building reconcile: %w\n%s", err, out)
	}
	s.say("Six dumps of a small shop (examples/quickstart/export) arrive in out/quickstart/dumps.\n" +
		"All commands run there, with the configuration examples/quickstart/main.hcl.\n")
	return s, nil
}

// prepare makes the folder and its configuration.
func (s *stage) prepare() error {
	if err := os.MkdirAll(filepath.Join(s.dir, "dumps", "manifests"), 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.root, "examples", "quickstart", "main.hcl"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "main.hcl"), text, 0o644)
}

// say prints; what it prints is the same on every machine.
func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.w, format, args...) }

func (s *stage) title(text string) {
	s.say("\n%s\n%s\n\n", text, strings.Repeat("=", len(text)))
}

// arrive copies dumps from the export: first their files, then the manifest
// that makes them exist.
func (s *stage) arrive(ids ...int) error {
	export := filepath.Join(s.root, "examples", "quickstart", "export")
	for _, id := range ids {
		name := fmt.Sprintf("sync_%d", id)
		if err := os.CopyFS(filepath.Join(s.dir, "dumps", name), os.DirFS(filepath.Join(export, name))); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(export, "manifests", name+".json"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.dir, "dumps", "manifests", name+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reconcile runs the command in the folder and returns the command line and
// what it printed.
func (s *stage) reconcile(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin, args...)
	cmd.Dir = s.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs // progress is of no interest here
	line := "reconcile " + strings.Join(args, " ")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", line, err, out.Bytes(), errs.Bytes())
	}
	return "$ " + line + "\n" + s.plain(out.String()), nil
}

var (
	lineage  = regexp.MustCompile(`lineage [0-9a-f]{32}`)
	trailing = regexp.MustCompile(`(?m)[ \t]+$`)
)

// plain takes out what differs from machine to machine: where the repository
// lies, and the lineage, which is a random number.
func (s *stage) plain(text string) string {
	text = strings.ReplaceAll(text, s.dir, "out/quickstart")
	return trailing.ReplaceAllString(lineage.ReplaceAllString(text, "lineage ..."), "")
}

// planAndApply shows the plan, and what the apply says after the same plan.
func (s *stage) planAndApply(ctx context.Context) error {
	plan, err := s.reconcile(ctx, "plan")
	if err != nil {
		return err
	}
	apply, err := s.reconcile(ctx, "apply", "-auto-approve")
	if err != nil {
		return err
	}
	head, plan, _ := strings.Cut(plan, "\n")
	line, apply, _ := strings.Cut(apply, "\n")
	did, same := strings.CutPrefix(apply, plan)
	if !same {
		return errors.New("apply does not show the plan that plan shows")
	}
	s.say("%s\n%s\n%s\n\n[the same plan, then]\n%s", head, plan, line, did)
	return nil
}

// show prints what is applied: all that is not of a table, and some tables.
func (s *stage) show(ctx context.Context, tables ...string) error {
	out, err := s.reconcile(ctx, "show")
	if err != nil {
		return err
	}
	left := 0
	for _, paragraph := range strings.Split(out, "\n\n") {
		name, _, _ := strings.Cut(paragraph, "\n")
		if name, ok := strings.CutPrefix(name, "table."); ok && !slices.Contains(tables, name) {
			left++
			continue
		}
		s.say("%s\n\n", strings.TrimRight(paragraph, "\n"))
	}
	s.say("[and %d more tables]\n", left)
	return nil
}

// snapshot describes every file of the lake and of the state but the lock.
func (s *stage) snapshot() (string, error) {
	var b strings.Builder
	for _, top := range []string{"lake", ".reconcile"} {
		err := filepath.WalkDir(filepath.Join(s.dir, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, ".readers") {
				return err
			}
			info, err := d.Info()
			if err == nil {
				fmt.Fprintln(&b, p, info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
