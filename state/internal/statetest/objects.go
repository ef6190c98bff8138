package statetest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"reconcile/state"
)

// Write makes an object, in pieces.
func Write(t testing.TB, s *state.Store, data []byte, pieces int) *state.Sealed {
	t.Helper()
	w := s.NewObject(t.Context())
	for len(data) > 0 || pieces > 0 {
		n := min(len(data), len(data)/max(pieces, 1)+1)
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
		pieces--
	}
	o, err := w.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Random returns bytes that are always the same ones for a length.
func Random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

// CheckContent wants an object to be good and to have these bytes.
func CheckContent(t *testing.T, s *state.Store, ref state.Ref, want []byte) {
	t.Helper()
	o, err := s.OpenObject(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil || !bytes.Equal(got, want) || o.Ref() != ref {
		t.Errorf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if got, err := o.ReadAll(t.Context()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes of %d at once, %v", len(got), len(want), err)
	}
}
