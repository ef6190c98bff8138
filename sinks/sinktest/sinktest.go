// Package sinktest holds the tests that every sinks.Sink must pass.
package sinktest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/sinks"
)

// Place is a sink, and the store under it to look at and to tamper with.
type Place struct {
	Sink  sinks.Sink
	Store blob.Store
	// Compression is what is asked for where files are staged; empty leaves it to the sink.
	Compression string
}

// Run runs the conformance tests. open returns a new place that holds nothing
// and whose sink writes row groups of at most 100 rows.
func Run(t *testing.T, open func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, p Place)
	}{
		{"describe", testDescribe}, {"described as unknown", testDescribeUnknown},
		{"round trip", testRoundTrip}, {"missing columns read as null", testMissingColumns},
		{"batches stay", testBatchesStay}, {"wrong batches", testWrongBatches}, {"empty file", testNoRows},
		{"staged is invisible", testInvisible}, {"abort", testAbort}, {"names", testNames},
		{"publish new", testNew}, {"replace", testReplace}, {"remove", testRemove},
		{"lost staged file", testLost}, {"drift of a move", testMoveDrift},
		{"drift of a removal", testRemoveDrift}, {"pins", testPins}, {"list", testList},
		{"current", testCurrent}, {"versions of current", testCurrentVersions}, {"damaged current", testDamagedCurrent}, {"staged files removed", testRemoveStaged},
		{"readers see whole files", testWholeFiles}, {"readers see a whole current", testWholeCurrent},
		{"many at once", testParallel}, {"cancelled", testCancelled}, {"refused steps", testRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t)
			c.test(t, p)
			checkGlob(t, p)
		})
	}
}

var ctx = context.Background()

// schema has a column of every form.
func schema() []column.Column {
	dec := func(p int) column.Type { return column.Type{ID: column.Decimal, Precision: p, Scale: 2} }
	return []column.Column{
		{Name: "user_id", Type: column.Type{ID: column.Int64}}, {Name: "name", Type: column.Type{ID: column.String}},
		{Name: "time", Type: column.Type{ID: column.Timestamp}}, {Name: "day", Type: column.Type{ID: column.Date}},
		{Name: "ratio", Type: column.Type{ID: column.Double}}, {Name: "ok", Type: column.Type{ID: column.Boolean}},
		{Name: "small", Type: dec(12)}, {Name: "large", Type: dec(30)}, {Name: "_rescued_data", Type: column.Type{ID: column.JSON}},
	}
}

// batch makes rows from..from+n; every third value of a nullable column is null.
func batch(from, n int) *column.Batch {
	b := &column.Batch{N: n, Cols: schema()}
	for k := range b.Cols {
		c := &b.Cols[k]
		c.Reset()
		for i := from; i < from+n; i++ {
			switch {
			case k > 0 && (i+k)%3 == 0:
				c.AppendNulls(1)
			case c.Type.Kind() == column.KindDouble:
				c.AppendFloat(float64(i) / 4)
			case c.Type.ID == column.Boolean:
				c.AppendInt(int64(i % 2))
			case c.Type.Kind() == column.KindInt64:
				c.AppendInt(int64(i * (k + 1)))
			case c.Type.ID == column.Decimal:
				c.AppendBytes([]byte(fmt.Sprintf("%016d", i))) // any 16 bytes
			case c.Type.ID == column.JSON:
				c.AppendBytes([]byte(fmt.Sprintf(`{"n":%d}`, i)))
			default:
				c.AppendBytes([]byte(fmt.Sprintf("name %d", i%7)))
			}
		}
	}
	return b
}

// rows writes the rows of a batch as texts.
func rows(b *column.Batch) []string {
	var out []string
	for i := range b.N {
		var s strings.Builder
		for k := range b.Cols {
			c := &b.Cols[k]
			switch {
			case c.IsNull(i):
				s.WriteString("null|")
			case c.Type.Kind() == column.KindInt64:
				fmt.Fprintf(&s, "%d|", c.Ints[i])
			case c.Type.Kind() == column.KindDouble:
				fmt.Fprintf(&s, "%g|", c.Floats[i])
			default:
				fmt.Fprintf(&s, "%q|", c.Bytes(i))
			}
		}
		out = append(out, s.String())
	}
	return out
}

// fileSpec is what a data file of table t is staged by: the sink describes its form.
func fileSpec(t *testing.T, p Place) sinks.FileSpec {
	t.Helper()
	form, err := p.Sink.Describe(ctx, sinks.TableSpec{Folder: "t", Compression: p.Compression})
	if err != nil {
		t.Fatal(err)
	}
	return sinks.FileSpec{Columns: schema(), Metadata: map[string]string{"commit": "1"}, Form: form}
}

// stage writes a data file of n rows, different for different from.
func stage(t *testing.T, p Place, attempt, name string, from, n int) sinks.File {
	t.Helper()
	w, err := p.Sink.Stage(ctx, attempt, name, fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, batch(from, n)); err != nil {
		t.Fatal(err)
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// moveOf is the step that publishes a staged file where nothing is.
func moveOf(f sinks.File, to string) sinks.Step {
	return sinks.Step{Staged: f.Path, Path: to, After: f.Digest, Size: f.Size}
}

func publish(t *testing.T, p Place, s sinks.Step) sinks.Object {
	t.Helper()
	o, err := p.Sink.Publish(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// content returns the bytes at a path, nil if there is no such object.
func content(t *testing.T, p Place, key string) []byte {
	t.Helper()
	data, _, err := blob.ReadAll(ctx, p.Store, key, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{}, data...)
}

func digestOf(data []byte) string {
	if data == nil {
		return ""
	}
	sum := xxh3.Hash128(data).Bytes()
	return hex.EncodeToString(sum[:])
}

func tamper(t *testing.T, p Place, key, data string) blob.Object {
	t.Helper()
	o, err := blob.Put(ctx, p.Store, key, []byte(data), blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func read(t *testing.T, p Place, key, pin string, cols []column.Column) []string {
	t.Helper()
	r, err := p.Sink.Open(ctx, key, pin, cols)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for {
		b, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		out = append(out, rows(b)...)
	}
}

func all(t *testing.T, p Place, prefix string) []string {
	t.Helper()
	list, err := p.Store.List(ctx, prefix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	return keys
}

func wantAll(t *testing.T, p Place, prefix string, want ...string) {
	t.Helper()
	if got := all(t, p, prefix); !slices.Equal(got, want) {
		t.Errorf("below %q are %q, want %q", prefix, got, want)
	}
}

// wantErr demands an error that matches want, is of its class, and names the file.
func wantErr(t *testing.T, err, want error, file string) {
	t.Helper()
	if !errors.Is(err, want) || errclass.Of(err) != errclass.Of(want) || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v of the class %q, want one that matches %q and names %s", err, errclass.Of(err), want, file)
	}
}

// checkGlob says that a reader's recursive glob over a sink finds no staged
// file, whatever happened before.
func checkGlob(t *testing.T, p Place) {
	t.Helper()
	for _, k := range all(t, p, "_reconcile") {
		if strings.EqualFold(path.Ext(k), ".parquet") {
			t.Errorf("%s would be read as data", k)
		}
	}
}
