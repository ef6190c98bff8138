package s3blob

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
)

// errForeign reports an answer that no S3 server gives, as a login page of the network or
// another program at the endpoint does. The SDK would take it for an empty listing.
type errForeign struct{ begin []byte }

func (e errForeign) Error() string {
	what := "is empty"
	if len(e.begin) > 0 {
		what = "begins with " + strconv.Quote(string(e.begin))
	}
	return "the answer is not that of an S3 server: it " + what + "; see that the endpoint is right and that no proxy or login page answers in its place"
}

var listingRoot = regexp.MustCompile(`<(\w+:)?ListBucketResult[\s/>]`)

// checkListing fails, and closes the answer, unless that is a listing. It leaves the body
// as it was.
func checkListing(resp *http.Response) (err error) {
	head, n := make([]byte, 1<<10), 0
	for m := 0; n < len(head) && err == nil; n += m {
		m, err = resp.Body.Read(head[n:])
	}
	head = head[:n]
	if err == nil || errors.Is(err, io.EOF) {
		if listingRoot.Match(head) {
			resp.Body = &rest{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
			return nil
		}
		err = errForeign{bytes.TrimSpace(head[:min(n, 80)])}
	}
	_ = resp.Body.Close()
	return err
}

// rest is a body of which the beginning was read.
type rest struct {
	io.Reader
	io.Closer
}
