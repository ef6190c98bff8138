package s3blob

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"reconcile/internal/blob"
)

// Error is a request that failed for good: what can be tried again was.
//
// It matches fs.ErrNotExist, fs.ErrPermission, blob.ErrConflict,
// blob.ErrUnsupported or blob.ErrRefused where that is what happened.
type Error struct {
	Doing  string // what was being done, as "read"
	Place  string // the URL of the object or folder
	Reason string // what went wrong and, where known, what to do
	Code   string // of S3, empty if none
	Status int    // of HTTP, 0 if there was no answer
	ID     string // of the request, for support
	kind   error
	// refused says that it is about this object and not about who asks.
	refused bool
	again   bool
	undone  bool
	cut     bool // an answer was cut off: worth another request at once
	err     error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", e.Doing, e.Place, e.Reason)
	var in []string
	if e.Code != "" {
		in = append(in, e.Code)
	}
	if e.ID != "" {
		in = append(in, "request "+e.ID)
	}
	if len(in) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(in, ", "))
	}
	return b.String()
}

// Is reports whether e is of a kind.
func (e *Error) Is(target error) bool {
	return e.kind != nil && target == e.kind || e.refused && target == blob.ErrRefused
}

func (e *Error) Unwrap() error { return e.err }

// Transient reports whether a later run may succeed without anybody's help.
func (e *Error) Transient() bool { return e.again }

// Undone reports whether the request had no effect and will have none.
func (e *Error) Undone() bool { return e.undone }

// Retried says that it makes no sense to try again at once.
func (e *Error) Retried() bool { return true }

// call is what a request is about, for its errors.
type call struct {
	op    string // of S3
	doing string
	place string
	arn   string // of the object or, for listings, of the bucket
	key   bool   // the request is about an object
	with  string // further actions that the request needs
}

// explain turns an error of the SDK into one that says what was being done to
// what, and what is missing.
func explain(ctx context.Context, c call, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", c.doing, c.place, ctx.Err())
	}
	var mine *Error
	if errors.As(err, &mine) {
		return err
	}
	e := &Error{Doing: c.doing, Place: c.place, err: err}
	var re *awshttp.ResponseError
	var header http.Header
	if errors.As(err, &re) {
		e.ID, e.Status = re.RequestID, re.HTTPStatusCode()
		if re.Response != nil {
			header = re.Response.Header
		}
	}
	message := ""
	var ae smithy.APIError
	if errors.As(err, &ae) {
		e.Code, message = ae.ErrorCode(), ae.ErrorMessage()
	}
	if e.refusesChecksum(message) {
		e.Reason = "the server does not take the checksum that is sent with it; set checksum = \"none\" in the block that names the bucket: " + message
	} else if !e.named(c, message, header) {
		e.byStatus(c, message)
	}
	e.refused = e.refused && c.reads()
	return e
}

// reads reports whether a request is for what an object holds.
func (c call) reads() bool { return c.op == "GetObject" || c.op == "HeadObject" }

var checksumWords = regexp.MustCompile(`(?i)checksum|aws-chunked|STREAMING-|x-amz-trailer`)

// refusesChecksum reports whether a server knows no checksums, not whether one is wrong.
func (e *Error) refusesChecksum(message string) bool {
	switch e.Code {
	case "NotImplemented", "InvalidArgument", "InvalidRequest", "MalformedTrailerError", "":
		return (e.Status == http.StatusBadRequest || e.Status == http.StatusNotImplemented) && checksumWords.MatchString(message)
	}
	return false
}

// unknownUser is the code of versitygw, with status 404, for a key id that it does not know.
const unknownUser = "XAdminUserNotFound"

const noBucket = "there is no such bucket here; check bucket, region, endpoint and the account"

// named judges by the error code.
func (e *Error) named(c call, message string, header http.Header) bool {
	switch e.Code {
	case "NoSuchBucket":
		e.Reason = noBucket
	case "NoSuchKey", "NotFound":
		e.kind, e.Reason = fs.ErrNotExist, "it does not exist"
	case "NoSuchUpload":
		e.again, e.Reason = true, "the multipart upload is gone: somebody aborted it, or a lifecycle rule did"
	case "PreconditionFailed":
		e.kind, e.Reason = blob.ErrConflict, "it is not as expected: somebody else made, changed or removed it"
	case "ConditionalRequestConflict", "OperationAborted":
		e.again, e.Reason = true, "somebody else is changing it at this moment"
	case folderInTheWay:
		e.Reason = "the server keeps prefixes as folders, and has one of this name or cannot make the one above it: remove what is in the way"
	case "NotImplemented", "MethodNotAllowed":
		e.kind, e.Reason = blob.ErrUnsupported, fmt.Sprintf("the server cannot do %s: %s", c.op, message)
	case "InvalidObjectState":
		e.refused, e.Reason = true, "it is archived"+inClass(e.err)+"; restore it (aws s3api restore-object)"
	case "InvalidRequest": // as for objects with keys of the customer's own
		e.refused, e.Reason = true, "the server refuses it: "+message
	case "RequestTimeTooSkewed":
		e.Reason = "the clock of this machine is wrong: " + message
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
		e.Reason = "the credentials have expired; renew them and run again"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId", unknownUser:
		e.kind, e.Reason = fs.ErrPermission, "the credentials are not valid here: "+message
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		e.Reason = elsewhere(header, message)
	default:
		if strings.HasPrefix(e.Code, "KMS.") {
			e.refused, e.Reason = true, "the KMS key cannot be used: "+strings.TrimSuffix(message, ".")+"; see that it is enabled and that kms:Decrypt is allowed on it"
			return true
		}
		return false
	}
	return true
}

// inClass names the storage class of an archived object, if the server does.
func inClass(err error) string {
	var ios *types.InvalidObjectState
	if errors.As(err, &ios) && ios.StorageClass != "" {
		return " in " + string(ios.StorageClass)
	}
	return ""
}

func elsewhere(header http.Header, message string) string {
	if r := header.Get("X-Amz-Bucket-Region"); r != "" {
		return fmt.Sprintf("the bucket is in another region: set region = %q", r)
	}
	return "the bucket is in another region: " + message
}

// byStatus judges what has no code that says enough. Answers to HEAD have none.
func (e *Error) byStatus(c call, message string) {
	switch {
	case e.Status == 403 || e.Code == "AccessDenied":
		e.kind, e.refused, e.Reason = fs.ErrPermission, true, denied(c, message)
	case e.Status == 404 && c.key && e.Code == "":
		e.kind, e.Reason = fs.ErrNotExist, "it does not exist"
	case e.Status == 412:
		e.kind, e.Reason = blob.ErrConflict, "it is not as expected: somebody else made, changed or removed it"
	case e.Status == 301 || e.Status == 307 || e.Status == 400 && c.op == "HeadObject":
		e.Reason = "the server refuses; is the region right?"
	case e.Status == 501:
		e.kind, e.Reason = blob.ErrUnsupported, "the server cannot do "+c.op
	case e.Status >= 500 || e.Status == 429:
		e.again, e.Reason = true, fmt.Sprintf("the server is busy or ailing (HTTP %d) after several attempts: %s", e.Status, message)
	case e.Code != "":
		e.Reason = message
	default:
		e.again = transport(e.err)
		e.Reason = cmp.Or(nobody(c, e.err), cause(e.err))
	}
}

// untrusted returns why the certificate of a server is not trusted, nil if that
// is not what went wrong.
func untrusted(err error) error {
	var ce *tls.CertificateVerificationError
	if errors.As(err, &ce) {
		return ce
	}
	return nil
}

var actionIn = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z*]+)(?: on resource: "?([^" ]+))?`)

// actions are what the requests need, by the names that policies use.
var actions = map[string]string{
	"ListObjectsV2": "s3:ListBucket", "HeadBucket": "s3:ListBucket",
	"ListMultipartUploads": "s3:ListBucketMultipartUploads",
	"HeadObject":           "s3:GetObject", "GetObject": "s3:GetObject",
	"PutObject": "s3:PutObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
	"CompleteMultipartUpload": "s3:PutObject", "AbortMultipartUpload": "s3:AbortMultipartUpload",
	"CopyObject": "s3:PutObject", "UploadPartCopy": "s3:PutObject", "DeleteObject": "s3:DeleteObject",
}

// denied names the action that is missing. AWS often says it; else it is what
// the request needs.
func denied(c call, message string) string {
	if m := actionIn.FindStringSubmatch(message); m != nil {
		on := c.arn
		if m[2] != "" {
			on = strings.TrimRight(m[2], ".,")
		}
		return fmt.Sprintf("access denied: the action %s on %s is not allowed; %s", m[1], on, message)
	}
	text := fmt.Sprintf("access denied: allow %s on %s", actions[c.op], c.arn)
	if c.with != "" {
		text += ", " + c.with
	}
	if actions[c.op] == "s3:GetObject" {
		text += "; kms:Decrypt too if its key is in KMS; and s3:ListBucket on the bucket, without which S3 denies what does not exist"
	}
	return text
}

// transport reports whether an error without an answer comes from the network.
func transport(err error) bool {
	if untrusted(err) != nil {
		return false
	}
	var ne net.Error
	var ce interface{ ConnectionError() bool }
	return errors.As(err, &ne) || errors.As(err, &ce) && ce.ConnectionError() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// cause is the part of an error of the SDK that helps.
func cause(err error) string {
	if why := untrusted(err); why != nil {
		return "the certificate of the server is not trusted; set AWS_CA_BUNDLE, or ca_bundle of the profile, to a file with the one of its authority: " + why.Error()
	}
	text := err.Error()
	if strings.Contains(text, "get credentials:") || strings.Contains(text, "get identity:") {
		_, why, _ := strings.Cut(text, "get credentials: ")
		return "there are no usable credentials; set a profile, role_arn or the environment of the AWS SDK: " + why
	}
	if strings.Contains(text, "Missing Region") || strings.Contains(text, "Invalid region") {
		return "the region is missing or wrong: set region"
	}
	return core(err)
}

// core is what an error of the SDK says, without what wraps it there.
func core(err error) string {
	tries := ""
	for {
		var inner error
		switch e := err.(type) {
		case *smithy.OperationError:
			inner = e.Err
		case *retry.MaxAttemptsError:
			inner = e.Err
			if e.Attempt > 1 {
				tries = fmt.Sprintf(", after %d attempts", e.Attempt)
			}
		case *awshttp.ResponseError:
			inner = e.ResponseError
		case *smithyhttp.ResponseError:
			inner = e.Err
		case *smithyhttp.RequestSendError:
			inner = e.Err
		case *url.Error:
			inner = e.Err
		}
		var sent *smithyhttp.RequestSendError
		if inner == nil && errors.As(err, &sent) {
			inner = sent
		}
		if inner == nil {
			return err.Error() + tries
		}
		err = inner
	}
}
