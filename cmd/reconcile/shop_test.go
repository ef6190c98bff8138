package main

import (
	"fmt"

	"reconcile/engine/model"
)

// shop is a vendor that delivers a dump a night: views of pages, orders, users and which
// of them turned out to be one person.
type shop struct {
	dumps []*model.Dump
	pairs [][]any // of the user mapping, all that there ever were
	event int64
}

const shopDay = 86_400_000 // ms

// Fields of the shop's tables. Every value is text, as the vendor delivers it.
var (
	shopViews  = shopFields("user_id", "event_id", "session_id", "time", "path")
	shopOrders = shopFields("user_id", "event_id", "session_id", "time", "total", "status", "email")
	shopUsers  = shopFields("user_id", "joindate", "last_modified", "email", "plan")
	shopPairs  = shopFields("from_user_id", "to_user_id", "time")
)

func shopFields(names ...string) (out []model.Field) {
	for _, n := range names {
		out = append(out, model.Field{Name: n, Type: []any{"null", "string"}})
	}
	return out
}

// night makes the next dump, in which orders have a status.
func (s *shop) night(status string) *model.Dump {
	n := int64(len(s.dumps) + 1)
	at := func(i int64) string { return fmt.Sprint(1_767_225_600_000 + n*shopDay + i*60_000) }
	var views, orders, users [][]any
	for i := int64(0); i < 40; i++ {
		s.event++
		user := fmt.Sprint(100 + (s.event*7)%(20+n*5))
		views = append(views, []any{user, fmt.Sprint(s.event), fmt.Sprint(s.event / 4), at(i), fmt.Sprintf("/p/%d", i%9)})
		if i%3 == 0 {
			orders = append(orders, []any{user, fmt.Sprint(s.event), fmt.Sprint(s.event / 4), at(i), fmt.Sprintf("%d.%02d", s.event%90, i), status,
				user + "@example.com"})
		}
	}
	if last := len(s.dumps); last > 0 { // what the night before delivered late
		views = append(views, s.dumps[last-1].Entries[0].Files[0].Rows[:5]...)
	}
	for u := int64(100); u < 120+n*5; u += 3 {
		users = append(users, []any{fmt.Sprint(u), at(u % 50), at(u % 60), fmt.Sprintf("%d@example.com", u), []any{"free", "pro"}[(u+n)%2]})
	}
	for i := int64(0); i < 3; i++ {
		s.pairs = append(s.pairs, []any{fmt.Sprint(100 + n*3 + i), fmt.Sprint(100 + (n*3+i)%3), at(i)})
	}
	return s.deliver(shopEntry(n, "pageviews", n == 1, shopViews, views), shopEntry(n, "checkout", n == 1, shopOrders, orders),
		shopEntry(n, "users", n == 1, shopUsers, users), s.mapping(n))
}

func (s *shop) mapping(dump int64) model.Entry {
	return shopEntry(dump, "user_migrations", true, shopPairs, s.pairs)
}

// emptied makes a dump with a full resync of the orders to nothing, beside a usual night.
func (s *shop) emptied() *model.Dump {
	d := s.night("paid")
	d.Entries[1] = model.Entry{Table: "checkout", Incremental: model.Bool(false), Columns: d.Entries[1].Columns}
	return d
}

func (s *shop) deliver(entries ...model.Entry) *model.Dump {
	d := &model.Dump{ID: int64(len(s.dumps) + 1), Entries: entries}
	s.dumps = append(s.dumps, d)
	return d
}

func shopEntry(dump int64, table string, full bool, fields []model.Field, rows [][]any) model.Entry {
	e := model.Entry{Table: table, Incremental: model.Bool(!full)}
	for _, f := range fields {
		e.Columns = append(e.Columns, f.Name)
	}
	key := fmt.Sprintf("sync_%d/_heap_table_name=%s/part-00000.avro", dump, table)
	e.Files = []*model.File{{Key: key, Fields: fields, Rows: rows, Codec: "snappy"}}
	return e
}
