package export

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// row is what the columns of one row are made from.
type row struct {
	w          *world
	dump       int
	event      int
	session    int
	user       int
	raw        int64
	time       int64
	he, hs, hu uint64 // hashes of event, session, user
	text       []byte
}

// field is one column: add appends its value, union branch and all.
type field struct {
	name, typ string
	add       func(r *row, b []byte) []byte
}

func null(b []byte) []byte { return append(b, 0) }

func long(b []byte, v int64) []byte { return binary.AppendVarint(append(b, 2), v) }

func text[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendVarint(append(b, 2), int64(len(v))), v...)
}

// number appends v as text.
func (r *row) number(b []byte, v int64) []byte {
	r.text = strconv.AppendInt(r.text[:0], v, 10)
	return text(b, r.text)
}

// numbered appends a text and the number v behind it.
func (r *row) numbered(b []byte, prefix string, v uint64) []byte {
	r.text = strconv.AppendUint(append(r.text[:0], prefix...), v, 10)
	return text(b, r.text)
}

// pick returns one of the values, often an early one.
func pick(values []string, h uint64) string {
	x := h % 1000 * (h / 1000 % 1000)
	return values[x*uint64(len(values))/(999*999+1)]
}

// zipf returns a number below n, often a small one.
func zipf(n int, h uint64) uint64 {
	x := float64(h%(1<<20)) / (1 << 20)
	return uint64(float64(n) * x * x * x)
}

// sub derives an independent hash.
func sub(h uint64, k int) uint64 { return mix(h + uint64(k)*0xd1342543de82ef95) }

func pool(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// constant is a column that follows from a hash, and null in a share of cases.
func constant(name string, of func(*row) uint64, k int, nulls uint64, values []string) field {
	return field{name, "string", func(r *row, b []byte) []byte {
		h := sub(of(r), k)
		if h>>50%100 < nulls {
			return null(b)
		}
		return text(b, pick(values, h))
	}}
}

func byUser(r *row) uint64    { return r.hu }
func bySession(r *row) uint64 { return r.hs }
func byEvent(r *row) uint64   { return r.he }

func userIDField() field {
	return field{"user_id", "long", func(r *row, b []byte) []byte { return long(b, r.raw) }}
}

func sessionIDField() field {
	return field{"session_id", "long", func(r *row, b []byte) []byte { return long(b, r.w.sessionID(r.session)) }}
}

func timeField(name string) field {
	return field{name, "string", func(r *row, b []byte) []byte { return r.number(b, r.time) }}
}

// userColumns follow from the user.
func userColumns() []field {
	return []field{
		constant("platform", byUser, 1, 0, []string{"Windows 10.0", "Mac OS X 10.15.7", "iOS 17.5", "Android 14", "Linux", "iOS 16.2", "Chrome OS", "Android 13"}),
		constant("device_type", byUser, 2, 0, []string{"Desktop", "Mobile", "Tablet"}),
		constant("device", byUser, 3, 20, pool("Model SM-%03d", 180)),
		constant("browser", byUser, 4, 0, pool("Chrome %d.0.0.0", 40)),
		constant("country", byUser, 5, 0, pool("Country %02d", 60)),
		constant("region", byUser, 6, 5, pool("Region of %03d", 400)),
		constant("city", byUser, 7, 5, pool("City called %04d", 3000)),
		{"ip", "string", func(r *row, b []byte) []byte {
			r.text = strconv.AppendUint(r.text[:0], r.hu%200+20, 10)
			for _, s := range []uint{8, 16, 24} {
				r.text = strconv.AppendUint(append(r.text, '.'), r.hu>>s&255, 10)
			}
			return text(b, r.text)
		}},
		constant("language", byUser, 8, 0, []string{"en-us", "de-de", "fr-fr", "en-gb", "es-es", "it-it", "nl-nl", "pl-pl"}),
		constant("plan", byUser, 9, 30, []string{"free", "team", "business", "enterprise"}),
		constant("carrier", byUser, 10, 80, pool("carrier %d", 15)),
	}
}

// sessionColumns follow from the session.
func sessionColumns() []field {
	return []field{
		constant("referrer", bySession, 1, 40, pool("https://www.search.example/results?position=%d", 5000)),
		{"landing_page", "string", func(r *row, b []byte) []byte {
			return r.numbered(b, "https://www.shop.example/products/category-", zipf(2000, sub(r.hs, 2)))
		}},
		{"landing_page_query", "string", func(r *row, b []byte) []byte {
			if r.hs%100 < 60 {
				return null(b)
			}
			return r.numbered(b, "?utm_medium=cpc&gclid=EAIaIQobChMI", sub(r.hs, 3))
		}},
		constant("utm_source", bySession, 4, 60, []string{"google", "newsletter", "facebook", "bing", "partner"}),
		constant("utm_medium", bySession, 5, 60, []string{"cpc", "email", "social", "affiliate"}),
		constant("utm_campaign", bySession, 6, 60, pool("campaign-2025-%03d", 120)),
		constant("utm_term", bySession, 7, 85, pool("buy thing number %d", 900)),
		constant("utm_content", bySession, 8, 80, pool("banner_%d", 60)),
		constant("domain", bySession, 9, 0, []string{"www.shop.example", "m.shop.example", "help.shop.example"}),
	}
}

// eventColumns are those of pageviews, n of them.
func eventColumns(n int) []field {
	fs := []field{
		{"event_id", "long", func(r *row, b []byte) []byte { return long(b, r.w.eventID(r.event)) }},
		userIDField(), sessionIDField(), timeField("time"),
		{"session_time", "string", func(r *row, b []byte) []byte { return r.number(b, r.w.sessionTime(r.session)) }},
	}
	fs = append(append(fs, userColumns()...), sessionColumns()...)
	fs = append(fs, []field{
		{"path", "string", func(r *row, b []byte) []byte { return r.numbered(b, "/products/item-", zipf(2000, sub(r.he, 1))) }},
		{"title", "string", func(r *row, b []byte) []byte {
			return r.numbered(b, "Everything about the item | Shop number ", zipf(2000, sub(r.he, 1)))
		}},
		{"query", "string", func(r *row, b []byte) []byte {
			if r.he%100 < 70 {
				return null(b)
			}
			return r.numbered(b, "?page=2&sort=price&ref=", sub(r.he, 2)%1_000_000)
		}},
		{"duration_ms", "long", func(r *row, b []byte) []byte { return long(b, int64(sub(r.he, 3+r.dump)%60_000)) }},
		constant("type", byEvent, 4, 0, []string{"page_view", "virtual_page_view"}),
	}...)
	for i := 0; len(fs) < n; i++ {
		fs = append(fs, moreColumns(i))
	}
	return fs
}

// moreColumns are those that pageviews has only when more than MinColumns are
// asked for.
func moreColumns(i int) field {
	switch i {
	case 0:
		return field{"request_id", "string", func(r *row, b []byte) []byte {
			r.text = strconv.AppendUint(append(r.text[:0], "req-"...), sub(r.he, 5), 16)
			return text(b, strconv.AppendUint(r.text, sub(r.he, 6), 16))
		}}
	case 1:
		return field{"previous_page", "string", func(r *row, b []byte) []byte {
			if r.he%100 < 25 {
				return null(b)
			}
			return r.numbered(b, "https://www.shop.example/products/item-", zipf(2000, sub(r.he, 7)))
		}}
	case 2:
		return constant("library", byEvent, 8, 0, []string{"web", "ios"})
	case 3:
		return constant("app_version", byUser, 9, 90, pool("4.%d.1", 20))
	case 4:
		return constant("experiment", byUser, 10, 50, pool(`{"name":"checkout","variant":%d}`, 4))
	}
	return constant(fmt.Sprintf("property_%02d", i), byEvent, 20+i, 50, pool("value %d", 30))
}

// fewColumns are those of further event tables.
func fewColumns() []field {
	return []field{
		{"event_id", "long", func(r *row, b []byte) []byte { return long(b, r.w.eventID(r.event)) }},
		userIDField(), sessionIDField(), timeField("time"),
		constant("country", byUser, 5, 0, pool("Country %02d", 60)),
		constant("domain", bySession, 9, 0, []string{"www.shop.example", "m.shop.example", "help.shop.example"}),
		{"target", "string", func(r *row, b []byte) []byte { return r.numbered(b, "button-", zipf(300, sub(r.he, 1))) }},
		{"amount", "long", func(r *row, b []byte) []byte { return long(b, int64(sub(r.he, 3)%10_000)) }},
	}
}

// clickColumns are those of clicks.
func clickColumns() []field {
	return []field{
		{"event_id", "long", func(r *row, b []byte) []byte { return long(b, r.w.eventID(r.event)) }},
		userIDField(), timeField("time"), constant("button", byEvent, 1, 0, []string{"buy", "cancel", "more"}),
	}
}

// commentColumns are those of comments.
func commentColumns() []field {
	return append(clickColumns()[:3], field{"text", "string", func(r *row, b []byte) []byte {
		r.text = r.text[:0]
		for k := 0; len(r.text) < CommentBytes; k++ {
			r.text = append(strconv.AppendUint(r.text, sub(r.he, k), 36), ' ')
		}
		return text(b, r.text[:CommentBytes])
	}})
}

// sessionTableColumns are those of sessions.
func sessionTableColumns() []field {
	return append(append([]field{sessionIDField(), userIDField(), timeField("time")}, userColumns()...), sessionColumns()...)
}

// userTableColumns are those of users.
func userTableColumns() []field {
	return append([]field{
		userIDField(),
		{"joindate", "string", func(r *row, b []byte) []byte { return r.number(b, startTime-int64(r.hu%(300*msPerDay))) }},
		timeField("last_modified"),
		{"identity", "string", func(r *row, b []byte) []byte {
			if r.hu%3 == 0 {
				return null(b)
			}
			return r.numbered(b, "customer-", uint64(r.user))
		}},
		{"email", "string", func(r *row, b []byte) []byte {
			r.text = strconv.AppendInt(append(r.text[:0], "person."...), int64(r.user), 10)
			return text(b, append(r.text, "@mail.example"...))
		}},
		{"visits", "long", func(r *row, b []byte) []byte { return long(b, int64(sub(r.hu, r.dump)%500)) }},
	}, userColumns()...)
}

func mappingColumns() []field {
	return []field{
		{"from_user_id", "long", func(r *row, b []byte) []byte { return long(b, r.raw) }},
		{"to_user_id", "long", func(r *row, b []byte) []byte { return long(b, r.w.userID(r.w.target(r.user))) }},
		timeField("time"),
	}
}
