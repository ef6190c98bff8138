package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestHelpFits: no line of any help is longer than a usual window is wide.
func TestHelpFits(t *testing.T) {
	for _, c := range commands() {
		var out bytes.Buffer
		f := newFlagSet(c.name)
		f.BoolVar(&c.common.noColor, "no-color", false, "print no colours")
		c.flags(f)
		c.describe(&out, f)
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimRight(line, "\n"); len(line) > 100 {
				t.Errorf("%s -help: %d characters: %s", c.name, len(line), line)
			}
		}
	}
}
