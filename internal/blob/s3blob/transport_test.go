package s3blob_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"reconcile/internal/blob/s3blob"
)

// doer is a client made of a function.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// wrap puts a function between a store and the network.
func wrap(o *s3blob.Options, f func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error)) {
	inner := o.WrapTransport
	o.WrapTransport = func(next aws.HTTPClient) aws.HTTPClient {
		if inner != nil {
			next = inner(next)
		}
		return doer(func(r *http.Request) (*http.Response, error) {
			return f(next, awsmiddleware.GetOperationName(r.Context()), r)
		})
	}
}

// answer makes an answer as S3 does.
func answer(r *http.Request, status int, code, message string) *http.Response {
	body := ""
	if code != "" {
		body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + message + "</Message><RequestId>R1</RequestId></Error>"
	}
	if r.Method == http.MethodHead {
		body = ""
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"R1"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

// fault is a way in which a request can fail.
type fault struct {
	name    string
	reaches bool // the request reaches the server
	do      func(next aws.HTTPClient, r *http.Request) (*http.Response, error)
}

var faults = []fault{
	{"500", false, func(_ aws.HTTPClient, r *http.Request) (*http.Response, error) {
		return answer(r, 500, "InternalError", "We encountered an internal error."), nil
	}},
	{"503", false, func(_ aws.HTTPClient, r *http.Request) (*http.Response, error) {
		return answer(r, 503, "SlowDown", "Please reduce your request rate."), nil
	}},
	{"refused", false, func(aws.HTTPClient, *http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }},
	{"lost answer", true, func(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
		resp, err := next.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return nil, errors.Join(syscall.ECONNRESET, err)
	}},
	{"cut answer", true, func(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
		resp, err := next.Do(r)
		if err == nil {
			resp.Body = cut(resp.Body)
		}
		return resp, err
	}},
	{"late error", false, lateError},
	{"folder that came or went", false, func(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return next.Do(r)
		}
		return answer(r, 409, "ExistingObjectIsDirectory", "Existing Object is a directory."), nil
	}},
}

// lateError is an error that is found after the answer began with 200, as it is
// with what takes long.
func lateError(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
	switch awsmiddleware.GetOperationName(r.Context()) {
	case "CopyObject", "UploadPartCopy", "CompleteMultipartUpload":
		return answer(r, 200, "InternalError", "We encountered an internal error."), nil
	}
	return next.Do(r)
}

// cut ends a body in its middle.
func cut(body io.ReadCloser) io.ReadCloser {
	data, _ := io.ReadAll(body)
	body.Close()
	return io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)/2]), broken{}))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// nth lets one request fail.
type nth struct {
	mu   sync.Mutex
	left int // requests until the fault; it strikes at 0
	op   string
}

func (n *nth) strikes(op string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left--
	if n.left != -1 {
		return false
	}
	n.op = op
	return true
}

func (n *nth) struck() (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.op, n.left < 0
}

func failAt(o *s3blob.Options, at int, f fault) *nth {
	n := &nth{left: at}
	wrap(o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if n.strikes(op) {
			return f.do(next, r)
		}
		return next.Do(r)
	})
	return n
}

// keepCopyConditions makes a server keep the conditions of CopyObject, as AWS
// does. Only one copy is judged and made at a time.
func keepCopyConditions(o *s3blob.Options) {
	var mu sync.Mutex
	wrap(o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		im, inm := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		if op != "CopyObject" || im == "" && inm == "" {
			return next.Do(r)
		}
		mu.Lock()
		defer mu.Unlock()
		look := r.Clone(r.Context())
		look.Method, look.Body, look.ContentLength = http.MethodHead, nil, 0
		look.Header = http.Header{}
		look.URL.RawQuery = ""
		resp, err := next.Do(look)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		exists := resp.StatusCode == 200
		switch {
		case inm != "" && exists, im != "" && exists && resp.Header.Get("Etag") != im:
			return answer(r, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"), nil
		case im != "" && !exists:
			return answer(r, 404, "NoSuchKey", "The specified key does not exist."), nil
		}
		return next.Do(r)
	})
}
