package measure

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMain makes the test's binary a program to measure, too.
func TestMain(m *testing.M) {
	switch os.Getenv("MEASURED") {
	case "writes":
		if os.WriteFile(os.Args[1], make([]byte, 3_000_000), 0o600) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "fails":
		os.Stderr.WriteString("this is why\n")
		os.Exit(7)
	}
	os.Exit(m.Run())
}

func child(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), "MEASURED="+what)
	return c
}

func TestRun(t *testing.T) {
	s, err := Run(child(t, "writes", filepath.Join(t.TempDir(), "f")))
	if err != nil {
		t.Fatal(err)
	}
	if s.Wall <= 0 || s.CPU < 0 {
		t.Errorf("%+v", s)
	}
	if runtime.GOOS == "linux" && (s.Peak < 1 || s.IO < 3 || s.IO > 4) {
		t.Errorf("3 MB written: %+v", s)
	}
}

func TestRunSaysWhyItFailed(t *testing.T) {
	if _, err := Run(child(t, "fails")); err == nil || !strings.Contains(err.Error(), "this is why") {
		t.Errorf("error %v", err)
	}
}

func TestMedian(t *testing.T) {
	s := &Series{}
	for i, want := range []float64{5, 3, 4} {
		if err := s.Add(Sample{Wall: []float64{5, 1, 4}[i], Peak: float64(i)}, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.Median(Wall); got != want {
			t.Errorf("median of %d is %v, want %v", i+1, got, want)
		}
	}
	if s.Peak() != 2 {
		t.Errorf("peak %v", s.Peak())
	}
}
