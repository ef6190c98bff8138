package dump

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/s2"

	"reconcile/internal/blob"
	"reconcile/internal/textlist"
)

// knownSource is a source with some manifests, that goes by the times of files.
func knownSource(t *testing.T) (dir string, write func(name, text string), src *Source) {
	t.Helper()
	dir = t.TempDir()
	write = func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1.json", `{"dump_id":-1,"property_definitions":5,"tables":[
		{"name":"e","files":["s3://b/sync_1/a","k"],"columns":["a","b"],"incremental":true},
		{"name":"f","files":[],"columns":[],"incremental":false},{"name":"g","files":[]}]}`)
	write("2.json", `{"dump_id":2,"property_definitions":"s3://b/p","tables":[{"name":"e","files":["x"],"columns":["a","b"],"incremental":true}]}`)
	write("3.json", `{"dump_id":9223372036854775807,"tables":[]}`)
	write("4.json", `{"dump_id":4`)
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, write, Open(store, Options{Dated: true, Settle: 50 * time.Millisecond})
}

func list(t *testing.T, src *Source, known []byte) *Listing {
	t.Helper()
	l, err := src.ListKnown(t.Context(), bytes.NewReader(known))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// knownOf is what is kept of a listing.
func knownOf(t testing.TB, l *Listing) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := l.WriteKnown(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readKnownOf(known []byte, at addresses) (map[string]candidate, error) {
	return readKnown(bytes.NewReader(known), at, textlist.New(0, nil))
}

// packed is what is kept, as it is stored, and unpacked as it is encoded.
func packed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := s2.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpacked(t testing.TB, known []byte) []byte {
	t.Helper()
	plain, err := io.ReadAll(s2.NewReader(bytes.NewReader(known)))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// texts is a list in memory.
func texts(t testing.TB, all ...string) textlist.List {
	t.Helper()
	w := textlist.New(0, nil).NewWriter()
	for _, s := range all {
		w.Add(s)
	}
	l, err := w.List()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sameListing checks that two listings say the same.
func sameListing(t *testing.T, got, want *Listing) {
	t.Helper()
	sameTexts := cmp.Comparer(func(a, b textlist.List) bool {
		x, errX := a.Texts()
		y, errY := b.Texts()
		return errX == nil && errY == nil && slices.Equal(x, y)
	})
	opts := []cmp.Option{cmpopts.IgnoreFields(Listing{}, "Fresh", "Texts"), cmpopts.IgnoreUnexported(Listing{}, Entry{}), cmpopts.EquateEmpty(), sameTexts}
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// settledKnown lists when all manifests are old enough to be known again.
func settledKnown(t *testing.T, src *Source) []byte {
	t.Helper()
	time.Sleep(2 * src.settle)
	l := list(t, src, nil)
	if l.Fresh == 0 {
		t.Skip("files have no reliable times here")
	}
	if l.Fresh != 3 {
		t.Fatalf("%d fresh", l.Fresh)
	}
	return knownOf(t, l)
}

func TestKnownManifests(t *testing.T) {
	_, _, src := knownSource(t)
	if l := list(t, src, nil); l.Fresh != 0 {
		t.Errorf("%d manifests that came a moment ago are to be known again", l.Fresh)
	}
	known := settledKnown(t, src)
	again := list(t, src, known)
	if again.Fresh != 0 || len(again.kept) != 3 {
		t.Errorf("%d fresh, %d kept", again.Fresh, len(again.kept))
	}
	sameListing(t, again, list(t, src, nil))
	if string(knownOf(t, again)) != string(known) {
		t.Error("what is kept of what is known differs")
	}
}

// What was looked up in files is kept with what the manifests say.
func TestKnownFields(t *testing.T) {
	_, _, src := knownSource(t)
	l := list(t, src, settledKnown(t, src))
	noted := map[string][]string{}
	for _, d := range l.Dumps {
		for i, e := range d.Entries {
			if i%2 == 0 {
				noted[d.Manifest+e.Name] = []string{"a", e.Name}
				l.NoteFields(e, noted[d.Manifest+e.Name])
			}
		}
	}
	if len(noted) == 0 || l.Fresh != len(noted) {
		t.Errorf("%d noted, %d fresh", len(noted), l.Fresh)
	}
	again := list(t, src, knownOf(t, l))
	for _, d := range again.Dumps {
		for _, e := range d.Entries {
			if want := noted[d.Manifest+e.Name]; !slices.Equal(e.Fields, want) {
				t.Errorf("%s of %s: %q, want %q", e.Name, d.Manifest, e.Fields, want)
			}
		}
	}
	sameListing(t, again, l)
}

// A manifest that is written in place, with its size and its time, is read again.
func TestKnownManifestThatChanged(t *testing.T) {
	dir, write, src := knownSource(t)
	known := settledKnown(t, src)
	file := filepath.Join(dir, folder, "3.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write("3.json", `{"dump_id":9223372036854775806,"tables":[]}`)
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	l := list(t, src, known)
	if l.Dumps[2].ID != 9223372036854775806 {
		t.Errorf("dump %d", l.Dumps[2].ID)
	}
	sameListing(t, l, list(t, src, nil))
}

// What is kept for other addresses, or in another form, says nothing; what is
// damaged says so or nothing.
func TestKnownOfOthers(t *testing.T) {
	_, _, src := knownSource(t)
	known := settledKnown(t, src)
	for _, at := range []addresses{{bucket: "b"}, {prefix: "p"}} {
		if m, err := readKnownOf(known, at); m != nil || err != nil {
			t.Errorf("%v: %v, %v", at, m, err)
		}
	}
	plain := unpacked(t, known)
	for _, b := range [][]byte{[]byte("\x28\xb5\x2f\xfd zstd"), s2.Encode(nil, []byte("x")), s2.Encode(nil, plain), packed(t, []byte("x")), packed(t, plain[1:])} {
		if m, err := readKnownOf(b, src.at); m != nil || err != nil {
			t.Errorf("%q: %v, %v", b, m, err)
		}
	}
	head := len(knownVersion) + 3
	for n := head; n < len(plain); n++ {
		if m, err := readKnownOf(packed(t, plain[:n]), src.at); m != nil || err == nil && n > head {
			t.Fatalf("%d of %d bytes: %v, %v", n, len(plain), m, err)
		}
	}
}

func FuzzKnown(f *testing.F) {
	l := &Listing{kept: []candidate{{dump: &Dump{ID: 1, Entries: []*Entry{{Name: "e", Columns: []string{"a"}, Fields: []string{"b"}, Files: texts(f, "k", "l")}}}, validator: "s"}}}
	f.Add(unpacked(f, knownOf(f, l)))
	f.Fuzz(func(t *testing.T, plain []byte) {
		known, err := readKnownOf(packed(t, plain), addresses{})
		if err != nil {
			return
		}
		l := &Listing{}
		for _, c := range known {
			l.kept = append(l.kept, c)
		}
		again, err := readKnownOf(knownOf(t, l), addresses{})
		if err != nil || len(again) != len(known) || len(known) > 0 && !reflect.DeepEqual(again, known) {
			t.Fatalf("%v, %v, want %v", again, err, known)
		}
	})
}
