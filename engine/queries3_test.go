package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/engine/model"
)

// queried is a row as a query engine returns it.
type queried struct {
	Event, User int64
	Path, File  string
}

// nightDays is how many days the table of these tests has, each in a file.
const nightDays = 4

// nightFile is what readerNight makes of the file of a day, sorted by event.
func nightFile(id, day int64) []queried {
	canon := map[int64]int64{1 + id%5: 0, 6: 0} // by way of 6
	var out []queried
	for i := range 4 + id {
		event := day*10_000 + i
		user, ok := canon[event%7]
		if !ok {
			user = event % 7
		}
		out = append(out, queried{Event: event, User: user, Path: fmt.Sprintf("/commit %d", id)})
	}
	return out
}

// checkNights checks that rows are those of one whole file for each day, each of a
// commit from first to last.
func checkNights(rows []queried, first, last int64) error {
	files, at := map[string][]queried{}, map[[2]int64]string{}
	for _, r := range rows {
		key := [2]int64{r.Event, r.User}
		if was, twice := at[key]; twice {
			return fmt.Errorf("event %d of user %d is in %s and in %s", r.Event, r.User, was, r.File)
		}
		at[key] = r.File
		files[r.File] = append(files[r.File], r)
	}
	if len(files) != nightDays {
		return fmt.Errorf("there are rows of the files %q", slices.Sorted(maps.Keys(files)))
	}
	for name, rows := range files {
		if err := checkNightFile(rows, first, last); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

func checkNightFile(rows []queried, first, last int64) error {
	slices.SortFunc(rows, func(a, b queried) int { return int(a.Event - b.Event) })
	id, err := strconv.ParseInt(strings.TrimPrefix(rows[0].Path, "/commit "), 10, 64)
	if err != nil || id < first || id > last {
		return fmt.Errorf("is of %q, while the commits from %d to %d can be seen", rows[0].Path, first, last)
	}
	want := nightFile(id, rows[0].Event/10_000)
	for i := range max(len(rows), len(want)) {
		if i >= len(rows) || i >= len(want) {
			return fmt.Errorf("has %d rows, commit %d wrote %d", len(rows), id, len(want))
		}
		got := rows[i]
		if got.File = ""; got != want[i] {
			return fmt.Errorf("has %+v, commit %d wrote %+v", got, id, want[i])
		}
	}
	return nil
}

// queryEngine is an engine that others wrote, in a process of its own.
type queryEngine struct {
	name  string
	in    io.Writer
	out   *bufio.Scanner
	whole int // answers
	again int // queries that are to be asked again
	// mixes says that an answer from which a file was replaced is none.
	mixes bool
}

// startEngine starts the engine of testdata/queries.py with that name over a
// table, until the test ends.
func startEngine(t *testing.T, python, name, table string) *queryEngine {
	t.Helper()
	cmd := exec.Command(python, "testdata/queries.py", name, table)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	q := &queryEngine{name: name, in: in, out: bufio.NewScanner(out)}
	q.out.Buffer(nil, 64<<20)
	return q
}

// ask runs one query. A query that ended with an error has a message.
func (q *queryEngine) ask() (rows []queried, message string, err error) {
	if _, err := fmt.Fprintln(q.in); err != nil {
		return nil, "", err
	}
	if !q.out.Scan() {
		return nil, "", fmt.Errorf("%s gives no answer: %w", q.name, errors.Join(q.out.Err(), io.EOF))
	}
	var answer struct {
		Rows  []queried
		Error string
	}
	err = json.Unmarshal(q.out.Bytes(), &answer)
	return answer.Rows, answer.Error, err
}

// nights makes commits, and says which of them a reader can see.
type nights struct {
	*harness
	begun, done atomic.Int64
}

func (n *nights) next() {
	n.t.Helper()
	id := n.begun.Add(1)
	n.arrive(readerNight(id, nightDays))
	if _, err := n.apply(); err != nil {
		n.t.Fatal(err)
	}
	n.done.Store(id)
}

// etags tells the data files of the table apart.
func (n *nights) etags() (map[string]string, error) {
	prefix, out := "lake/pageviews/", map[string]string{}
	list, err := n.remote.server.Client().ListObjectsV2(n.t.Context(), &s3.ListObjectsV2Input{Bucket: &n.remote.out, Prefix: &prefix})
	if err != nil {
		return nil, err
	}
	for _, o := range list.Contents {
		out[*o.Key] = *o.ETag
	}
	return out, nil
}

// watch asks once. A query may end with an error only if a file was replaced in
// the meantime: an engine that looks at a file more than once has many words for
// what it then meets.
func (n *nights) watch(q *queryEngine) error {
	before, err := n.etags()
	if err != nil {
		return err
	}
	first := n.done.Load()
	rows, message, err := q.ask()
	if err != nil {
		return err
	}
	last := n.begun.Load()
	after, err := n.etags()
	if err != nil {
		return err
	}
	same := maps.Equal(before, after)
	switch {
	case message == "" && (same || !q.mixes):
		q.whole++
		return checkNights(rows, first, last)
	case same:
		return fmt.Errorf("no file was replaced, but the query ended with: %s", message)
	}
	q.again++
	return nil
}

// wanted is the model's content of the table, sorted.
func (n *nights) wanted() []queried {
	n.t.Helper()
	cfg := n.config()
	table, diags := cfg.Table("pageviews", n.delivered("pageviews"))
	if diags.HasErrors() {
		n.t.Fatal(diags)
	}
	mapping := model.MappingFor(n.arrived, model.Guard{}).Dump
	want, err := model.Expect(n.arrived, mapping, model.FromDefinition(table, cfg.MaskKey), "pageviews")
	if err != nil {
		n.t.Fatal(err)
	}
	var out []queried
	for _, r := range want.Rows {
		event, err := strconv.ParseInt(*r.Values["event_id"], 10, 64)
		user, err2 := strconv.ParseInt(*r.Values["user_id"], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			n.t.Fatal(err)
		}
		out = append(out, queried{event, user, *r.Values["path"], ""})
	}
	slices.SortFunc(out, func(a, b queried) int { return int(a.Event - b.Event) })
	return out
}

// checkRest checks that the engine returns exactly the rows of the model once
// nothing moves.
func (n *nights) checkRest(q *queryEngine) {
	n.t.Helper()
	rows, message, err := q.ask()
	if err != nil || message != "" {
		n.t.Fatalf("%s at rest: %v %s", q.name, err, message)
	}
	for i := range rows {
		rows[i].File = ""
	}
	slices.SortFunc(rows, func(a, b queried) int { return int(a.Event - b.Event) })
	if want := n.wanted(); !slices.Equal(rows, want) {
		n.t.Fatalf("%s returns at rest\n%v\ninstead of\n%v", q.name, rows, want)
	}
}

// TestQueriesDuringCommitsOnS3 has ClickHouse query a table on S3, and DuckDB the
// folder that the server keeps it in, while commits replace all of its files.
func TestQueriesDuringCommitsOnS3(t *testing.T) {
	python := os.Getenv("RECONCILE_READERS_PYTHON")
	if python == "" {
		t.Skip("RECONCILE_READERS_PYTHON names no Python that has chdb and duckdb")
	}
	h, gate := gated(t, killConfig)
	gate.Rule(nil)
	n := &nights{harness: h}
	n.next()
	engines := []*queryEngine{
		startEngine(t, python, "chdb", h.remote.server.Endpoint+"/"+h.remote.out+"/lake/pageviews"),
		startEngine(t, python, "duckdb", filepath.Join(h.lake(), "pageviews")),
	}
	engines[1].mixes = true // it opens a file twice, also in a folder
	var stop atomic.Bool
	var work sync.WaitGroup
	for _, q := range engines {
		work.Go(func() {
			for !stop.Load() && !t.Failed() {
				time.Sleep(10 * time.Millisecond) // the commits need the processors, too
				if err := n.watch(q); err != nil {
					t.Errorf("%s: %v", q.name, err)
				}
			}
		})
	}
	defer func() {
		stop.Store(true)
		work.Wait()
	}()
	for range *flagCommits - 1 {
		n.next()
	}
	stop.Store(true)
	work.Wait()
	for _, q := range engines {
		t.Logf("%s: %d whole queries, %d asked again, during %d commits", q.name, q.whole, q.again, *flagCommits)
		if q.whole < *flagCommits/10 {
			t.Error("that is not enough")
		}
		n.checkRest(q)
	}
	h.check()
}
