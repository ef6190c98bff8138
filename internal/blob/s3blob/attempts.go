package s3blob

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"

	"reconcile/internal/blob"
)

// A request that is sent again asks about what an earlier attempt left, whose
// answer was lost. Servers answer that by guesses: after a crash versitygw says
// of an upload that it has completed it when it had only begun to. So what comes
// of several attempts is believed when it was seen.

// attempts notes what it took to get answers.
type attempts struct{ repeated atomic.Bool }

type attemptsKey struct{}

// watchAttempts returns a context under which requests are noted.
func watchAttempts(ctx context.Context) (context.Context, *attempts) {
	a := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, a), a
}

// noteRepeated notes that something was done again without the SDK.
func noteRepeated(ctx context.Context) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		a.repeated.Store(true)
	}
}

// noteAttempts adds to the SDK's stack what notes how often a request was sent.
func noteAttempts(stack *middleware.Stack) error {
	note := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, md, err := next.HandleInitialize(ctx, in)
		if r, ok := retry.GetAttemptResults(md); ok && len(r.Results) > 1 {
			noteRepeated(ctx)
		}
		return out, md, err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("NoteAttempts", note), middleware.Before)
}

// written returns an object that bears the token and has the size of one that a
// server says it has made. It fails with errPhantom if there is none.
func (s *Store) written(ctx context.Context, doing, key, token string, size int64, pin string) (blob.Object, error) {
	h, err := s.head(ctx, doing, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return blob.Object{}, err
	case h.Size == size && (token != "" && h.token == token || token == "" && h.Pin == pin):
		return h.Object, nil
	}
	return blob.Object{}, phantom(doing, s.place(key), "it is not there")
}

func phantom(doing, place, but string) error {
	return &Error{Doing: doing, Place: place, err: errPhantom, again: true,
		Reason: "the server confirmed it after several attempts, but " + but + "; it may have died in between: run again"}
}

// errPhantom reports what was confirmed and did not happen.
var errPhantom = errors.New("confirmed, and did not happen")
