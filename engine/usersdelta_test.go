package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"reconcile/engine/model"
	"reconcile/internal/feed"
	"reconcile/state"
	"reconcile/state/local"
)

// people are users that come, change, merge and part, dump by dump.
type people struct {
	r     *rand.Rand
	next  int64 // id of the next newcomer
	pairs map[int64]int64
}

// dump makes a dump of newcomers, of users that are there already, and of the
// mapping as it is then.
func (p *people) dump(id int64, newcomers, again, merged, parted int) *model.Dump {
	var users, pairs [][]any
	add := func(u int64) {
		users = append(users, row(u, fmt.Sprint(1_700_000_000_000+p.r.Int63n(1e9)), fmt.Sprintf("plan %d", p.r.Intn(3)), fmt.Sprintf("u%d of %d", u, id)))
	}
	for range again {
		add(p.someone())
	}
	for range newcomers {
		add(p.next)
		p.next += 1 + p.r.Int63n(3)
	}
	for range merged {
		p.pairs[p.someone()] = p.someone()
	}
	for from := range p.pairs {
		if parted == 0 {
			break
		}
		delete(p.pairs, from)
		parted--
	}
	for from, to := range p.pairs {
		pairs = append(pairs, row(from, to))
	}
	slices.SortFunc(pairs, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
	d := dumpOf(id, full(feed.TableMapping, avroPart("from_user_id to_user_id", pairs...)))
	if len(users) > 0 {
		e := dumpOf(id, more(feed.TableUsers, avroPart("user_id last_modified plan name", users...))).Entries[0]
		e.Files[0].Key = fmt.Sprintf("sync_%d/x/users.avro", id)
		d.Entries = append(d.Entries, e)
	}
	return d
}

func (p *people) someone() int64 { return p.r.Int63n(max(p.next, 1)) }

// usersAlone has no table beside the users, who are then not computed ahead: their
// columns are encoded in parallel.
const usersAlone = `
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

// usersTwice has the users in two sinks.
const usersTwice = `
sink "parquet" "other" { path = "../other" }
table "users" { sinks = [sink.parquet.lake, sink.parquet.other] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

// The users are those of the model after every apply of many small changes, over
// files of many row groups, also when dumps come late.
func TestUsersDelta(t *testing.T) {
	for seed := range int64(18) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(seed))
			p := &people{r: r, pairs: map[int64]int64{}}
			h := newHarness(t, []string{lakeTables, usersAlone, usersTwice}[seed%3])
			h.tuning = Tuning{GroupRows: 2 + r.Intn(12), IndexRuns: 1 + r.Intn(3), Inline: 1}
			h.arrive(p.dump(1, 80, 0, 10, 0))
			h.must()
			var late []*model.Dump
			for id := int64(2); id < 14; id++ {
				d := p.dump(id, r.Intn(4), r.Intn(4), r.Intn(3), r.Intn(2))
				if r.Intn(4) == 0 {
					late = append(late, d)
					continue
				}
				h.arrive(d)
				if r.Intn(4) == 0 {
					h.arrive(late...)
					late = nil
				}
				h.must()
			}
			if seed%3 == 2 {
				a, aerr := os.ReadFile(onlyFile(t, filepath.Join(h.lake(), feed.TableUsers)))
				b, berr := os.ReadFile(onlyFile(t, filepath.Join(h.dir, "other", feed.TableUsers)))
				if aerr != nil || berr != nil || !bytes.Equal(a, b) {
					t.Errorf("the sinks hold other users: %d and %d bytes, %v %v", len(a), len(b), aerr, berr)
				}
			}
		})
	}
}

// What few users change costs neither the kept rows of all nor the row groups
// that hold none of them.
func TestUsersDeltaTakesOver(t *testing.T) {
	p := &people{r: rand.New(rand.NewSource(1)), pairs: map[int64]int64{}}
	h := newHarness(t, lakeTables)
	h.tuning = Tuning{GroupRows: 10, Inline: 1}
	h.arrive(p.dump(1, 100, 0, 0, 0))
	h.must()
	kept := h.usersTable().Users
	before := columnChunks(t, onlyFile(t, filepath.Join(h.lake(), feed.TableUsers)), "name")
	h.arrive(p.dump(2, 3, 0, 0, 0))
	h.must()
	u := h.usersTable()
	if u.Users != kept || len(u.UserRuns) != 1 || u.UserRuns[0].Rows != 3 {
		t.Errorf("kept users are %+v and %+v, want %+v and a run of 3 rows", u.Users, u.UserRuns, kept)
	}
	after := columnChunks(t, onlyFile(t, filepath.Join(h.lake(), feed.TableUsers)), "name")
	if len(before) != 10 || len(after) != 11 || !slices.Equal(before, after[:10]) {
		t.Errorf("row groups were not copied: %d of them before, %d after", len(before), len(after))
	}
}

func (h *harness) usersTable() *state.Table {
	h.t.Helper()
	snap, err := local.Open(filepath.Join(h.dir, "state", "state.db"), local.Options{}).Load(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = snap.Close() }()
	return snap.Tables[feed.TableUsers]
}

// columnChunks returns the bytes of a column of each row group.
func columnChunks(t *testing.T, path, name string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			if c.MetaData.PathInSchema[0] != name {
				continue
			}
			at := c.MetaData.DataPageOffset
			if d := c.MetaData.DictionaryPageOffset; d > 0 && d < at {
				at = d
			}
			out = append(out, string(data[at:at+c.MetaData.TotalCompressedSize]))
		}
	}
	return out
}

// A user who is written with something rescued is counted once, whether others stand for
// the same person or not.
func TestUsersRescuedCount(t *testing.T) {
	a := newBed(t, lakeTables)
	users := avroPart("user_id Plan plan", row(1, "a", "b"), row(2, "c", "d"), row(3, "x", "e"), row(4, "f", "g"))
	res := a.run(dumpOf(1, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(2, 1), row(3, 1))), full(feed.TableUsers, users)))
	for _, table := range res.Tables {
		if table.Name == feed.TableUsers && table.Counts.Rescued != 2 {
			t.Errorf("%d rows are said to have something rescued, want 2", table.Counts.Rescued)
		}
	}
}
