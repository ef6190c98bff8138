package main

import (
	"context"
	"errors"
	"flag"
	"strings"

	"reconcile/engine"
	"reconcile/engine/verify"
)

type verifyOptions struct {
	engineFlags
	sample verify.Sample
}

func verifyCommand() *command {
	var o verifyOptions
	c := &command{
		name:    "verify",
		usage:   "[flags]",
		summary: "Compute tables again from the source, and compare the sinks with that",
		help: `Computes which rows the applied dumps and the user mapping give, without the state's
rows and indexes, and compares them with the data files of each sink, row by row and
column by column. It takes no lock, writes nothing but scratch files, and can run beside
an apply.

With -sample=1/64 it does so for one of 64 parts of all users, each with all raw users
that are one with it: 2/64 is the next part, and all 64 together are the whole.

Dumps that are gone from the source are named. Rows that may be of them are not checked.
Columns that are masked by a key that is not given are named, and not compared.

Exit codes: 0 if all is as it should be; 1 on an error, and if a table could not be
looked at; 13 if rows or data files differ.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.configFlags.register(f)
		c.common.jsonFlag(f)
		o.parallelFlag(f)
		f.Func("target", "only this table, as `table.NAME`; can be repeated", addresses(&o.targets))
		f.Func("sample", "only one `PART` of the users, as 1/64 (default: all)", func(arg string) (err error) {
			o.sample, err = verify.ParseSample(arg)
			return err
		})
	}
	c.run = func(ctx context.Context, s *session, _ []string) (int, error) { return runVerify(ctx, s, &o) }
	return c
}

func runVerify(ctx context.Context, s *session, o *verifyOptions) (int, error) {
	ask := verify.Options{Sample: o.sample}
	for _, target := range o.targets {
		name, ok := strings.CutPrefix(target, "table.")
		if !ok || name == "" {
			return 0, errors.New("-target is written table.NAME, as in -target=table.checkout")
		}
		ask.Tables = append(ask.Tables, name)
	}
	e, _, err := s.engine(ctx, &engineFlags{configFlags: o.configFlags, refresh: true, parallelism: o.parallelism})
	if err != nil {
		return 0, err
	}
	pr := s.view.progress(0)
	s.meter = pr.tell
	r, err := engine.NewVerifier(e).Verify(ctx, ask)
	pr.stop()
	if err != nil {
		return 0, err
	}
	s.view.verified(r)
	switch {
	case r.Differs():
		return exitGuarded, nil
	case r.Unverified():
		return exitError, nil
	}
	return exitDone, nil
}
