package main

import (
	"context"
	"flag"
	"runtime"
	"runtime/debug"
	"strings"
)

// version and commit are set by releases (.ci/release): -ldflags "-X main.version=1.2.3".
var version, commit string

// nextVersion is what a build without a version of its own will become.
const nextVersion = "0.1.0-dev"

// programVersion is what files, the state and required_version see.
func programVersion() string {
	if version != "" {
		return strings.TrimPrefix(version, "v")
	}
	// A module that was built as a dependency or by its version has one; what
	// the toolchain makes up for a checkout (v0.0.0-time-commit) is none.
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") && !strings.HasPrefix(info.Main.Version, "v0.0.0-") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return nextVersion
}

// revision is the commit that the program was built from, if that is known.
func revision() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if rev == "" {
		return ""
	}
	return rev[:min(len(rev), 12)] + dirty
}

// versionRecord is what version -json prints.
type versionRecord struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *command {
	c := &command{name: "version", usage: "[flags]", summary: "Print the version of the program"}
	c.flags = func(f *flag.FlagSet) { c.common.jsonFlag(f) }
	c.run = func(_ context.Context, s *session, _ []string) (int, error) {
		v := versionRecord{Version: programVersion(), Revision: revision(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		text := "reconcile " + v.Version
		if v.Revision != "" {
			text += " (" + v.Revision + ")"
		}
		s.view.record("version", v, "%s\n%s on %s\n", text, v.Go, v.Platform)
		return exitDone, nil
	}
	return c
}
