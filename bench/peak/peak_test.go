package peak

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	required = []field{{"event_id", "long"}, {"user_id", "long"}, {"text", optional("string")}}
	nullable = []field{{"event_id", optional("long")}, {"user_id", optional("long")}, {"text", optional("string")}}
)

// event is a row of the required fields.
func event(b []byte, id, user int64, text string) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b[:0], id), user)
	b = binary.AppendVarint(append(b, 2), int64(len(text)))
	return append(b, text...)
}

var timed = []field{{"event_id", "long"}, {"user_id", "long"}, {"time", optional("string")}, {"text", optional("string")}}

// timedEvent is a row of the timed fields, of so many days after the first of the year.
func timedEvent(b []byte, id, user int64, day int, text string) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b[:0], id), user)
	for _, v := range []string{time.Date(2026, 1, 1+day, 10, 0, 0, 0, time.UTC).Format(time.RFC3339), text} {
		b = append(binary.AppendVarint(append(b, 2), int64(len(v))), v...)
	}
	return b
}

// randomText is a text of n bytes that nothing compresses to less than half.
func randomText(r *rand.Rand, n int) string {
	raw := make([]byte, n/2)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(raw)
}

// A night of 30,000 rows onto a partition of a million.
func TestNightOntoOnePartition(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(1, 1))
	events := func(first, n int) func(*partFile) {
		return func(f *partFile) {
			var b []byte
			for i := range n {
				b = event(b, int64(first+i), r.Int64N(100_000), randomText(r, 40))
				f.row(b)
			}
		}
	}
	s.deliver(required, "deflate", events(0, 1_000_000))
	s.apply(0)
	s.deliver(required, "deflate", events(1_000_000, 30_000))
	s.apply(0)
}

// Rows without keys are quarantined, at a cost like that of others.
func TestRowsWithoutKeys(t *testing.T) {
	const most, tries = 3, 4 // a machine that is busy slows one of the two down
	for try := range tries {
		with, without := applyRows(t, true), applyRows(t, false)
		if without <= most*with {
			return
		}
		t.Logf("try %d: rows without keys take %.1f s of CPU, those with keys %.1f s", try, without.Seconds(), with.Seconds())
	}
	t.Errorf("rows without keys take more than %d times the CPU time of those with keys", most)
}

// applyRows applies half a million rows with or without their keys, and returns how much
// CPU time that takes.
func applyRows(t *testing.T, keys bool) time.Duration {
	s := newSite(t)
	s.deliver(nullable, "deflate", func(f *partFile) {
		var b []byte
		for i := range 500_000 {
			b = append(b[:0], 0, 0)
			if keys {
				b = append(binary.AppendVarint(append(b[:0], 2), int64(i)), 2)
				b = binary.AppendVarint(b, int64(i%1000))
			}
			f.row(append(append(b, 2, 8), "text"...))
		}
	})
	return s.apply(0).took
}

// Texts of which no two are equal.
func TestUniqueTexts(t *testing.T) {
	for name, size := range map[string]int{"500B": 500, "1500B": 1500, "1MB": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.deliver(required, "null", func(f *partFile) {
				r := rand.New(rand.NewPCG(1, 1))
				var b []byte
				for i := range (200 << 20) / size {
					b = event(b, int64(i), int64(i%1000), randomText(r, size))
					f.row(b)
				}
			})
			s.apply(0)
		})
	}
}

// Texts that are too long to be held beside others, in several partitions.
func TestLongRecords(t *testing.T) {
	s := newSite(t)
	s.configure("partition_by = [date(time)]")
	s.deliver(timed, "null", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		var b []byte
		for i := range 20 {
			b = timedEvent(b, int64(i), int64(i), i%3, randomText(r, 5<<20))
			f.row(b)
		}
	})
	s.apply(0)
}

// 40 million equal rows, in blocks that compress to next to nothing.
func TestEqualRows(t *testing.T) {
	s := newSite(t)
	s.deliver(required, "deflate", func(f *partFile) {
		const n = 2_000_000
		rows := bytes.Repeat(event(nil, 1, 1, ""), n)
		for range 20 {
			f.block(n, rows)
		}
	})
	s.apply(0)
}

// Two million rows of one key, which differ.
func TestRowsOfOneKey(t *testing.T) {
	s := newSite(t)
	s.deliver(required, "deflate", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		var b []byte
		for range 2_000_000 {
			b = event(b, 1, 1, randomText(r, 16))
			f.row(b)
		}
	})
	s.apply(0)
}

// An array of a hundred million values that take no bytes.
func TestArrayOfNulls(t *testing.T) {
	s := newSite(t)
	fields := append(required[:2:2], field{"list", map[string]string{"type": "array", "items": "null"}})
	s.deliver(fields, "null", func(f *partFile) {
		b := binary.AppendVarint([]byte{2, 2}, 100_000_000)
		f.row(append(b, 0))
	})
	r := s.apply(3)
	r.has(t, "memory_limit")
}

// A text of 250 MiB.
func TestLongText(t *testing.T) {
	s := newSite(t)
	s.deliver(required, "null", func(f *partFile) {
		part, times := bytes.Repeat([]byte("long "), 1<<17), 400
		head := binary.AppendVarint(event(nil, 1, 1, "")[:3], int64(times*len(part)))
		f.write(binary.AppendVarint(nil, 1), binary.AppendVarint(nil, int64(len(head)+times*len(part))), head)
		for range times {
			f.write(part)
		}
		f.write(syncMarker)
	})
	r := s.apply(3)
	r.has(t, "memory_limit")
}

// Three hundred partitions, and a night onto all of them.
func TestManyPartitions(t *testing.T) {
	s := newSite(t)
	s.configure("partition_by = [date(time)]")
	r := rand.New(rand.NewPCG(1, 1))
	events := func(first, n int) func(*partFile) {
		return func(f *partFile) {
			var b []byte
			for i := range n {
				b = timedEvent(b, int64(first+i), r.Int64N(1000), r.IntN(300), randomText(r, 100))
				f.row(b)
			}
		}
	}
	s.deliver(timed, "deflate", events(0, 400_000))
	s.apply(0)
	s.deliver(timed, "deflate", events(400_000, 40_000))
	s.apply(0)
}

// A night onto row groups that were written with much more memory.
func TestNightOntoLargeRowGroups(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(1, 1))
	events := func(first, n int) func(*partFile) {
		return func(f *partFile) {
			var b []byte
			for i := range n {
				b = event(b, int64(first+i), r.Int64N(100_000), randomText(r, 300))
				f.row(b)
			}
		}
	}
	s.deliver(required, "null", events(0, 600_000))
	s.load()
	s.deliver(required, "null", events(600_000, 20_000))
	s.apply(0)
}

// Two thousand columns.
func TestManyColumns(t *testing.T) {
	const columns = 2000
	s := newSite(t)
	fields := slices.Clone(required[:2])
	for i := range columns {
		fields = append(fields, field{fmt.Sprintf("column_%d", i), optional("string")})
	}
	s.deliver(fields, "deflate", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 5000 {
			b := binary.AppendVarint(binary.AppendVarint(nil, int64(i)), int64(i))
			for range columns {
				if r.IntN(10) > 0 {
					b = append(b, 0)
					continue
				}
				b = append(append(b, 2, 16), randomText(r, 8)...)
			}
			f.row(b)
		}
	})
	s.apply(0)
}

var userFields = []field{{"user_id", "long"}, {"last_modified", optional("string")}, {"text", optional("string")}}

// users is so many users with such ids, and texts of so many bytes.
func users(n, text int, user func(i int, r *rand.Rand) int64, modified string) func(*partFile) {
	return func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		var b []byte
		for i := range n {
			b = binary.AppendVarint(b[:0], user(i, r))
			for _, v := range []string{modified, randomText(r, text)} {
				b = append(binary.AppendVarint(append(b, 2), int64(len(v))), v...)
			}
			f.row(b)
		}
	}
}

// numbered gives users their ids.
func numbered(i int, _ *rand.Rand) int64 { return int64(i) }

// A million users, some of whom are delivered again.
func TestUsers(t *testing.T) {
	s := newSite(t)
	s.table = "users"
	s.deliver(userFields, "deflate", users(1_000_000, 60, numbered, "2026-01-01T10:00:00Z"))
	s.apply(0)
	s.deliver(userFields, "deflate", users(30_000, 60, func(_ int, r *rand.Rand) int64 { return r.Int64N(1_100_000) }, "2026-01-02T10:00:00Z"))
	s.apply(0)
}

// A table that was written with much more memory gets other partitions.
func TestOtherPartitions(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(1, 1))
	s.deliver(timed, "null", func(f *partFile) {
		var b []byte
		for i := range 600_000 {
			b = timedEvent(b, int64(i), r.Int64N(100_000), r.IntN(3), randomText(r, 300))
			f.row(b)
		}
	})
	s.load()
	s.configure("partition_by = [date(time)]")
	s.apply(0)
}

// Few users onto row groups that were written with much more memory.
func TestUsersOntoLargeRowGroups(t *testing.T) {
	s := newSite(t)
	s.table = "users"
	s.deliver(userFields, "null", users(600_000, 300, numbered, "2026-01-01T10:00:00Z"))
	s.load()
	for _, night := range []int{1000, 200_000} {
		s.deliver(userFields, "null", users(night, 300, func(_ int, r *rand.Rand) int64 { return r.Int64N(650_000) }, fmt.Sprintf("2026-01-02T10:00:%02dZ", s.dumps)))
		s.apply(0)
	}
}

// Long texts where memory_limit itself is what may be resident: users are loaded, and large
// nights come to events in row groups that were written with much more memory.
func TestLongTextsAt256MiB(t *testing.T) {
	s := newSite(t)
	s.limit = 256
	s.configure("")
	s.table = "users"
	s.deliver(userFields, "null", users(150_000, 1500, numbered, "2026-01-01T10:00:00Z"))
	s.apply(0)

	s.table = "events"
	s.configure("partition_by = [date(time)]")
	s.deliver(timed, "null", timedTexts(0, 150_000, 1500))
	s.load()
	s.deliver(timed, "null", timedTexts(135_000, 75_000, 1500))
	s.apply(0)

	s.table = "pageviews"
	s.deliver(timed, "null", timedTexts(0, 500_000, 300))
	s.load()
	s.deliver(timed, "null", timedTexts(450_000, 250_000, 300))
	s.apply(0)
}

// Texts of nearly the quarter of the limit that a text may take.
func TestTextsOfTheGreatestSize(t *testing.T) {
	s := newSite(t)
	s.deliver(required, "null", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		var b []byte
		for i := range 12 {
			b = event(b, int64(i), int64(i), randomText(r, 15<<20))
			f.row(b)
		}
	})
	s.apply(0)
}

// Rows that are hidden because their users are merged: few among very many of one
// partition. A night then merges as many users again, and hides rows of all row groups.
func TestHiddenRows(t *testing.T) {
	s := newSite(t)
	const people, events = 50_000, 1_000_000
	merge := func(step int) {
		s.table = mappingTable
		s.deliver([]field{{"from_user_id", "long"}, {"to_user_id", "long"}}, "null", func(f *partFile) {
			for u := 0; u < people; u += step {
				f.row(binary.AppendVarint(binary.AppendVarint(nil, int64(2*u+1)), int64(2*u)))
			}
		})
	}
	merge(2)
	s.table = "events"
	s.deliver(required, "null", func(f *partFile) {
		r := rand.New(rand.NewPCG(1, 1))
		var b []byte
		for i := range events {
			u := int64(r.IntN(people))
			b = event(b, int64(i), 2*u, randomText(r, 300))
			f.row(b)
			if i%50 == 0 {
				b = event(b, int64(i), 2*u+1, randomText(r, 300))
				f.row(b)
			}
		}
	})
	s.apply(0)
	merge(1)
	s.apply(0)
}

// A lake that was written with much more memory is compared with the source.
func TestVerifyOfLargeRowGroups(t *testing.T) {
	const rows, text = 150_000, 1500
	t.Run("events", func(t *testing.T) {
		s := newSite(t)
		s.deliver(required, "null", func(f *partFile) {
			r := rand.New(rand.NewPCG(1, 1))
			var b []byte
			for i := range rows {
				b = event(b, int64(i), r.Int64N(100_000), randomText(r, text))
				f.row(b)
			}
		})
		s.load()
		s.within(0, "verify")
	})
	t.Run("users", func(t *testing.T) {
		s := newSite(t)
		s.table = "users"
		s.deliver(userFields, "null", users(rows, text, numbered, "2026-01-01T10:00:00Z"))
		s.load()
		s.within(0, "verify")
	})
}

// A check reads rows that were written with much more memory.
func TestCheckOfLargeRowGroups(t *testing.T) {
	s := newSite(t)
	events := func(first, n int) func(f *partFile) {
		return func(f *partFile) {
			r := rand.New(rand.NewPCG(1, uint64(first)))
			var b []byte
			for i := range n {
				b = event(b, int64(first+i), r.Int64N(100_000), randomText(r, 1500))
				f.row(b)
			}
		}
	}
	s.deliver(required, "null", events(0, 150_000))
	s.load()
	s.write("checks.hcl", []byte(`check "text" {
  table  = table.events
  unique = ["text"]
}`))
	s.deliver(required, "null", events(150_000, 2_000))
	s.apply(0)
}

// Most users become others in row groups that were written with much more memory, whose
// columns are copied.
func TestMostUsersMove(t *testing.T) {
	s := newSite(t)
	s.configure("partition_by = [date(time)]")
	s.deliver(timed, "null", timedTexts(0, 150_000, 1500))
	s.load()
	s.table = mappingTable
	s.deliver([]field{{"from_user_id", "long"}, {"to_user_id", "long"}}, "null", func(f *partFile) {
		var b []byte
		for i := range 80_000 {
			b = binary.AppendVarint(binary.AppendVarint(b[:0], int64(i)), int64(80_000+i%20_000))
			f.row(b)
		}
	})
	s.apply(0)
}

// Users with very many short rows become others. Then rows of equal keys meet: nearly as many
// as the delta path holds, and all.
func TestUsersOfManyRowsMove(t *testing.T) {
	s := newSite(t)
	s.deliver(required, "null", func(f *partFile) {
		var b []byte
		for i := range 2_000_000 {
			b = event(b, int64(i/2), int64(i/2%50_000*2+i%2), "x")
			f.row(b)
		}
	})
	s.load()
	move := func(to func(user int) int) {
		s.table = mappingTable
		s.deliver([]field{{"from_user_id", "long"}, {"to_user_id", "long"}}, "null", func(f *partFile) {
			for u := range 50_000 {
				f.row(binary.AppendVarint(binary.AppendVarint(nil, int64(2*u)), int64(to(u))))
			}
		})
		s.apply(0)
	}
	others := func(u int) int { return 2*(u-u%10) + 100_000 }
	move(others)
	move(func(u int) int {
		if u < 3900 {
			return 2*u + 1
		}
		return others(u)
	})
	move(func(u int) int { return 2*u + 1 })
}

// A large night for two sinks.
func TestTwoSinks(t *testing.T) {
	s := newSite(t)
	s.write("main.hcl", []byte(`
reconcile {
  memory_limit = "64MiB"
  state "local" { path = "state/state.db" }
}
source "local" { path = "source" }
sink "parquet" "lake" { path = "lake" }
sink "parquet" "more" { path = "more" }
table "*" { sinks = [sink.parquet.lake, sink.parquet.more] }
table "users" { sinks = [sink.parquet.lake] }
`))
	s.deliver(timed, "null", timedTexts(0, 150_000, 1500))
	s.apply(0)
	s.deliver(timed, "null", timedTexts(100_000, 100_000, 1500))
	s.apply(0)
}

// timedTexts is so many events of three days, each with a text of its own of so many bytes.
func timedTexts(first, n, text int) func(*partFile) {
	return func(f *partFile) {
		r := rand.New(rand.NewPCG(1, uint64(first)))
		var b []byte
		for i := range n {
			b = timedEvent(b, int64(first+i), r.Int64N(100_000), r.IntN(3), randomText(r, text))
			f.row(b)
		}
	}
}

// Very many users become one, while they are written and by the mapping of a later night.
func TestUsersThatBecomeOne(t *testing.T) {
	const n = 50_000
	s := newSite(t)
	become := func(users int) {
		s.table = mappingTable
		s.deliver([]field{{"from_user_id", "long"}, {"to_user_id", "long"}}, "null", func(f *partFile) {
			var b []byte
			for i := range users {
				b = binary.AppendVarint(binary.AppendVarint(b[:0], int64(i+1)), 0)
				f.row(b)
			}
		})
		s.table = "users"
	}
	become(n / 2)
	s.deliver(userFields, "null", users(n, 2000, numbered, "2026-01-01T10:00:00Z"))
	s.apply(0)
	become(n - 2)
	s.apply(0)
}
