package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"

	"reconcile/engine/model"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
)

var flagCommits = flag.Int("commits", 40, "commits that are made while readers glob on S3")

// scanned is what a reader that others wrote takes out of a data file.
type scanned struct {
	Event int64  `parquet:"event_id"`
	User  int64  `parquet:"user_id"`
	Path  string `parquet:"path,optional"`
}

// scanFile reads a file as a whole: it must be of one commit.
func scanFile(name string, r io.ReaderAt, size int64) ([]scanned, error) {
	rows, err := parquetgo.Read[scanned](r, size)
	if err != nil {
		return nil, fmt.Errorf("%s is not whole: %w", name, err)
	}
	for _, x := range rows {
		if x.Path != rows[0].Path {
			return nil, fmt.Errorf("%s has rows of the commits %s and %s", name, rows[0].Path, x.Path)
		}
	}
	return rows, nil
}

// glob is one pass of a reader over a table.
type glob struct {
	seen map[int64]string // file by event
	last map[string]int   // rows by file, of the pass before
}

// take adds a file to the pass. No row of these tests changes its partition.
func (g *glob) take(name string, rows []scanned) error {
	for _, x := range rows {
		if at, twice := g.seen[x.Event]; twice {
			return fmt.Errorf("event %d is in %s and in %s", x.Event, at, name)
		}
		g.seen[x.Event] = name
	}
	if len(rows) < g.last[name] {
		return fmt.Errorf("%s has %d rows, it had %d", name, len(rows), g.last[name])
	}
	g.last[name] = len(rows)
	return nil
}

// globFolder reads a table where the server keeps it.
func globFolder(dir string) func(*glob) error {
	return func(g *glob) error {
		return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // not there yet
			}
			if err != nil || !strings.HasSuffix(p, ".parquet") {
				return err
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			rows, err := scanFile(p, bytes.NewReader(data), int64(len(data)))
			if err != nil {
				return err
			}
			return g.take(p, rows)
		})
	}
}

// globBucket reads a table as engines do: by listing, then by ranges, each on
// the condition that the object is the one that was opened. A pass that meets
// another one starts over, as a query would.
func globBucket(s blob.Store, folder string) func(*glob) error {
	return func(g *glob) error {
		list, err := s.List(context.Background(), folder)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, o := range list {
			if !strings.HasSuffix(o.Key, ".parquet") {
				continue
			}
			h, err := s.Open(context.Background(), o.Key)
			if err != nil {
				return err
			}
			rows, err := scanFile(o.Key, h, h.Object().Size)
			if err = errors.Join(err, h.Close()); err != nil {
				return err
			}
			if err := g.take(o.Key, rows); err != nil {
				return err
			}
		}
		return nil
	}
}

// readerNight delivers all rows of some days again, and a row more for each day. Users
// merge and part meanwhile.
func readerNight(id int64, days int) *model.Dump {
	var rows [][]any
	for day := 1; day <= days; day++ {
		for i := range 4 + id {
			event := int64(day)*10_000 + i
			rows = append(rows, []any{event % 7, event, event, fmt.Sprintf("2026-01-%02d", day), fmt.Sprintf("/commit %d", id), killSecret})
		}
	}
	return &model.Dump{ID: id, Entries: []model.Entry{killEvents(id, "pageviews", "event_id", true, rows),
		killMapping(id, [2]int64{1 + id%5, 6}, [2]int64{6, 0})}}
}

// TestReadersDuringCommitsOnS3 reads a table again and again while it changes.
func TestReadersDuringCommitsOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	store, err := s3blob.New(t.Context(), s3blob.Options{Bucket: h.remote.out, Prefix: "lake", Endpoint: h.remote.server.Endpoint,
		Region: "us-east-1", ForcePathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var passes, anew atomic.Int64
	var work sync.WaitGroup
	for name, scan := range map[string]func(*glob) error{
		"folder": globFolder(filepath.Join(h.lake(), "pageviews")), "bucket": globBucket(store, "pageviews"),
	} {
		work.Go(func() {
			last := map[string]int{}
			for !stop.Load() && !t.Failed() {
				time.Sleep(10 * time.Millisecond) // the commits need the processors, too
				err := scan(&glob{map[int64]string{}, last})
				switch {
				case err == nil && len(last) > 0:
					passes.Add(1)
				case err == nil: // there is no table yet
				case name == "bucket" && (errors.Is(err, blob.ErrConflict) || errors.Is(err, fs.ErrNotExist)):
					anew.Add(1)
				default:
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	gate.Rule(nil)
	for id := range int64(*flagCommits) {
		h.arrive(readerNight(id+1, 4))
		if _, err := h.apply(); err != nil {
			t.Error(err)
			break
		}
	}
	stop.Store(true)
	work.Wait()
	t.Logf("%d whole passes, %d begun anew during %d commits", passes.Load(), anew.Load(), *flagCommits)
	if passes.Load() < int64(*flagCommits)/10 {
		t.Error("that is not enough")
	}
	h.check()
}
