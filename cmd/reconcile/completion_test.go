package main

import (
	"slices"
	"strings"
	"testing"
)

// The verbs that are completed are those of the help.
func TestVerbsAreOfTheHelp(t *testing.T) {
	for _, c := range commands() {
		for _, w := range c.words {
			if !strings.Contains(c.usage+"\n"+c.help, w) {
				t.Errorf("%s %s is not in its help", c.name, w)
			}
		}
		for _, alternative := range strings.Split(strings.Fields(c.usage + " -")[0], "|") {
			if alternative != "" && strings.Trim(alternative, "abcdefghijklmnopqrstuvwxyz") == "" && !slices.Contains(c.words, alternative) {
				t.Errorf("%s %s is not completed", c.name, alternative)
			}
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string]struct {
		words string
		raw   string
		quote rune
	}{
		"":                      {"", "", 0},
		"a":                     {"a", "a", 0},
		"a ":                    {"a|", "", 0},
		"  a  b":                {"a|b", "b", 0},
		`a b\ c`:                {"a|b c", `b\ c`, 0},
		`a "b c`:                {"a|b c", `"b c`, '"'},
		`a 'b\ "c' d`:           {`a|b\ "c|d`, "d", 0},
		`a -t="x y`:             {"a|-t=x y", `-t="x y`, '"'},
		`a "b\"c`:               {`a|b"c`, `"b\"c`, '"'},
		"a 注文":                  {"a|注文", "注文", 0},
		`a ""`:                  {"a|", `""`, 0},
		`a "" b`:                {"a||b", "b", 0},
		"a\tb":                  {"a|b", "b", 0},
		`reconcile show table.`: {"reconcile|show|table.", "table.", 0},
	} {
		words, raw, quote := splitLine(line)
		if got := strings.Join(words, "|"); got != want.words || raw != want.raw || quote != want.quote {
			t.Errorf("%q: %q, %q, %q", line, got, raw, quote)
		}
	}
}
