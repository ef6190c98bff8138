package s3blob

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// contact is whether a server has ever answered. As long as it has not, an endpoint that
// is wrong is likelier than a server that is down for a moment.
type contact struct {
	answered atomic.Bool
	failed   atomic.Int32
}

// mostUnanswered is how often something is tried where nothing has ever answered: for
// about a second.
const mostUnanswered = 4

func (c *contact) note(err error) {
	if err == nil {
		c.answered.Store(true)
	} else if unreachable(err) {
		c.failed.Add(1)
	}
}

// givesUp says of what nobody answers that it is not to be tried again.
func (c *contact) givesUp() retry.IsErrorRetryable {
	return retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		if unreachable(err) && !c.answered.Load() && c.failed.Load() >= mostUnanswered {
			return aws.FalseTernary
		}
		return aws.UnknownTernary
	})
}

// unreachable reports whether nothing was there to answer, or something that is spoken to
// in another way.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || noHost(err) || noTLS(err)
}

func noHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

func noTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

// nobody says what is wrong where a request reached nothing, empty if that is not so.
func nobody(c call, err error) string {
	var ue *url.Error
	if !unreachable(err) || !errors.As(err, &ue) {
		return ""
	}
	u, perr := url.Parse(ue.URL)
	if perr != nil {
		return ""
	}
	at := u.Scheme + "://" + u.Host
	bucket, _, _ := strings.Cut(strings.TrimPrefix(c.place, "s3://"), "/")
	switch {
	case noTLS(err):
		return fmt.Sprintf("what answers at %s does not speak TLS: check endpoint, which may have to begin with http://; %s", at, core(err))
	case strings.HasSuffix(u.Hostname(), ".amazonaws.com"):
		return fmt.Sprintf("nothing answers at %s: check region and the network; %s", at, core(err))
	case noHost(err) && strings.HasPrefix(u.Host, bucket+"."):
		return fmt.Sprintf("nothing answers at %s: check endpoint, and set force_path_style = true if its server does not have the bucket as part of the host; %s", at, core(err))
	}
	return fmt.Sprintf("nothing answers at %s: check endpoint; %s", at, core(err))
}
