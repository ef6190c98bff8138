package planfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/engine/plan"
)

func example() *File {
	return &File{Program: "1.2.3", Config: "abc", Command: Command{Targets: []string{"table.a"}, AcceptManifest: []int64{7}, AllowDestroy: true,
		Variables: []Variable{{Name: "a", Value: "[1]", IsExpression: true}, {Name: "b"}}},
		Plan: &plan.Plan{Lineage: "l", Serial: 4, Dumps: []int64{1, 2}, Tables: []*plan.Table{{Name: "a\xff", Action: plan.Update, Steps: []plan.Step{{Kind: plan.StepTake}}, Inputs: &plan.Inputs{Commit: 3}}}}}
}

func TestFileIsReadAsItWasWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "night.plan")
	for range 2 { // the second replaces the first
		if err := Write(name, example()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(example(), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) != 1 {
		t.Errorf("beside it is %v, %v", left, err)
	}
}

func encoded(t testing.TB, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever byte of a saved plan is another, and wherever it is cut, it is refused.
func TestDamagedFilesAreRefused(t *testing.T) {
	data := encoded(t, example())
	for i := range data {
		bad := append([]byte(nil), data...)
		bad[i] ^= 1
		if _, err := Decode(bad); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotSaved) {
			t.Fatalf("byte %d is another: %v", i, err)
		}
		if _, err := Decode(data[:i]); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotSaved) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := Decode([]byte("PAR1")); !errors.Is(err, ErrNotSaved) {
		t.Errorf("another file: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, example()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if saved, err := Decode(b); err == nil {
			encoded(t, saved)
		}
	})
}

// What is no saved plan is not read, however large it is.
func TestOtherFilesAreNotRead(t *testing.T) {
	for _, size := range []int64{0, 3, 1 << 40} {
		name := filepath.Join(t.TempDir(), "large")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, size); err != nil {
			t.Skip(err)
		}
		if _, err := Read(name); !errors.Is(err, ErrNotSaved) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
