package shell_test

import (
	"os/exec"
	"testing"

	"reconcile/internal/shell"
)

func TestWord(t *testing.T) {
	for arg, want := range map[string]string{
		"-accept=checkout@504":     "-accept=checkout@504",
		"-accept=Order Placed@504": "'-accept=Order Placed@504'",
		"-target=table.Käse":       "-target=table.Käse",
		"it's":                     `'it'\''s'`,
		"":                         "''",
		"~/lake":                   "'~/lake'",
		"s3://lake/heap":           "s3://lake/heap",
	} {
		if got := shell.Word(arg); got != want {
			t.Errorf("Word(%q) = %s, want %s", arg, got, want)
		}
	}
}

// A shell makes of a word what it was made of.
func TestShellReadsWord(t *testing.T) {
	for _, arg := range []string{"", "a b", "Button Clicked: CTA", "$(id)", "`id`", `\n"x"`, "*", "it's 'so'", "#1", "Jetzt 🛒", "a&b|c;d<e>f!g{h}[i]?~^"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shell.Word(arg)).Output()
		if err != nil || string(out) != arg {
			t.Errorf("%q: the shell read %q, %v", arg, out, err)
		}
	}
}
