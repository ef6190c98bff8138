package sinktest

import (
	"testing"

	"reconcile/internal/definition"
	"reconcile/sinks"
)

// testDescribe says that a form is whole, that it is what the configuration asks for, and
// that what it leaves open stays as the table has it.
func testDescribe(t *testing.T, p Place) {
	describe := func(s sinks.TableSpec) (f sinks.Form) {
		t.Helper()
		unchanged(t, p, func() {
			var err error
			if f, err = p.Sink.Describe(ctx, s); err != nil {
				t.Fatalf("%+v: %v", s, err)
			}
		})
		return f
	}
	stage(t, p, "a", "something", 0, 1)
	fresh := describe(sinks.TableSpec{Folder: "t"})
	if fresh.Folder != "t" || fresh.Compression == "" || fresh.Encodings != definition.Plain {
		t.Errorf("a new table is described as %+v", fresh)
	}
	for _, c := range []string{"zstd", "snappy", "none"} {
		for _, e := range []string{definition.Plain, definition.Compact} {
			asked := sinks.TableSpec{Folder: "year/t", Compression: c, Encodings: e}
			want := sinks.Form{Folder: "year/t", Compression: c, Encodings: e}
			if got := describe(asked); got != want {
				t.Errorf("%+v is described as %+v", asked, got)
			}
			asked.Stored = &fresh
			if got := describe(asked); got != want {
				t.Errorf("%+v, stored as %+v, is described as %+v", asked, fresh, got)
			}
			if got := describe(sinks.TableSpec{Folder: "year/t", Stored: &want}); got != want {
				t.Errorf("a table that is stored as %+v, of which nothing is asked, is described as %+v", want, got)
			}
			w, err := p.Sink.Stage(ctx, "a", "f", sinks.FileSpec{Columns: schema(), Form: want})
			if err == nil {
				err = w.Write(ctx, batch(0, 50))
			}
			if err != nil {
				t.Fatal(err)
			}
			if f, err := w.Close(); err != nil || len(read(t, p, f.Path, "", schema())) != 50 {
				t.Errorf("a file of the form %+v cannot be written and read: %v", want, err)
			}
		}
	}
}

// testDescribeUnknown says that there is no form for what the sink cannot write.
func testDescribeUnknown(t *testing.T, p Place) {
	for _, s := range []sinks.TableSpec{
		{Folder: "t", Compression: "lzma"}, {Folder: "t", Encodings: "dense"}, {Folder: ""}, {Folder: "../t"}, {Folder: "/t"},
		{Folder: "_reconcile"}, {Folder: "_reconcile/t"}, {Folder: "t", Stored: &sinks.Form{Folder: "t", Compression: "lzma", Encodings: definition.Plain}},
	} {
		if f, err := p.Sink.Describe(ctx, s); err == nil || f != (sinks.Form{}) {
			t.Errorf("%+v is described as %+v, %v", s, f, err)
		}
	}
	if _, err := p.Sink.Stage(ctx, "a", "f", sinks.FileSpec{Columns: schema(), Form: sinks.Form{Folder: "t", Compression: "lzma"}}); err == nil {
		t.Error("a file of a form that nobody described was staged")
	}
	wantAll(t, p, "")
}
