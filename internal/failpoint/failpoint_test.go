package failpoint_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"reconcile/internal/failpoint"
)

const childEnv = "FAILPOINT_TEST_CHILD"

func parse(t *testing.T, spec string) *failpoint.Set {
	t.Helper()
	s, err := failpoint.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNoSetNeverActs(t *testing.T) {
	s := parse(t, "")
	ctx := failpoint.With(context.Background(), s)
	if ctx != context.Background() {
		t.Error("a nil set changed the context")
	}
	for _, n := range failpoint.All() {
		if err := failpoint.Hit(ctx, n); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	if s.Hits(failpoint.SweepBefore) != 0 {
		t.Error("a nil set counted")
	}
}

func TestActions(t *testing.T) {
	s := parse(t, "stage.create=error, stage.write=enospc@3")
	ctx := failpoint.With(t.Context(), s)
	for range 2 {
		if err := failpoint.Hit(ctx, failpoint.StageCreate); !errors.Is(err, failpoint.ErrInjected) {
			t.Errorf("got %v", err)
		}
	}
	for i := 1; i <= 5; i++ {
		err := failpoint.Hit(ctx, failpoint.StageWrite)
		if got, want := errors.Is(err, syscall.ENOSPC), i == 3; got != want {
			t.Errorf("hit %d: got %v", i, err)
		}
	}
	if err := failpoint.Hit(ctx, failpoint.StageClose); err != nil {
		t.Errorf("a point that was not named acted: %v", err)
	}
	if n := s.Hits(failpoint.StageWrite); n != 5 {
		t.Errorf("counted %d hits of 5", n)
	}
}

func TestNthIsExactUnderConcurrency(t *testing.T) {
	ctx := failpoint.With(t.Context(), parse(t, "spill.write=error@50"))
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 10 {
				if failpoint.Hit(ctx, failpoint.SpillWrite) != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() != 1 {
		t.Errorf("acted %d times, want once", failed.Load())
	}
}

func TestExitSkipsDeferredFunctions(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		defer os.Stdout.WriteString("deferred")
		ctx := failpoint.With(t.Context(), parse(t, "sweep.after=exit@2"))
		_ = failpoint.Hit(ctx, failpoint.SweepAfter)
		os.Stdout.WriteString("first")
		_ = failpoint.Hit(ctx, failpoint.SweepAfter)
		os.Stdout.WriteString("second")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestExitSkipsDeferredFunctions$")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 137 {
		t.Fatalf("ended with %v, want exit code 137", err)
	}
	if string(out) != "first" {
		t.Errorf("wrote %q, want %q", out, "first")
	}
}

func TestParseErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"sweep.before":                          "want name=action",
		"sweep.befor=error":                     "sweep.before",
		"sweep.before=explode":                  `"explode"`,
		"sweep.before=error@0":                  `"0"`,
		"sweep.before=error@x":                  `"x"`,
		"sweep.before=error,sweep.before=exit":  "twice",
		"sweep.before=error,,sweep.after=error": "want name=action",
	} {
		if _, err := failpoint.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %s", spec, err, want)
		}
	}
}

// A constant that is missing from All would be a test case that nobody runs.
func TestAllListsEveryConstant(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []failpoint.Name
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, e := range v.Values {
				text, err := strconv.Unquote(e.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, failpoint.Name(text))
			}
		}
		return true
	})
	if len(declared) == 0 || !slices.Equal(declared, failpoint.All()) {
		t.Errorf("All() is %v, declared are %v", failpoint.All(), declared)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("sweep.before=error@3,stage.write=enospc")
	f.Add("=@,")
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := failpoint.Parse(spec)
		if err != nil && s != nil {
			t.Error("a set and an error")
		}
	})
}
