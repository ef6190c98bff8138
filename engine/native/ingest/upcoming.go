package ingest

import (
	"context"
	"iter"

	"reconcile/engine/exec"
	"reconcile/internal/blob"
)

// upcoming opens part files some time before their turn, so that nobody waits for the
// first bytes of one on a remote store while the one before it is read. One goroutine uses
// it at a time.
type upcoming struct {
	ctx    context.Context // of the files
	cancel context.CancelFunc
	src    exec.Source
	most   int // files that are open before their turn

	pull func() (File, error, bool)
	stop func()
	all  bool // were pulled
	list []*opening
}

// opening is a file that is being opened until done is closed.
type opening struct {
	file   File
	handle blob.Handle
	err    error
	done   chan struct{}
}

func newUpcoming(ctx context.Context, src exec.Source, files iter.Seq2[File, error], most int) *upcoming {
	u := &upcoming{src: src, most: most}
	u.ctx, u.cancel = context.WithCancel(ctx)
	u.pull, u.stop = iter.Pull2(files)
	return u
}

// next returns the next file, which the caller closes; false behind the last one. An error
// is that of listing the files, or of opening this one. Close ends all reads.
func (u *upcoming) next() (f File, h blob.Handle, more bool, err error) {
	for !u.all && len(u.list) <= u.most {
		u.begin()
	}
	if len(u.list) == 0 {
		return File{}, nil, false, nil
	}
	o := u.list[0]
	u.list = u.list[1:]
	<-o.done
	return o.file, o.handle, true, o.err
}

// begin begins to open one more file.
func (u *upcoming) begin() {
	f, err, more := u.pull()
	if !more {
		u.all = true
		return
	}
	o := &opening{file: f, err: err, done: make(chan struct{})}
	u.list = append(u.list, o)
	if err != nil {
		u.all = true
		close(o.done)
		return
	}
	go func() {
		defer close(o.done)
		h, err := u.src.Open(u.ctx, f.Key)
		if err != nil {
			o.err = f.unusable(err)
			return
		}
		h.ReadAhead(1)
		o.handle = h
	}()
}

// close closes the files whose turn did not come, and ends what is still read of the others.
func (u *upcoming) close() {
	u.cancel()
	for _, o := range u.list {
		if <-o.done; o.handle != nil {
			_ = o.handle.Close()
		}
	}
	u.list = nil
	u.stop()
}
