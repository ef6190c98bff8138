package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/objects"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/definition"
	"reconcile/internal/errclass"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
	"reconcile/state"
	"reconcile/state/local"
	"reconcile/state/remote"
)

const advice = "it may come back"

// place is a lake, a state and a source in a folder.
type place struct {
	root  string
	sink  sinks.Sink
	lake  *lake.Lake
	state *state.Store
}

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	root := filepath.Join(dir, "lake")
	open := func(context.Context, string, *config.S3) (blob.Store, error) { return blob.NewLocal(root) }
	st, err := blob.NewLocal(root)
	must(t, err)
	return &place{root: root, sink: parquet.New(st, parquet.Options{Advice: advice}), state: local.Open(filepath.Join(dir, "state", "state.db"), local.Options{}),
		lake: lake.New(lake.Options{Declared: &lake.Declared{Sinks: []*config.Sink{{Sink: definition.Sink{Kind: "parquet", Label: "lake", Path: root}}}}, Home: &lake.Home{Place: "state"}, Store: open})}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file below the root of the lake.
func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.root, filepath.FromSlash(name))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// failing has for each class what makes the component that promises errors of it give
// one, and whether the rest of a run goes on after it.
var failing = map[errclass.Class]struct {
	fail  func(t *testing.T, p *place) error
	stops bool // a table, and not the run
}{
	errclass.SinkUnavailable: {func(t *testing.T, p *place) error {
		p.write(t, "_reconcile/staging", "a file where a folder should be")
		_, err := p.sink.Stage(t.Context(), "a", "f", sinks.FileSpec{})
		return err
	}, true},
	errclass.SinkMissing: {func(t *testing.T, p *place) error {
		snap := &state.Snapshot{Publishes: []*state.Publish{{Table: "e", Steps: []state.Step{{Sink: p.root, Path: "e/part-00000.parquet"}}}}}
		_, _, err := p.lake.WithoutLost(t.Context(), snap, snap.Publishes[0], []string{p.root})
		return err
	}, false},
	errclass.FolderUnusable: {func(t *testing.T, p *place) error {
		p.write(t, "../elsewhere/part-00000.parquet", "somebody's")
		must(t, os.MkdirAll(p.root, 0o755))
		must(t, os.Symlink(filepath.Join(p.root, "..", "elsewhere"), filepath.Join(p.root, "e")))
		_, err := p.sink.Open(t.Context(), "e/part-00000.parquet", "", nil)
		return err
	}, true},
	errclass.Distrusted: {func(t *testing.T, p *place) error {
		return lake.FoundNewer(t.Context(), nil, "the sink is newer than the state")
	}, true},
	errclass.StagedLost: {func(t *testing.T, p *place) error {
		_, err := p.sink.Publish(t.Context(), sinks.Step{Staged: "_reconcile/staging/a/f", Path: "e/part-00000.parquet", After: "x", Size: 1})
		return err
	}, false},
	errclass.Changed: {func(t *testing.T, p *place) error {
		p.write(t, "e/part-00000.parquet", "somebody's")
		_, err := p.sink.Open(t.Context(), "e/part-00000.parquet", "the pin of another one", nil)
		return err
	}, true},
	errclass.Damaged: {func(t *testing.T, p *place) error {
		_, err := p.state.OpenObject(t.Context(), state.Ref{Digest: strings.Repeat("0", 64), Size: 1})
		return err
	}, false},
	errclass.LeaseLost: {func(t *testing.T, p *place) error {
		machine := func() *state.Store {
			st, err := blob.NewLocal(p.root)
			must(t, err)
			return remote.Open(st, remote.Options{})
		}
		l, err := machine().Lock(t.Context(), state.NewHolder("apply"), 0)
		must(t, err)
		other := machine()
		held, err := other.LockStatus(t.Context())
		must(t, err)
		must(t, other.ForceUnlock(t.Context(), held.ID))
		err = l.Confirm(t.Context())
		_ = l.Unlock()
		return err
	}, false},
	errclass.SourceUnavailable: {func(t *testing.T, p *place) error {
		gone := httptest.NewServer(nil)
		gone.Close()
		st, err := s3blob.New(t.Context(), s3blob.Options{Bucket: "b", Endpoint: gone.URL, Region: "r", ForcePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), Retry: blob.Retry{Attempts: 1}})
		must(t, err)
		_, err = dump.Open(st, dump.Options{}).Open(t.Context(), "part.avro")
		return err
	}, false},
	errclass.Cancelled: {func(t *testing.T, p *place) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.sink.List(ctx, "e")
		return err
	}, false},
}

// TestClasses has each component give the errors that it promises. They are of their
// class, also when another process told of them, and callers decide the same then.
func TestClasses(t *testing.T) {
	for _, class := range errclass.All() {
		t.Run(string(class), func(t *testing.T) {
			c, ok := failing[class]
			if !ok {
				t.Fatal("nothing gives such an error")
			}
			p := newPlace(t)
			cause := c.fail(t, p)
			err := fmt.Errorf("table e: %w", errors.Join(cause, errors.New("and something else")))
			heard := hear(t, p, err)
			if class == errclass.Damaged {
				err = cause // as who keeps the object says
			}
			if heard.Error() != err.Error() {
				t.Errorf("it says %q, and was told as %q", err, heard)
			}
			for _, e := range []error{err, heard} {
				checkClass(t, p, e, class, errclass.Find(err))
				if got := p.lake.StopsTable(t.Context(), e); got != c.stops {
					t.Errorf("it stops a table: %v: %v", got, e)
				}
				down := p.lake.Down(p.root)
				if (down != nil) != (class == errclass.SinkUnavailable) || down != nil && down.Error() != cause.Error() {
					t.Errorf("the sink is down, for %v, after %v", down, e)
				}
				p.lake.LookAgain()
			}
		})
	}
}

// checkClass checks that an error is of a class, and about what another one is.
func checkClass(t *testing.T, p *place, err error, class errclass.Class, like errclass.Classed) {
	t.Helper()
	found := errclass.Find(err)
	if errclass.Of(err) != class || found == nil || like == nil {
		t.Fatalf("it is of the class %q: %v", errclass.Of(err), err)
	}
	_, about := found.ErrorClass()
	if _, want := like.ErrorClass(); about != want || found.Error() != like.Error() {
		t.Errorf("it is about %q, and says %q; want %q, %q", about, found, want, like)
	}
	if ofSink := []errclass.Class{errclass.SinkUnavailable, errclass.SinkMissing}; slices.Contains(ofSink, class) && about != p.root {
		t.Errorf("it is about %q instead of the sink at %s", about, p.root)
	}
	if class == errclass.SinkUnavailable && !strings.HasSuffix(found.Error(), "("+advice+")") {
		t.Errorf("it lacks the advice: %v", found)
	}
}

// hear returns an error as it arrives from another process.
func hear(t *testing.T, p *place, err error) error {
	t.Helper()
	b, jerr := json.Marshal(failureOf(err))
	must(t, jerr)
	f := &failure{}
	must(t, json.Unmarshal(b, f))
	ref := exec.Ref{Digest: f.About, Size: 1}
	return f.err(t.Context(), &exec.Env{Objects: objects.Objects{State: p.state}}, given{f.About: {ref: ref}})
}

// TestUnclassed says that an error without a class has none in another process.
func TestUnclassed(t *testing.T) {
	err := hear(t, newPlace(t), errors.New("something else"))
	if errclass.Of(err) != errclass.Unclassed || err.Error() != "something else" {
		t.Errorf("it is of the class %q: %v", errclass.Of(err), err)
	}
}

// TestDamagedState says that a state which cannot be read is of the class of its objects,
// and about none of them.
func TestDamagedState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("no state ", 1000)), 0o600))
	_, err := local.Open(path, local.Options{}).Load(t.Context())
	if found := errclass.Find(err); errclass.Of(err) != errclass.Damaged || !errors.Is(err, state.ErrDamaged) {
		t.Errorf("it is of the class %q: %v", errclass.Of(err), err)
	} else if _, about := found.ErrorClass(); about != "" {
		t.Errorf("it is about %q", about)
	}
}
