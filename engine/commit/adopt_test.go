package commit

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/exec"
	"reconcile/state"
	"reconcile/state/local"
)

// An object is adopted if its size and digest are what the result says, whether the
// result brings it along, it lies elsewhere, or it is where the state keeps its objects.
func TestAdopt(t *testing.T) {
	store := local.Open(filepath.Join(t.TempDir(), "state.db"), local.Options{InlineLimit: -1})
	w := store.NewObject(t.Context())
	if _, err := w.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	kept, err := w.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("content"))
	right := exec.Ref{Digest: hex.EncodeToString(sum[:]), Size: 7}
	other := exec.Ref{Digest: hex.EncodeToString(make([]byte, 32)), Size: 7}
	long := exec.Ref{Digest: right.Digest, Size: 8}
	at := func(name, text string) string {
		p := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for what, c := range map[string]struct {
		o    exec.Object
		made bool
		ok   bool
	}{
		"brought along":            {exec.Object{Ref: right, Bytes: []byte("content")}, false, true},
		"brought, of another text": {exec.Object{Ref: right, Bytes: []byte("CONTENT")}, false, false},
		"brought, too long":        {exec.Object{Ref: long, Bytes: []byte("content")}, true, false},
		"kept":                     {exec.Object{Ref: exec.Ref(kept.Ref)}, false, true},
		"kept, of another size":    {exec.Object{Ref: long}, false, false},
		"not there":                {exec.Object{Ref: other}, false, false},
		"elsewhere":                {exec.Object{Ref: right, Location: at("a", "content")}, false, true},
		"elsewhere, another text":  {exec.Object{Ref: right, Location: at("b", "CONTENT")}, false, false},
		"elsewhere, another size":  {exec.Object{Ref: long, Location: at("c", "content")}, false, false},
		"elsewhere, cut":           {exec.Object{Ref: right, Location: at("d", "conten")}, false, false},
		"elsewhere, not there":     {exec.Object{Ref: right, Location: at("e", "") + "x"}, false, false},
		"written by this process":  {exec.Object{Ref: exec.Ref(kept.Ref)}, true, true},
	} {
		s, err := Adopt(t.Context(), store, &c.o, c.made)
		if c.ok != (err == nil) || c.ok && s.Ref != state.Ref(c.o.Ref) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
