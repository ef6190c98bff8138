package main

import (
	"slices"
	"time"
)

// shoppers puts the orders of Ana and Ben into the dumps.
func (s *shop) shoppers(dumps []*delivery) {
	byID := map[int64]*delivery{}
	for _, d := range dumps {
		byID[d.id] = d
	}
	order := func(dump, event, user int64, at time.Time, revenue string) row {
		r := row{"event_id": event, "user_id": user, "session_id": event - 1000, "session_time": at.Add(-9 * time.Minute), "time": at,
			"library": "web", "platform": "iOS 19.3", "device_type": "Mobile", "browser": "Safari 19.2", "country": "Spain", "region": "Cataluña", "city": "Barcelona",
			"revenue": revenue, "items": 1, "currency": "EUR", "payment": "card"}
		byID[dump].put("checkout", r)
		return r
	}
	// Ana buys with her phone, then with her laptop, then logs in.
	order(997, 8_001, anaPhone, clock(2, 9, 12), "24.90")
	order(998, 8_002, anaLaptop, clock(3, 20, 41), "112.00")
	order(999, 8_002, anaLaptop, clock(3, 20, 41), "112.00") // the overlap: the same row again
	order(998, 8_003, anaLaptop, clock(3, 21, 5), "18.50")
	order(999, 8_003, ana, clock(3, 21, 5), "18.50")          // the same order, under her account
	order(1000, 8_004, ana, clock(5, 8, 30), "n/a")           // not a number
	order(1001, 8_005, ana, clock(6, 12, 0), "189.00")        // only in the late dump
	order(1001, 8_002, anaLaptop, clock(3, 20, 41), "112.00") // an old row again, ...
	order(1002, 8_002, anaLaptop, clock(3, 20, 41), "99.00")  // ... and its correction
	order(998, 8_011, benTablet, clock(3, 10, 2), "59.00")    // Ben
	order(998, 8_012, benTablet, clock(4, 5, 30), "24.90")    // one order, ...
	order(999, 8_012, ben, clock(4, 5, 30), "24.90")          // ... under two of his ids
	order(1002, 8_013, ben, clock(7, 19, 15), "18.50")
	person := func(dump, id int64, joined, modified time.Time, more row) {
		r := row{"user_id": id, "joindate": joined, "last_modified": modified, "initial_browser": "Safari 19.2"}
		for k, v := range more {
			r[k] = v
		}
		byID[dump].put("users", r)
	}
	person(997, anaPhone, clock(1, 18, 20), clock(2, 9, 12), row{"initial_utm_source": "instagram"})
	person(998, anaLaptop, clock(3, 20, 30), clock(3, 21, 5), nil)
	person(999, ana, clock(4, 21, 0), clock(4, 21, 0), row{"identity": "ana@example.com", "email": "ana@example.com", "plan": "free"})
	person(1002, ana, clock(4, 21, 0), clock(7, 9, 0), row{"identity": "ana@example.com", "email": "ana@example.com", "plan": "club"})
	person(998, benTablet, clock(3, 9, 55), clock(4, 5, 30), nil)
	person(999, ben, clock(4, 11, 50), clock(4, 12, 0), row{"identity": "ben@example.com", "email": "ben@example.com", "plan": "free"})
}

// oddities puts in what no document promises and every pipeline meets.
func (s *shop) oddities(dumps []*delivery) {
	d998, d999, d1000, d1002 := dumps[1], dumps[2], dumps[3], dumps[5]

	// A row without its key.
	d998.put("signup", row{"user_id": int64(6_003_000), "time": clock(3, 14, 0), "method": "email", "newsletter": "true"})

	// A part file whose user_id is a text, and not always a number.
	t := d999.list("checkout")
	odd := slices.Clone(layouts["checkout"])
	odd[0].kind = asText
	t.parts = append(t.parts, part{columns: odd, codec: "deflate", rows: []row{
		{"user_id": "6004000", "event_id": int64(8_021), "session_id": int64(7_021), "time": clock(4, 22, 10), "revenue": "59.00", "items": 1, "currency": "EUR", "payment": "paypal"},
		{"user_id": "undefined", "event_id": int64(8_022), "session_id": int64(7_022), "time": clock(4, 22, 11), "revenue": "59.00", "items": 1, "currency": "EUR", "payment": "paypal"},
	}})

	// An event that no clock knows.
	d1000.put("signup", row{"user_id": int64(6_005_000), "event_id": int64(8_031), "time": "Invalid date", "method": "google", "newsletter": "false"})

	// A new column, from dump 1000 on.
	for _, d := range dumps[3:] {
		t := d.list("checkout")
		for i := range t.parts {
			t.parts[i].columns = append(slices.Clip(t.parts[i].columns), field{name: "coupon"})
			for j, r := range t.parts[i].rows {
				if j%3 == 0 {
					t.parts[i].rows[j] = with(r, "coupon", "SPRING10")
				}
			}
		}
	}

	// Rows that come again unchanged, days later.
	d1002.put("pageviews", dumps[0].list("pageviews").parts[0].rows[0])
	d1002.put("pageviews", dumps[0].list("pageviews").parts[0].rows[1])
}

// with returns a copy of a row with one more value.
func with(r row, name string, v any) row {
	out := row{name: v}
	for k, x := range r {
		out[k] = x
	}
	return out
}
