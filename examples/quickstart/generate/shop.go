package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// row is one row of a table, by column. A column that is not there is null.
type row map[string]any

// event is a row and when it happened.
type event struct {
	at  time.Time
	row row
}

// visitor is one person. The shop knows her by several ids: a new one for each
// device, and one more once she has an account.
type visitor struct {
	ids      []int64
	browser  []string // by id
	platform []string
	place    place
	campaign campaign
	email    string // empty without an account
	joined   time.Time
	plan     string
}

type place struct{ country, region, city string }

type campaign struct{ source, medium, name string }

var (
	places = []place{
		{"Germany", "Berlin", "Berlin"}, {"France", "Île-de-France", "Paris"}, {"Spain", "Cataluña", "Barcelona"},
		{"United States", "California", "San Francisco"}, {"United Kingdom", "England", "London"}, {"Japan", "Tokyo", "東京"},
	}
	campaigns = []campaign{
		{}, {}, {}, {"google", "cpc", "spring-sale"}, {"newsletter", "email", "2026-03"}, {"instagram", "social", "lookbook"},
	}
	browsers  = []string{"Chrome 145", "Safari 19.2", "Firefox 147", "Edge 145"}
	platforms = []string{"iOS 19.3", "Android 16", "Mac OS X 15", "Windows 11"}
	pages     = []page{
		{"/", "Acme Outdoor"}, {"/sale", "Sale | Acme Outdoor"}, {"/tents", "Tents | Acme Outdoor"},
		{"/boots", "Boots | Acme Outdoor"}, {"/cart", "Your cart | Acme Outdoor"}, {"/blog/first-hike", "Your first hike | Acme Outdoor"},
	}
	products = []product{
		{"TENT-2P", "Two person tent", "189.00"}, {"BOOT-41", "Hiking boots 41", "112.00"}, {"STOVE-S", "Small stove", "24.90"},
		{"MAT-L", "Sleeping mat", "59.00"}, {"SOCK-M", "Merino socks", "18.50"},
	}
)

type page struct{ path, title string }

type product struct{ sku, name, price string }

// The world begins on a Sunday and lasts for a week.
var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const days = 7

// shop is all that ever happened, by table and time.
type shop struct {
	rnd      *rand.Rand
	visitors []*visitor
	events   map[string][]event
	lastID   int64
}

func newShop() *shop {
	s := &shop{rnd: rand.New(rand.NewPCG(2026, 3)), events: map[string][]event{}, lastID: 7_300_000_000_000}
	for i := range 90 {
		s.visitors = append(s.visitors, s.visitor(i))
	}
	for day := range days {
		for _, v := range s.visitors {
			if s.pick(100) < 40 {
				s.session(v, begin.AddDate(0, 0, day).Add(time.Duration(s.pick(24*3600*1000))*time.Millisecond))
			}
		}
	}
	for _, events := range s.events {
		slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	}
	return s
}

// pick returns a number from 0 to n-1.
func (s *shop) pick(n int) int { return int(s.rnd.Uint64() % uint64(n)) }

// id returns the next event or session id.
func (s *shop) id() int64 {
	s.lastID += 1 + int64(s.pick(9_999_999))
	return s.lastID
}

func (s *shop) visitor(i int) *visitor {
	v := &visitor{place: places[s.pick(len(places))], campaign: campaigns[s.pick(len(campaigns))],
		joined: begin.Add(-time.Duration(s.pick(300*24*3600*1000)) * time.Millisecond)}
	for n := range 1 + s.pick(3) {
		v.ids = append(v.ids, 6_000_000+int64(i)*1000+int64(n)*37)
		v.browser = append(v.browser, browsers[s.pick(len(browsers))])
		v.platform = append(v.platform, platforms[s.pick(len(platforms))])
	}
	if s.pick(2) == 0 {
		v.email = fmt.Sprintf("customer%02d@example.com", i)
		v.plan = []string{"free", "club"}[s.pick(2)]
	}
	return v
}

// session lets a visitor look around, and perhaps buy, with one of her ids.
func (s *shop) session(v *visitor, at time.Time) {
	who := s.pick(len(v.ids))
	id := s.id()
	base := row{
		"user_id": v.ids[who], "session_id": id, "session_time": at, "library": "web",
		"platform": v.platform[who], "device_type": deviceType(v.platform[who]), "browser": v.browser[who],
		"country": v.place.country, "region": v.place.region, "city": v.place.city,
		"utm_source": text(v.campaign.source), "utm_medium": text(v.campaign.medium), "utm_campaign": text(v.campaign.name),
		"referrer": []any{nil, "https://www.google.com/", "https://www.instagram.com/"}[s.pick(3)],
	}
	s.add("sessions", at, base, row{"time": at, "landing_page": "https://shop.example.com" + pages[s.pick(len(pages))].path})
	for range 1 + s.pick(4) {
		p := pages[s.pick(len(pages))]
		s.add("pageviews", at, base, row{"event_id": s.id(), "time": at, "domain": "shop.example.com", "path": p.path, "title": p.title})
		at = at.Add(time.Duration(2000+s.pick(90_000)) * time.Millisecond)
	}
	if s.pick(10) < 4 {
		p := products[s.pick(len(products))]
		s.add("add_to_cart", at, base, row{"event_id": s.id(), "time": at, "sku": p.sku, "product": p.name, "price": p.price, "quantity": 1 + s.pick(3)})
		at = at.Add(30 * time.Second)
		if s.pick(3) == 0 {
			s.add("checkout", at, base, row{"event_id": s.id(), "time": at, "revenue": p.price, "items": 1, "currency": "EUR", "payment": []any{"card", "paypal"}[s.pick(2)]})
		}
	}
	if v.email != "" && s.pick(12) == 0 {
		s.add("signup", at, base, row{"event_id": s.id(), "time": at, "method": []any{"email", "google", "apple"}[s.pick(3)], "newsletter": []any{"true", "false"}[s.pick(2)]})
	}
}

// add records what happened: own columns over those of the session.
func (s *shop) add(table string, at time.Time, base, own row) {
	r := row{}
	for k, v := range base {
		r[k] = v
	}
	for k, v := range own {
		r[k] = v
	}
	s.events[table] = append(s.events[table], event{at, r})
}

func deviceType(platform string) string {
	if platform == "iOS 19.3" || platform == "Android 16" {
		return "Mobile"
	}
	return "Desktop"
}

// text turns an empty text into a null.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// between returns what happened in a table from one moment to before another.
func (s *shop) between(table string, from, to time.Time) []row {
	var out []row
	for _, e := range s.events[table] {
		if !e.at.Before(from) && e.at.Before(to) {
			out = append(out, e.row)
		}
	}
	return out
}
