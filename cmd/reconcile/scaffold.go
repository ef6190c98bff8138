package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/engine/scaffold"
	"reconcile/engine/stores"
	"reconcile/internal/amount"
)

// fromSource are the flags of init -from-source: whether it was asked for, the place, and
// how that is reached.
type fromSource struct {
	asked      bool
	place      string
	attributes []scaffold.Attribute
}

func (o *fromSource) register(f *flag.FlagSet) {
	f.Var(o, "from-source", "write a configuration of what the export at `PLACE` delivers, a folder or s3://bucket/prefix (default: that of the source block)")
	text := func(name, usage string) {
		f.Func(strings.ReplaceAll(name, "_", "-"), "with -from-source=s3://...: "+usage, func(arg string) error {
			o.attributes = append(o.attributes, scaffold.Attribute{Name: name, Value: cty.StringVal(arg)})
			return nil
		})
	}
	text("region", "the `REGION` of the bucket")
	text("endpoint", "the `URL` of a server that is not AWS")
	text("profile", "the `PROFILE` of the AWS configuration")
	text("role_arn", "the `ROLE` to assume")
	text("external_id", "the `ID` that the role asks for")
	text("manifest_bucket", "the `BUCKET` that manifests name, if another")
	f.BoolFunc("force-path-style", "with -from-source=s3://...: the bucket is part of the path", func(arg string) error {
		v, err := strconv.ParseBool(arg)
		o.attributes = append(o.attributes, scaffold.Attribute{Name: "force_path_style", Value: cty.BoolVal(v)})
		return err
	})
}

// String implements flag.Value.
func (o *fromSource) String() string { return o.place }

// IsBoolFlag lets the flag stand without a value.
func (o *fromSource) IsBoolFlag() bool { return true }

// Set implements flag.Value.
func (o *fromSource) Set(arg string) error {
	o.asked, o.place = true, arg
	if arg == "true" { // the flag alone
		o.place = ""
	}
	if arg == "" {
		return errors.New("it needs a folder or s3://bucket/prefix, or no value where there is a source block")
	}
	return nil
}

// block is the source block that the flags stand for: its kind and its attributes.
func (o *fromSource) block() (kind string, attributes []scaffold.Attribute, err error) {
	rest, onS3 := strings.CutPrefix(o.place, "s3://")
	switch {
	case !onS3 && len(o.attributes) > 0:
		return "", nil, fmt.Errorf("-%s is for -from-source=s3://bucket/prefix", strings.ReplaceAll(o.attributes[0].Name, "_", "-"))
	case o.place == "":
		return "", nil, nil
	case !onS3:
		return "local", []scaffold.Attribute{{Name: "path", Value: cty.StringVal(o.place)}}, nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	attributes = append(attributes, scaffold.Attribute{Name: "bucket", Value: cty.StringVal(bucket)})
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		attributes = append(attributes, scaffold.Attribute{Name: "prefix", Value: cty.StringVal(prefix)})
	}
	return "s3", append(attributes, o.attributes...), nil
}

// The names of the file that init -from-source writes, in an empty folder and beside a
// source block.
const (
	wholeFile  = "main.hcl"
	tablesFile = "tables.hcl"
)

// surveyed is what init -from-source tells.
type surveyed struct {
	File    string `json:"file"`
	Dumps   int    `json:"dumps"`
	Tables  int    `json:"tables"`
	Ignored int    `json:"ignored"`
	Types   int    `json:"types"`
}

// writeFromSource writes the configuration of what a source delivers.
func (s *session) writeFromSource(ctx context.Context, c *configFlags, from *fromSource) error {
	kind, attributes, err := from.block()
	if err != nil {
		return err
	}
	var given []byte
	if kind != "" {
		given = scaffold.SourceBlock(kind, attributes)
	}
	load := s.options(c.inputs)
	begun, sources, warned := config.LoadBegun(".", "-from-source", given, load)
	s.sources = sources
	if warned.HasErrors() {
		return &configError{warned}
	}
	s.warn(warned)
	s.limitMemory(begun.Config, 0)
	found, err := s.survey(ctx, begun.Config)
	var elsewhere *dump.PrefixError
	if errors.As(err, &elsewhere) && kind != "" {
		attributes = append(attributes, scaffold.Attribute{Name: "manifest_prefix", Value: cty.StringVal(elsewhere.Prefix)})
		begun.Config.Source.ManifestPrefix = elsewhere.Prefix
		found, err = s.survey(ctx, begun.Config)
	}
	if err != nil {
		return err
	}
	root := cmp.Or(from.place, begun.Config.Source.Path)
	file := tablesFile
	if begun.Empty {
		file = wholeFile
	}
	text := config.Format(found.HCL(scaffold.Place{Root: root, Settings: !begun.HasSettings, Source: kind, Attributes: attributes}))
	_, sources, diags := config.LoadWith(".", file, text, load)
	s.sources = sources
	if diags.HasErrors() {
		return &configError{diags}
	}
	s.warn(unsaid(diags, warned))
	if err := writeNew(file, text); err != nil {
		return err
	}
	s.tellSurvey(file, found)
	return nil
}

// unsaid returns the diagnostics that are not among those that were said before.
func unsaid(diags, said hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		return slices.ContainsFunc(said, func(s *hcl.Diagnostic) bool {
			return s.Summary == d.Summary && s.Detail == d.Detail && reflect.DeepEqual(s.Subject, d.Subject)
		})
	})
}

// surveyWorkers is how many part files are sampled at once. Each takes a block.
const surveyWorkers = 4

func (s *session) survey(ctx context.Context, cfg *config.Config) (*scaffold.Survey, error) {
	b := exec.NewBudget(cfg.MemoryLimit, surveyWorkers)
	src, err := (&stores.Opener{}).Source(ctx, cfg.Source, dump.Options{Manifest: b.Manifest()})
	if err != nil {
		return nil, err
	}
	return scaffold.Take(ctx, src, scaffold.Options{UntilDump: cfg.Source.UntilDump, Limits: partfile.Limits(b), Workers: surveyWorkers})
}

// writeNew writes a file that is not there yet.
func writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("the configuration is written to a new file only: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", file, err), os.Remove(file))
	}
	return nil
}

// tellSurvey says what was written, and what could not be looked at.
func (s *session) tellSurvey(file string, found *scaffold.Survey) {
	warn := func(text string) {
		s.view.record("warning", map[string]any{"message": text}, "Warning: %s\n", text)
	}
	for _, h := range found.Held {
		warn(h)
	}
	line := surveyed{File: file, Dumps: found.Dumps}
	for _, t := range found.Tables {
		line.Types += len(t.Types)
		if t.Role == scaffold.Keyless {
			line.Ignored++
		} else {
			line.Tables++
		}
		for _, f := range t.Faults {
			warn(fmt.Sprintf("table.%s was sampled without %s", t.Name, f))
		}
	}
	s.view.record("configuration_written", line, "%s is written: %s, %s ignored, %s guessed.\nRead it, change what is not as you want it, and run `reconcile plan`.\n",
		file, amount.Of(line.Tables, "table"), amount.Number(line.Ignored), amount.Of(line.Types, "type"))
}
