package s3test

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// StartWithUsers is Start for a server that can have more accounts.
func StartWithUsers(t testing.TB) *Server {
	t.Helper()
	return startWith(t, "--iam-dir", t.TempDir())
}

// User makes an account that may do what the policies of buckets say, and returns the
// server as that account sees it, and the account's name.
func (s *Server) User(t testing.TB) (*Server, string) {
	t.Helper()
	u := *s
	u.AccessKey, u.SecretKey, u.stop = "user-"+strings.ToLower(rand.Text()[:8]), rand.Text(), nil
	cmd := exec.Command(s.program, "admin", "--endpoint-url", s.Endpoint, "--allow-insecure", "create-user",
		"--access", u.AccessKey, "--secret", u.SecretKey, "--role", "user")
	cmd.Env = append(os.Environ(), "ADMIN_ACCESS_KEY_ID="+s.AccessKey, "ADMIN_SECRET_ACCESS_KEY="+s.SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return &u, u.AccessKey
}

// Allow replaces the policy of a bucket.
func (s *Server) Allow(t testing.TB, bucket, policy string) {
	t.Helper()
	if _, err := s.Client().PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}); err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
}
