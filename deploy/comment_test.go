package deploy

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// job is where scripts run: an environment of its own, with an empty HOME.
type job struct {
	dir string
	env map[string]string
}

func newJob(t *testing.T) *job {
	t.Helper()
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the scripts need ", tool)
		}
	}
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return &job{dir, map[string]string{"PATH": os.Getenv("PATH"), "HOME": home, "TMPDIR": dir}}
}

// onGitHub is a job for a pull request.
func (j *job) onGitHub(h *host) *job {
	maps.Copy(j.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_API_URL": h.URL, "GITHUB_REPOSITORY": "acme/lake", "GITHUB_TOKEN": h.token,
		"PULL_REQUEST": "7", "GITHUB_STEP_SUMMARY": filepath.Join(j.dir, "summary"), "GITHUB_OUTPUT": filepath.Join(j.dir, "output")})
	return j
}

func (j *job) onGitLab(h *host) *job {
	maps.Copy(j.env, map[string]string{"GITLAB_CI": "true", "CI_API_V4_URL": h.URL, "CI_PROJECT_ID": "9", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": h.token})
	return j
}

// run runs a script of ci, and returns what it said and its exit code.
func (j *job) run(t *testing.T, script string, args ...string) (string, int) {
	t.Helper()
	at, err := filepath.Abs(filepath.Join("ci", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), at, args...)
	cmd.Dir = j.dir
	for name, value := range j.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if token := j.env["GITHUB_TOKEN"] + j.env["GITLAB_TOKEN"]; token != "" && strings.Contains(string(out), token) {
		t.Errorf("%s prints the token:\n%s", script, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// comment posts a text.
func (j *job) comment(t *testing.T, on, text string) string {
	t.Helper()
	file := filepath.Join(j.dir, "text.md")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := j.run(t, "comment", on, file)
	if code != 0 {
		t.Fatalf("comment: exit code %d\n%s", code, out)
	}
	return out
}

func (j *job) file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(j.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// TestReviewed finds the digest that a job commented for a folder, on the request that brought
// the commit, and takes nobody else's word for it.
func TestReviewed(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	line := func(folder, digest string) string {
		sum, err := exec.Command("sh", "-c", `printf %s "$1" | cksum | cut -d ' ' -f 1`, "sh", folder).Output()
		if err != nil {
			t.Fatal(err)
		}
		return "text\n\n<!-- reviewed " + strings.TrimSpace(string(sum)) + " " + digest + " -->\n"
	}
	for _, c := range []struct {
		on    string
		start func(*testing.T) *host
		job   func(*job, *host) *job
	}{{"github", gitHub, (*job).onGitHub}, {"gitlab", gitLab, (*job).onGitLab}} {
		t.Run(c.on, func(t *testing.T) {
			h := c.start(t)
			h.merged = "c0ffee"
			j := c.job(newJob(t), h)
			j.env["GITHUB_SHA"], j.env["CI_COMMIT_SHA"] = h.merged, h.merged
			fails := func(why string) {
				t.Helper()
				if out, code := j.run(t, "reviewed", c.on, "production"); code != 1 || !strings.Contains(out, why) {
					t.Errorf("exit code %d:\n%s", code, out)
				}
			}
			fails("no plan of production was commented on 7")
			h.discuss(120, production+line("production", strings.Repeat("1b", 32)))
			j.comment(t, c.on, staging+line("staging", strings.Repeat("2c", 32)))
			j.comment(t, c.on, production+line("production", digest)+"more")
			fails("no plan of production was commented on 7")
			j.comment(t, c.on, production+line("production", digest))
			if out, code := j.run(t, "reviewed", c.on, "production"); code != 0 || out != digest+"\n" {
				t.Errorf("exit code %d:\n%s", code, out)
			}
			h.refuse = map[string]int{"GET": 403}
			fails("the token may not (HTTP 403)")
			h.refuse, h.merged = nil, "another"
			fails("no pull or merge request brought this commit")
		})
	}
}

const (
	production = "<!-- reconcile plan folder=production lineage=a -->\n"
	staging    = "<!-- reconcile plan folder=staging lineage=b -->\n"
	hostile    = "`$(id)` \"quoted\" \\ back\n| a | b |\n\ttab é 🙂 &amp; %s\n"
)

// TestComments posts a comment for each environment among many of people, and updates each
// in place. Comments of others are never touched, whatever they begin with.
func TestComments(t *testing.T) {
	for _, c := range []struct {
		on    string
		start func(*testing.T) *host
		job   func(*job, *host) *job
	}{{"github", gitHub, (*job).onGitHub}, {"gitlab", gitLab, (*job).onGitLab}} {
		t.Run(c.on, func(t *testing.T) {
			h := c.start(t)
			j := c.job(newJob(t), h)
			h.discuss(101, "looks good")
			h.discuss(1, production+"not by the job")
			h.discuss(150, "well")
			j.comment(t, c.on, production+"first")
			j.comment(t, c.on, staging+"first")
			h.discuss(100, "so")
			j.comment(t, c.on, production+hostile)
			j.comment(t, c.on, staging+"second")
			want := []string{production + hostile, staging + "second"}
			if got := h.by(h.author); !slices.Equal(got, want) {
				t.Errorf("the comments of the job are %q, not %q", got, want)
			}
			if got := h.comments[101].body; got != production+"not by the job" {
				t.Errorf("the comment of somebody else is now %q", got)
			}
			if n := h.wrote(); n != 4 {
				t.Errorf("%d requests wrote something, not 4", n)
			}
		})
	}
}

// TestMayNotComment gives the text to the summary of the job, or to its log, and fails
// nothing.
func TestMayNotComment(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*host, *job)
		why    string
	}{
		{"reading is refused", func(h *host, _ *job) { h.refuse = map[string]int{"GET": 404} }, "the token may not (HTTP 404)"},
		{"writing is refused", func(h *host, _ *job) { h.refuse = map[string]int{"POST": 403} }, "the token may not (HTTP 403)"},
		{"the token is wrong", func(_ *host, j *job) { j.env["GITHUB_TOKEN"], j.env["GITLAB_TOKEN"] = "another", "another" }, "the token may not (HTTP 401)"},
		{"there is no token", func(_ *host, j *job) { delete(j.env, "GITHUB_TOKEN"); delete(j.env, "GITLAB_TOKEN") }, "there is no GIT"},
		{"it is no pull request", func(_ *host, j *job) { delete(j.env, "PULL_REQUEST"); delete(j.env, "CI_MERGE_REQUEST_IID") }, "this job is for no pull or merge request"},
		{"the server fails", func(h *host, _ *job) { h.refuse = map[string]int{"POST": 502} }, "answers HTTP 502: {\"message\""},
		{"nobody answers", func(_ *host, j *job) {
			j.env["GITHUB_API_URL"], j.env["CI_API_V4_URL"] = "http://127.0.0.1:1", "http://127.0.0.1:1"
		}, "cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := gitHub(t)
			j := newJob(t).onGitHub(h)
			c.change(h, j)
			out := j.comment(t, "github", production+hostile)
			if got := j.file(t, "summary"); got != production+hostile {
				t.Errorf("the summary is %q", got)
			}
			if !strings.Contains(out, c.why) || len(h.comments) > 0 {
				t.Errorf("it says, with %d comments:\n%s", len(h.comments), out)
			}

			h = gitLab(t)
			j = newJob(t).onGitLab(h)
			c.change(h, j)
			out = j.comment(t, "gitlab", production+hostile)
			if !strings.Contains(out, c.why) || !strings.Contains(out, hostile) || len(h.comments) > 0 {
				t.Errorf("it says, with %d comments:\n%s", len(h.comments), out)
			}
		})
	}
}

// TestCommentNeedsMarker refuses a text that would be a new comment each time.
func TestCommentNeedsMarker(t *testing.T) {
	h := gitHub(t)
	j := newJob(t).onGitHub(h)
	file := filepath.Join(j.dir, "text.md")
	if err := os.WriteFile(file, []byte("# A plan\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := j.run(t, "comment", "github", file); code != 1 || !strings.Contains(out, "does not begin with a marker") || len(h.requests) > 0 {
		t.Errorf("exit code %d, %d requests:\n%s", code, len(h.requests), out)
	}
}
