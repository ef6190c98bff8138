package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// connect makes the client that the options ask for. It sends nothing.
func (s *Store) connect(ctx context.Context) error {
	o := s.o
	cfg, err := load(ctx, o)
	if err != nil {
		return err
	}
	if cfg.Region == "" {
		if o.Endpoint == "" {
			return errors.New("the region is missing: set region, AWS_REGION or the region of the profile")
		}
		cfg.Region = "us-east-1" // a server that is not AWS rarely cares
	}
	s.region = cfg.Region
	if o.RoleARN != "" {
		assume(&cfg, o)
	}
	s.algorithm = checksums[o.Write.Checksum]
	if o.Write.Checksum == "" && cfg.RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		s.algorithm = ""
	}
	cfg.HTTPClient = s.transport(cfg.HTTPClient)
	s.attempts = orDefault(o.Retry.Attempts, orDefault(cfg.RetryMaxAttempts, defaultAttempts))
	cfg.Retryer = func() aws.Retryer { return retryer(cfg, o, s.attempts, &s.server) }
	s.api = s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.UsePathStyle = o.ForcePathStyle
		so.APIOptions = append(so.APIOptions, noteAttempts, signNoAcceptEncoding)
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		// Ranges cannot be validated by the checksum of the whole.
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.DisableLogOutputChecksumValidationSkipped = true
		if s.algorithm == "" {
			so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
	})
	return nil
}

// transport wraps the client that the SDK made of its configuration. It makes one
// only where that names a file of certificates.
func (s *Store) transport(c aws.HTTPClient) aws.HTTPClient {
	if c == nil {
		c = awshttp.NewBuildableClient()
	}
	if b, ok := c.(*awshttp.BuildableClient); ok {
		c = b.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 4 * s.o.Concurrency })
	}
	if s.o.WrapTransport != nil {
		c = s.o.WrapTransport(c)
	}
	return &client{next: c, idle: s.o.Idle, count: &s.count, server: &s.server}
}

func load(ctx context.Context, o Options) (aws.Config, error) {
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters is in errors
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Credentials != nil {
		opts = append(opts, config.WithCredentialsProvider(aws.NewCredentialsCache(o.Credentials)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, fmt.Errorf("the configuration of the AWS SDK: %w", err)
	}
	return cfg, nil
}

func assume(cfg *aws.Config, o Options) {
	p := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(*cfg), o.RoleARN, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName = o.SessionName
		if o.ExternalID != "" {
			a.ExternalID = aws.String(o.ExternalID)
		}
	})
	cfg.Credentials = aws.NewCredentialsCache(p)
}

// retryer is the SDK's, without its quota of retries, which is meant for
// services that must fail fast, and with what it does not know of S3.
func retryer(cfg aws.Config, o Options, attempts int, server *contact) aws.Retryer {
	standard := func(so *retry.StandardOptions) {
		so.MaxAttempts = attempts
		so.RateLimiter = ratelimit.None
		so.Backoff = retry.BackoffDelayerFunc(backoff(o.Retry.Wait))
		so.Retryables = append([]retry.IsErrorRetryable{retry.NoRetryCanceledError{}, server.givesUp(), ours(cfg.Credentials)}, so.Retryables...)
	}
	if o.Adaptive || cfg.RetryMode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode(func(ao *retry.AdaptiveModeOptions) {
			ao.StandardOptions = append(ao.StandardOptions, standard)
		})
	}
	return retry.NewStandard(standard)
}

// folderInTheWay is the code of versitygw for a key that it has as a folder. It also
// says so when it did not get to a key because another request had just removed the
// empty folder above that.
const folderInTheWay = "ExistingObjectIsDirectory"

const (
	maxBackoff = 20 * time.Second
	// throttled is how much longer than others a throttled request waits.
	throttled = 5
)

// backoff doubles the wait each time, up to a limit, half of it by chance.
func backoff(wait time.Duration) func(int, error) (time.Duration, error) {
	isThrottle := retry.IsErrorThrottles(retry.DefaultThrottles)
	return func(attempt int, err error) (time.Duration, error) {
		d := wait << min(max(attempt-1, 0), 10)
		if isThrottle.IsErrorThrottle(err).Bool() {
			d *= throttled
		}
		d = min(d, maxBackoff)
		return d/2 + rand.N(d/2+1), nil
	}
}

// ours says of some errors that they go away: a conflict with a request under
// way, a folder of the server that came or went meanwhile, an answer that was cut
// off, and credentials that expired, which are fetched again. A certificate that is
// not trusted never does.
func ours(credentials aws.CredentialsProvider) retry.IsErrorRetryable {
	return retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		var ae smithy.APIError
		if errors.As(err, &ae) {
			switch ae.ErrorCode() {
			case "ConditionalRequestConflict", "OperationAborted", "InternalError", "ServiceUnavailable", folderInTheWay:
				return aws.TrueTernary
			case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
				if c, ok := credentials.(*aws.CredentialsCache); ok {
					c.Invalidate()
					return aws.TrueTernary
				}
			}
			return aws.UnknownTernary
		}
		var fe errForeign
		if untrusted(err) != nil || errors.As(err, &fe) {
			return aws.FalseTernary
		}
		var de *smithy.DeserializationError
		if errors.As(err, &de) || errors.Is(err, io.ErrUnexpectedEOF) {
			return aws.TrueTernary
		}
		return aws.UnknownTernary
	})
}

// signNoAcceptEncoding leaves Accept-Encoding out of what is signed, as proxies and some
// stores rewrite it on the way. It says all the same that content is not to be packed.
func signNoAcceptEncoding(stack *middleware.Stack) error {
	const name = "Accept-Encoding"
	hide := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if req, ok := in.Request.(*smithyhttp.Request); ok {
			req.Header.Del(name)
		}
		return next.HandleFinalize(ctx, in)
	}
	show := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if req, ok := in.Request.(*smithyhttp.Request); ok {
			req.Header.Set(name, "identity")
		}
		return next.HandleFinalize(ctx, in)
	}
	if err := stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("HideAcceptEncoding", hide), "Signing", middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ShowAcceptEncoding", show), "Signing", middleware.After)
}
