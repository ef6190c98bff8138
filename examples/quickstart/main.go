// Command quickstart shows the main job on a small export: it lets dumps arrive
// night by night in out/quickstart, runs the real reconcile on them, and prints
// what came out. It needs nothing but Go:
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := moduleRoot()
	if err == nil {
		err = run(ctx, os.Stdout, root, filepath.Join(root, "out", "quickstart"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// moduleRoot finds the repository from the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "examples", "quickstart", "export")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("run it in a clone of the repository")
		}
		dir = up
	}
}

// run plays the story in the folder dir, which it replaces.
func run(ctx context.Context, w io.Writer, root, dir string) error {
	s, err := newStage(ctx, w, root, dir)
	if err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.firstNight, s.laterNights, s.lateDump, s.onceMore, s.showResult, s.proof} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.say("\nThe tables lie in out/quickstart/lake. To read one with DuckDB, and to look around:\n\n" +
		"  duckdb -c \"SELECT * FROM read_parquet('out/quickstart/lake/checkout/**/*.parquet', union_by_name = true)\"\n" +
		"  go run ./cmd/reconcile -chdir=out/quickstart show\n")
	return nil
}

func (s *stage) firstNight(ctx context.Context) error {
	s.title("Dumps 997, 998 and 999 are there")
	if err := s.arrive(997, 998, 999); err != nil {
		return err
	}
	if err := s.planAndApply(ctx); err != nil {
		return err
	}
	s.say("\nThe orders of two shoppers. Ana bought with her phone, with her laptop and, once she\n" +
		"had an account, under a third id: all are hers now. One order (8003) came twice, under\n" +
		"two of her ids, and is one. Ben's tablet was merged with his account.\n")
	return s.shoppers("checkout", "users")
}

func (s *stage) laterNights(ctx context.Context) error {
	s.title("Dumps 1000 and 1002 arrive, 1001 does not")
	if err := s.arrive(1000, 1002); err != nil {
		return err
	}
	if err := s.planAndApply(ctx); err != nil {
		return err
	}
	s.say("\nBen's merge was taken back: order 8011 is the tablet's again, and order 8012, which had\n" +
		"collapsed, is two rows. 8002 was corrected. There is a new column, coupon. The revenue of\n" +
		"8004 is not a number: null, and the original is kept. add_to_cart was delivered anew, whole.\n")
	return s.shoppers("checkout", "users")
}

func (s *stage) lateDump(ctx context.Context) error {
	s.title("Dump 1001 arrives late")
	if err := s.arrive(1001); err != nil {
		return err
	}
	if err := s.planAndApply(ctx); err != nil {
		return err
	}
	s.say("\n8005 was only in the late dump. Its copy of 8002 is older than what is there, and loses.\n")
	return s.shoppers("checkout")
}

// onceMore checks that there is nothing left to do.
func (s *stage) onceMore(ctx context.Context) error {
	s.title("Once more")
	before, err := s.snapshot()
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"plan", "-detailed-exitcode"}, {"apply", "-auto-approve"}} {
		out, err := s.reconcile(ctx, args...)
		if err != nil {
			return err
		}
		s.say("%s", out)
	}
	after, err := s.snapshot()
	if err != nil {
		return err
	}
	if before != after {
		return errors.New("the second apply wrote something")
	}
	s.say("\nNot one file of the lake or of the state was written.\n")
	return nil
}

// showResult shows what is there.
func (s *stage) showResult(ctx context.Context) error {
	s.title("What came out")
	out, err := s.reconcile(ctx, "quarantine", "list")
	if err != nil {
		return err
	}
	s.say("%s\n", out)
	if err := s.show(ctx, "checkout", "users"); err != nil {
		return err
	}
	return s.files("checkout")
}

// proof compares with one apply of everything.
func (s *stage) proof(ctx context.Context) error {
	s.title("The same six dumps, applied at once from scratch")
	other := &stage{w: io.Discard, root: s.root, dir: filepath.Join(s.dir, "from-scratch"), bin: s.bin}
	if err := other.prepare(); err != nil {
		return err
	}
	if err := other.arrive(997, 998, 999, 1000, 1001, 1002); err != nil {
		return err
	}
	if _, err := other.reconcile(ctx, "apply", "-auto-approve"); err != nil {
		return err
	}
	mine, err := s.lake()
	if err != nil {
		return err
	}
	theirs, err := other.lake()
	if err != nil {
		return err
	}
	rows := 0
	for name, t := range mine {
		if err := t.same(theirs[name]); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		rows += len(t.rows)
	}
	if len(mine) != len(theirs) {
		return fmt.Errorf("%d tables, %d from scratch", len(mine), len(theirs))
	}
	s.say("%d tables, %d rows: not one value differs from what arrived bit by bit.\n", len(mine), rows)
	return nil
}
