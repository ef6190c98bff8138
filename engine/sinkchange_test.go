package engine

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dataFilesIn lists the data files below a folder, with when they were written.
func (h *harness) dataFilesIn(root string) map[string]time.Time {
	h.t.Helper()
	out := map[string]time.Time{}
	h.eachDataFile(root, func(p string) error {
		fi, err := os.Stat(p)
		if err == nil {
			out[p] = fi.ModTime()
		}
		return err
	})
	return out
}

// A sink that a table gets has the files of another one of it copied, and one that it leaves
// loses its own: what the others hold stays as it is.
func TestSinksThatStayAreNotWritten(t *testing.T) {
	for form, compression := range map[string]string{"the same form": "zstd", "another form": "snappy"} {
		t.Run(form, func(t *testing.T) {
			conf := func(sinks string) string {
				return strings.ReplaceAll(killConfig, "[sink.parquet.lake]", "["+sinks+"]") +
					"sink \"parquet\" \"other\" {\n path = \"../other\"\n compression = \"" + compression + "\"\n}\n"
			}
			h := newHarness(t, conf("sink.parquet.lake"))
			h.arrive(killDumps()...)
			h.must()
			other := filepath.Join(h.dir, "other")
			for _, step := range []struct {
				sinks, stays string
				writes       bool
			}{
				{"sink.parquet.lake, sink.parquet.other", h.lake(), true},
				{"sink.parquet.other", other, false},
				{"sink.parquet.other, sink.parquet.lake", other, true},
				{"sink.parquet.lake", h.lake(), false},
			} {
				before := h.dataFilesIn(step.stays)
				h.hcl = conf(step.sinks)
				p, err := h.engine().Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				planned := map[string]int64{}
				for _, x := range p.Tables {
					planned[x.Name] = x.BytesToWrite
					if x.Scratch != 0 {
						t.Errorf("sinks = [%s]: %s is to take %d bytes of scratch_dir", step.sinks, x.Name, x.Scratch)
					}
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				res, err := h.apply()
				if err != nil {
					t.Fatal(err)
				}
				if after := h.dataFilesIn(step.stays); !maps.Equal(before, after) {
					t.Errorf("sinks = [%s]: the files in %s were written again", step.sinks, step.stays)
				}
				if step.writes != (len(h.dataFilesIn(other)) > 0 && len(h.dataFilesIn(h.lake())) > 0) {
					t.Errorf("sinks = [%s]: %d files in one sink, %d in the other", step.sinks, len(h.dataFilesIn(other)), len(h.dataFilesIn(h.lake())))
				}
				for _, x := range res.Tables {
					if step.writes != (planned[x.Name] > 0) || step.writes != (x.Counts.Written > 0) || form == "the same form" && planned[x.Name] > x.Counts.Written*5/4 {
						t.Errorf("sinks = [%s]: %s was to write %d bytes, and wrote %d", step.sinks, x.Name, planned[x.Name], x.Counts.Written)
					}
				}
				h.check()
				h.checkIdle()
			}
		})
	}
}
