package main

import (
	"context"
	"flag"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/internal/amount"
)

func validateCommand() *command {
	var o configFlags
	c := &command{
		name:    "validate",
		usage:   "[flags]",
		summary: "Check the configuration without looking at the source, the sinks or the state",
		help: `Variables need no value here; what depends on one without is not checked. What only
the real tables show, as a mask of a key column, a plan says.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
	}
	c.run = func(_ context.Context, s *session, _ []string) (int, error) { return runValidate(s, &o), nil }
	return c
}

// validated ends the output of validate.
type validated struct {
	Valid    bool `json:"valid"`
	Errors   int  `json:"errors"`
	Warnings int  `json:"warnings"`
}

func runValidate(s *session, o *configFlags) int {
	_, sources, diags := config.Load(".", config.Options{Inputs: o.inputs, Env: s.getenv, Version: programVersion(), AllowMissingVars: true})
	s.sources = sources
	s.warn(diags)
	v := validated{Valid: !diags.HasErrors()}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			v.Errors++
		} else {
			v.Warnings++
		}
	}
	if !v.Valid {
		s.view.record("validate", v, "")
		return exitError
	}
	text := "Success! The configuration is valid"
	if v.Warnings > 0 {
		text += ", with " + amount.Of(v.Warnings, "warning")
	}
	s.view.record("validate", v, "%s.\n", text)
	return exitDone
}
