package amount_test

import (
	"slices"
	"strings"
	"testing"

	"reconcile/internal/amount"
)

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"0 rows": amount.Of(0, "row"), "1 row": amount.Of(int64(1), "row"), "1,234 rows": amount.Of(1234, "row"),
		"1 entry": amount.Of(1, "entry"), "2 entries": amount.Of(2, "entry"), "-1,000,000": amount.Number(-1_000_000), "999": amount.Number(int64(999)),
		"is": amount.Verb(1, "is", "are"), "are": amount.Verb(0, "is", "are"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFew(t *testing.T) {
	list := strings.Split("a b c d e f g h i j k l", " ")
	if got := amount.Few(list[:10]); !slices.Equal(got, list[:10]) {
		t.Errorf("of ten: %q", got)
	}
	if got := strings.Join(amount.Few(list), " "); got != "a b c d e f g h i j and 2 more" {
		t.Errorf("of twelve: %q", got)
	}
	if list[10] != "k" {
		t.Errorf("the list was changed: %q", list)
	}
}
