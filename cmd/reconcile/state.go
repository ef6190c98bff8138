package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"reconcile/internal/amount"
	"reconcile/state/backup"
)

type stateOptions struct {
	engineFlags
	args                     []string
	autoApprove, input, json bool
}

func stateCommand() *command {
	var o stateOptions
	c := &command{
		name:    "state",
		usage:   "VERB [flags]",
		words:   []string{"backup", "restore", "rebuild", "list", "show"},
		summary: "Back up, restore or look at the state",
		help: `The verbs:

  backup TO        copy the state to TO, a folder or s3://BUCKET/PREFIX; beside an
                   apply, too. What is there already is not copied again
  restore FROM     put a backup in the place of the state, which is backed up before
  rebuild          make a state that is lost anew, from the source and what the lake says
                   was applied; asks first
  list             print the addresses of the tables
  show table.NAME  same as show table.NAME

Exit codes: 0; 1 on an error; 11 another process holds the lock of the state.`,
		maxArgs: 1 << 10, // what users of other tools give a verb is answered, too
	}
	c.flags = func(f *flag.FlagSet) {
		o.configFlags.register(f)
		c.common.jsonFlag(f)
		f.DurationVar(&o.lockTimeout, "lock-timeout", 0, "restore, rebuild: wait so long for an apply, as `30s`")
		f.Func("accept-loss", "rebuild: let the published rows of `TABLE` stand in for dumps that are gone; can be repeated", nonEmpty(&o.acceptLoss))
		f.Func("state-lost", "rebuild: go on without the state at `PLACE`, which a sink names and which is gone for good; can be repeated", nonEmpty(&o.statesLost))
		f.BoolVar(&o.autoApprove, "auto-approve", false, "rebuild: do not ask")
		f.BoolVar(&o.input, "input", true, "rebuild: never ask, fail instead")
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		if len(args) == 0 {
			return 0, errors.New("write `reconcile state backup TO`, `state restore FROM`, `state rebuild`, `state list` or `state show table.NAME`")
		}
		o.refresh = true
		o.args, o.json = args[1:], c.common.json
		return exitDone, s.state(ctx, args[0], &o)
	}
	return c
}

// state carries out a verb of the command state.
func (s *session) state(ctx context.Context, verb string, o *stateOptions) error {
	verbs := map[string]func(context.Context, *stateOptions) error{
		"backup": s.stateBackup, "restore": s.stateRestore, "rebuild": s.stateRebuild, "list": s.stateList, "show": s.stateShow,
	}
	takes := map[string]string{"backup": "TO", "restore": "FROM", "show": "table.NAME"}
	run, ok := verbs[verb]
	if !ok {
		if text, known := stateHabits()[verb]; known {
			return errors.New(text)
		}
		return fmt.Errorf("there is no `reconcile state %s`. Run `reconcile state -help` for what there is", verb)
	}
	if want := takes[verb]; want != "" && len(o.args) != 1 {
		return fmt.Errorf("write `reconcile state %s %s`", verb, want)
	} else if want == "" && len(o.args) > 0 {
		return fmt.Errorf("state %s: %w", verb, tooMany(o.args))
	}
	return run(ctx, o)
}

// stateHabits answers verbs that Terraform has.
func stateHabits() map[string]string {
	return map[string]string{
		"rm":               "reconcile has no state rm: write removed \"NAME\" { destroy = false } and apply, which forgets the table and keeps its files.",
		"mv":               "reconcile has no state mv: a table is known by its delivered name and a sink by its path. `as` renames a table, and the next apply moves its files; -moved-sink=OLD=NEW says that a lake moved.",
		"pull":             "reconcile has no state pull: `reconcile state backup TO` copies the state with all its objects, and `reconcile show -json` describes it.",
		"push":             "reconcile has no state push: `reconcile state restore FROM` puts a backup in the place of the state.",
		"replace-provider": "reconcile has no providers: sources and sinks are built in.",
		"identities":       "reconcile has no identities of resources: `reconcile state list` lists the tables.",
	}
}

func (s *session) stateBackup(ctx context.Context, o *stateOptions) error {
	e, _, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return err
	}
	res, err := e.States().Backup(ctx, o.args[0])
	if err != nil {
		return err
	}
	s.backedUp(res)
	return nil
}

// backupLine says what a backup of the state came to.
type backupLine struct {
	Place   string `json:"place"`
	Lineage string `json:"lineage,omitempty"`
	Serial  uint64 `json:"serial"`
	Objects int    `json:"objects"`
	Copied  int    `json:"copied"`
	Bytes   int64  `json:"bytes_written"`
}

// backedUp shows a backup.
func (s *session) backedUp(r *backup.Result) {
	s.warnings(r.Warnings)
	s.view.record("backup", backupLine{r.Place, r.Lineage, r.Serial, r.Objects, r.Copied, r.Bytes},
		"Backed up the state as of commit %d to %s: %s, of which %d were not there yet; %s written.\n",
		r.Serial, r.Place, amount.Of(r.Objects, "object"), r.Copied, size(r.Bytes))
}

// warnings shows what went wrong without harm.
func (s *session) warnings(texts []string) {
	for _, text := range texts {
		s.view.record("warning", map[string]any{"message": text}, "Warning: %s\n", text)
	}
}

// restoredLine says what a restore came to.
type restoredLine struct {
	State  string `json:"state"`
	From   string `json:"from"`
	Of     uint64 `json:"backup_serial"`
	Serial uint64 `json:"serial"`
	Before string `json:"backup_of_state_before,omitempty"`
}

func (s *session) stateRestore(ctx context.Context, o *stateOptions) error {
	e, _, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return err
	}
	r, err := e.States().Restore(ctx, o.args[0])
	if r != nil && r.Before != nil {
		s.keptBefore(r.Before)
	}
	if err != nil {
		return err
	}
	s.warnings(r.Notices)
	line := restoredLine{State: r.State, From: r.From, Of: r.Backup.Serial, Serial: r.Serial}
	if r.Before != nil {
		line.Before = r.Before.Place
	}
	s.view.record("restored", line, "Restored the state %s from %s, which is as of commit %d and was made at %s. The state is at commit %d now.\n"+
		"Tables that the lake has newer, if any, are held by the next plan: `reconcile apply -repair` writes them anew from the source.\n",
		r.State, r.From, r.Backup.Serial, r.Backup.Time.UTC().Format("2006-01-02 15:04:05 UTC"), r.Serial)
	return nil
}

// keptBefore says where the state was backed up to before it was changed.
func (s *session) keptBefore(r *backup.Result) {
	s.warnings(r.Warnings)
	s.view.record("backup", backupLine{r.Place, r.Lineage, r.Serial, r.Objects, r.Copied, r.Bytes},
		"The state as it was is backed up in %s\n", r.Place)
}

// tableAddress is a line of state list.
type tableAddress struct {
	Address string `json:"address"`
}

func (s *session) stateList(ctx context.Context, o *stateOptions) error {
	e, err := s.reader(ctx, &o.configFlags)
	if err != nil {
		return err
	}
	shown, err := e.Inspect().Show(ctx)
	if err != nil {
		return err
	}
	for _, t := range shown.Tables {
		s.view.record("state_address", tableAddress{"table." + t.Name}, "table.%s\n", t.Name)
	}
	return nil
}

func (s *session) stateShow(ctx context.Context, o *stateOptions) error {
	return s.showTable(ctx, &o.configFlags, o.args[0])
}

// tableName takes an address apart.
func tableName(address string) string { return strings.TrimPrefix(addressOf(address), "table.") }

// addressOf is the address of a table, as table.NAME, also where it is written as in the
// configuration: table["NAME"].
func addressOf(arg string) string {
	inside, opens := strings.CutPrefix(arg, "table[")
	inside, closes := strings.CutSuffix(inside, "]")
	if name, err := strconv.Unquote(inside); err == nil && opens && closes {
		return "table." + name
	}
	return arg
}
