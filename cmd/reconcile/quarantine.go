package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reconcile/engine"
	"reconcile/engine/inspect"
	"reconcile/internal/amount"
)

type quarantineOptions struct {
	configFlags
	table, file string
}

func quarantineCommand() *command {
	var o quarantineOptions
	c := &command{
		name:    "quarantine",
		usage:   "list|export [flags]",
		words:   []string{"list", "export"},
		summary: "List or export the rows that lack their key columns",
		help: `list counts the rows by table, dump and file. export writes them as JSON lines,
masks applied, in the form that docs/json-output.md gives for quarantined_row.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		f.StringVar(&o.table, "table", "", "only this table, as `NAME`")
		f.StringVar(&o.file, "o", "", "export to `FILE` instead of standard output")
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		o.table = tableName(o.table)
		switch {
		case len(args) == 1 && args[0] == "list" && o.file == "":
			return exitDone, listQuarantine(ctx, s, &o)
		case len(args) == 1 && args[0] == "list":
			return 0, errors.New("quarantine list has no -o; quarantine export has")
		case len(args) == 1 && args[0] == "export":
			return exitDone, exportQuarantine(ctx, s, &o)
		}
		return 0, errors.New("write `reconcile quarantine list` or `reconcile quarantine export`")
	}
	return c
}

// quarantined is one line of quarantine list.
type quarantined struct {
	Table  string `json:"table"`
	Dump   int64  `json:"dump"`
	File   string `json:"file"`
	Rows   int64  `json:"rows"`
	Reason string `json:"reason"` // of its first row
}

func listQuarantine(ctx context.Context, s *session, o *quarantineOptions) error {
	e, err := s.reader(ctx, &o.configFlags)
	if err != nil {
		return err
	}
	var list []quarantined
	err = e.Inspect().Quarantine(ctx, o.table, func(r inspect.Row) error {
		if n := len(list); n > 0 && list[n-1].Table == r.Table && list[n-1].Dump == r.Dump && list[n-1].File == r.File {
			list[n-1].Rows++
			return nil
		}
		list = append(list, quarantined{r.Table, r.Dump, r.File, 1, r.Reason})
		return nil
	})
	if err != nil {
		return err
	}
	total := int64(0)
	for _, q := range list {
		s.view.record("quarantine", q, "table.%s, dump %d, %s: %s, as %s\n", q.Table, q.Dump, q.File, amount.Of(q.Rows, "row"), q.Reason)
		total += q.Rows
	}
	text := "The quarantine is empty."
	if total > 0 {
		text = amount.Of(total, "row") + " in the quarantine. `reconcile quarantine export` writes them."
	}
	s.view.record("quarantine_summary", map[string]int64{"rows": total}, "%s\n", text)
	return nil
}

func exportQuarantine(ctx context.Context, s *session, o *quarantineOptions) error {
	e, err := s.reader(ctx, &o.configFlags)
	if err != nil {
		return err
	}
	if o.file == "" {
		_, err := writeRows(ctx, e, o.table, s.out)
		return err
	}
	rows, err := exportTo(ctx, e, o)
	if err != nil {
		return err
	}
	s.view.record("quarantine_summary", map[string]int64{"rows": rows}, "%s written to %s.\n", amount.Of(rows, "row"), o.file)
	return nil
}

// exportTo puts the export in place when it is complete, or leaves no file. The
// rows can be personal data: others may not read them.
func exportTo(ctx context.Context, e *engine.Engine, o *quarantineOptions) (rows int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(o.file), ".quarantine-*")
	if err != nil {
		return 0, fmt.Errorf("export to %s: %w", o.file, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriter(f)
	rows, err = writeRows(ctx, e, o.table, w)
	if err != nil {
		_ = f.Close()
		return 0, err
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return 0, fmt.Errorf("export to %s: %w", o.file, err)
	}
	if err := os.Rename(f.Name(), o.file); err != nil {
		return 0, fmt.Errorf("export to %s: %w", o.file, err)
	}
	return rows, nil
}

func writeRows(ctx context.Context, e *engine.Engine, table string, w io.Writer) (n int64, err error) {
	err = e.Inspect().Quarantine(ctx, table, func(r inspect.Row) error {
		n++
		line, err := jsonLine("quarantined_row", quarantinedRowLine(r))
		if err == nil {
			_, err = w.Write(line)
		}
		return err
	})
	return n, err
}
