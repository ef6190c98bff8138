package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"reconcile/internal/plain"
)

// Target is who is told: a command or a webhook.
type Target struct {
	Label   string
	Command []string
	Dir     string // in which the command runs
	Hidden  string // begins the variables of the environment that the command does not get
	Webhook string
	Headers map[string]string
	Timeout time.Duration
}

// Send tells a target. It returns when that is done, or has failed, or the time is over.
func (t *Target) Send(ctx context.Context, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("notify %q: %w", t.Label, err)
	}
	body = append(plain.JSON(body), '\n')
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	if len(t.Command) > 0 {
		err = t.run(ctx, body)
	} else {
		err = t.post(ctx, body)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("notify %q: no answer within %s", t.Label, t.Timeout)
	}
	return fmt.Errorf("notify %q: %w", t.Label, err)
}

// grace is how long a command that was killed may keep its input open.
const grace = time.Second

// run gives a command the message on its standard input. What it prints is nobody's: it
// may hold what the command knows as secret.
func (t *Target) run(ctx context.Context, body []byte) error {
	cmd := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...)
	cmd.Dir, cmd.Stdin, cmd.WaitDelay = t.Dir, bytes.NewReader(body), grace
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(v string) bool { return t.Hidden != "" && strings.HasPrefix(v, t.Hidden) })
	// A group of its own: what the command has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the command ended with %s", exit.ProcessState)
	}
	return err
}

// mostAnswer is how much of an answer is read, so that the connection ends well.
const mostAnswer = 64 << 10

// post sends the message to the webhook. Redirections are not followed: the headers are
// for who was named.
func (t *Target) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook is no URL that can be called")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "reconcile")
	for name, value := range t.Headers {
		req.Header.Set(name, value)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return errors.New(t.withoutSecrets(err))
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, mostAnswer)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered with status %d", resp.StatusCode)
	}
	return nil
}

// withoutSecrets is the text of an error of a call without anything of the URL or of a
// proxy's.
func (t *Target) withoutSecrets(err error) string {
	var ofURL *url.Error
	if errors.As(err, &ofURL) {
		err = ofURL.Err
	}
	text := err.Error()
	if u, perr := url.Parse(t.Webhook); perr == nil {
		for _, s := range []string{u.Host, u.Hostname()} {
			if s != "" {
				text = strings.ReplaceAll(text, s, "(the host)")
			}
		}
	}
	return "the webhook cannot be called: " + text
}
