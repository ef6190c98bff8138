package feed

import "testing"

func TestAvroForm(t *testing.T) {
	for name, want := range map[string]string{
		"Order Total": "Order_Total", "2nd-item": "_2nd_item", "a.b": "a_b", "Größe": "Gr__e", "😀": "_", "_x": "_x", "plan": "plan", "": "",
	} {
		if got := AvroForm(name); got != want {
			t.Errorf("%q becomes %q instead of %q", name, got, want)
		}
	}
}

func TestKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Plan", "PLAN", true}, {"time", "time", true}, {"time", "Time", false}, {"Time", "TIME", true}, {"Time", "time_", false},
		{"Time_", "TIME_", true}, {"user_id", "User_ID", false}, {"_dump_id", "_DUMP_ID", true}, {"time", "time_", false},
	} {
		if got := Key(c.a) == Key(c.b); got != c.same {
			t.Errorf("%q and %q are one name: %v", c.a, c.b, got)
		}
	}
}

func TestExactNames(t *testing.T) {
	for name, want := range map[string]bool{"user_id": true, "User_id": false, "time": true, "TIME": false, "time_": false, "joindate": true, "session_time": false} {
		if IsExact(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if Plain("Time__") != "time" || !IsOurs("_Dump_ID") || IsOurs("_dump_id_") {
		t.Error("plain names or ours")
	}
}
