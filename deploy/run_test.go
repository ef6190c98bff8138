package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is the real one, built for these tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deploy-*")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "reconcile")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../cmd/reconcile").CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("building reconcile: %v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// site puts the configuration of examples/small into a folder of the job, for the export
// of the quickstart.
func (j *job) site(t *testing.T, folder string) {
	t.Helper()
	hcl, err := os.ReadFile("../examples/small/main.hcl")
	if err != nil {
		t.Fatal(err)
	}
	export, err := filepath.Abs("../examples/quickstart/export")
	if err != nil {
		t.Fatal(err)
	}
	j.write(t, filepath.Join(folder, "main.hcl"), strings.Replace(string(hcl), "../quickstart/export", export, 1))
	j.env["RECONCILE"], j.env["CONFIG_DIR"] = program, folder
}

func (j *job) write(t *testing.T, name, text string) {
	t.Helper()
	at := filepath.Join(j.dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// must runs a script that has to end with an exit code, and to say something.
func (j *job) must(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	out, got := j.run(t, "run", args...)
	if got != code || !strings.Contains(out, says) {
		t.Fatalf("run %s: exit code %d, not %d with %q:\n%s", strings.Join(args, " "), got, code, says, out)
	}
}

// TestJobs plans in a pull request, applies after the merge, and plans again: with the real
// program, and the comment in place.
func TestJobs(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T) *host
		job   func(*job, *host) *job
	}{{"github", gitHub, (*job).onGitHub}, {"gitlab", gitLab, (*job).onGitLab}} {
		t.Run(c.name, func(t *testing.T) {
			h := c.start(t)
			j := c.job(newJob(t), h)
			j.site(t, "environments/production")
			j.env["COMMIT"] = "0123456789abcdef0123456789abcdef01234567"

			j.must(t, 0, "reconcile plan ended with 2: there are changes", "plan")
			said := h.by(h.author)
			if len(said) != 1 || !strings.Contains(said[0], "6 tables to add") || !strings.Contains(said[0], "0123456789ab") {
				t.Fatalf("the comments are %q", said)
			}
			j.must(t, 0, "reconcile apply ended with 0", "apply")
			j.must(t, 0, "reconcile plan ended with 0", "plan")
			if said = h.by(h.author); len(said) != 2 || !strings.Contains(said[1], "No changes") {
				t.Fatalf("the comments are %q", said) // the state has a lineage only now
			}
			j.must(t, 0, "reconcile plan ended with 0", "plan")
			if said = h.by(h.author); len(said) != 2 {
				t.Fatalf("the comments are %q", said)
			}
		})
	}
}

// TestJobExitCodes hands the exit code on, unless it is one of those that are success, and
// says it as an output.
func TestJobExitCodes(t *testing.T) {
	h := gitHub(t)
	h.refuse = map[string]int{"GET": 403} // a fork
	j := newJob(t).onGitHub(h)
	j.site(t, "site")
	j.env["OK_EXIT_CODES"] = "0"
	j.must(t, 2, "::error title=reconcile plan::reconcile plan ended with 2", "plan")
	if got := j.file(t, "output"); got != "exit-code=2\n" {
		t.Errorf("the output is %q", got)
	}
	if got := j.file(t, "summary"); !strings.Contains(got, "6 tables to add") {
		t.Errorf("the summary is %q", got)
	}
	delete(j.env, "OK_EXIT_CODES")
	j.must(t, 1, "reconcile plan ended with 1", "plan", "-target=table.none")
	j.env["FLAGS"] = "-target=table.checkout\n\n-parallelism=1\n"
	j.must(t, 0, "reconcile apply ended with 0", "apply")
	delete(j.env, "FLAGS")
	j.must(t, 1, "none of plan, apply and drift", "destroy")
}

// TestSavedPlanJob applies the file that a plan saved, and refuses it when it is of another
// configuration.
func TestSavedPlanJob(t *testing.T) {
	h := gitHub(t)
	j := newJob(t).onGitHub(h)
	j.site(t, "site")
	j.env["PLAN_FILE"] = "saved"
	j.must(t, 0, "ended with 2", "plan")
	main := filepath.Join("site", "main.hcl")
	hcl := j.file(t, main)
	j.write(t, main, strings.Replace(hcl, `"./lake"`, `"./pond"`, 1))
	j.must(t, 12, "::error title=reconcile apply::reconcile apply ended with 12: this is not what was reviewed", "apply")
	j.write(t, main, hcl)
	j.must(t, 0, "reconcile apply ended with 0", "apply")
}

// TestExpectedJob applies after a merge what the plan in the pull request said, and at night
// only what was delivered.
func TestExpectedJob(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T) *host
		job   func(*job, *host) *job
	}{{"github", gitHub, (*job).onGitHub}, {"gitlab", gitLab, (*job).onGitLab}} {
		t.Run(c.name, func(t *testing.T) {
			h := c.start(t)
			j := c.job(newJob(t), h)
			h.merged = "c0ffee"
			j.env["GITHUB_SHA"], j.env["CI_COMMIT_SHA"] = h.merged, h.merged
			j.site(t, "site")
			j.env["EXPECT"] = "nothing"
			j.must(t, 0, "reconcile apply ended with 0", "apply")

			main := filepath.Join("site", "main.hcl")
			hcl := j.file(t, main)
			merged := strings.Replace(hcl, "date(time)", "year(time)", 1)
			j.write(t, main, merged)
			j.must(t, 12, "reconcile apply ended with 12: this is not what was reviewed", "apply")
			delete(j.env, "EXPECT")
			j.must(t, 0, "reconcile plan ended with 2", "plan")
			if said := h.by(h.author); len(said) != 1 || len(said[0]) > 65000 {
				t.Fatalf("the comments are %q", said)
			}
			j.env["EXPECT"] = "reviewed"
			j.write(t, main, strings.Replace(hcl, "date(time)", "year(time), month(time)", 1))
			j.must(t, 12, "reconcile apply ended with 12: this is not what was reviewed", "apply")
			j.write(t, main, merged)
			j.must(t, 0, "reconcile apply ended with 0", "apply")
			j.env["EXPECT"] = "nothing"
			j.must(t, 0, "reconcile apply ended with 0", "apply")
			h.merged = ""
			j.env["EXPECT"] = "reviewed"
			j.must(t, 1, "no pull or merge request brought this commit", "apply")
		})
	}
}

// TestDriftJob ends with 0 whatever is pending, and with 2 once somebody touched a table.
func TestDriftJob(t *testing.T) {
	j := newJob(t).onGitHub(gitHub(t))
	j.site(t, "site")
	j.env["FLAGS"] = "-target=table.checkout"
	j.must(t, 0, "reconcile apply ended with 0", "apply")
	delete(j.env, "FLAGS")
	j.must(t, 0, "reconcile plan ended with 2", "plan")
	j.must(t, 0, "reconcile drift ended with 0", "drift")
	files, err := filepath.Glob(filepath.Join(j.dir, "site", "lake", "checkout", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are the files %q, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	j.must(t, 2, "::error title=reconcile drift::reconcile drift ended with 2: tables were changed by somebody else", "drift")
}

// TestProgram takes the one that is named, then that of the PATH, and builds one where there
// is none.
func TestProgram(t *testing.T) {
	j := newJob(t)
	j.env["RECONCILE"] = "/opt/reconcile"
	if out, code := j.run(t, "program"); code != 0 || out != "/opt/reconcile\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	delete(j.env, "RECONCILE")
	j.env["PATH"] = filepath.Dir(program) + ":" + j.env["PATH"]
	if out, code := j.run(t, "program"); code != 0 || out != program+"\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
}
