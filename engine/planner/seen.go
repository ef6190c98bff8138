package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"
)

// statsAtOnce hides the latency of a source behind a network.
const statsAtOnce = 16

// probeFiles finds out about the files of deliveries. On S3 the folder of a dump is
// listed, at the price of one request for all its tables; what a listing does
// not show is asked for by itself, as files may come later than their manifest.
func probeFiles(ctx context.Context, p *Session, list []Delivery) error {
	s := p.probed()
	if p.tagged() {
		if err := listDumps(ctx, p, s, list); err != nil {
			return err
		}
	}
	return statFiles(ctx, p, s, list)
}

// probed returns what was looked at so far.
func (p *Session) probed() *seenFiles {
	if p.Seen == nil {
		p.Seen = &seenFiles{Files: map[string]seenFile{}, listed: map[string]bool{}}
	}
	return p.Seen
}

// statFiles asks for the files of deliveries that were not seen yet.
func statFiles(ctx context.Context, p *Session, s *seenFiles, list []Delivery) error {
	g := errgroup.Group{}
	g.SetLimit(statsAtOnce)
	asked := map[string]bool{}
	for _, d := range list {
		for _, f := range d.Entry.Files {
			if _, ok := s.Files[f.Key]; ok || asked[f.Key] {
				continue
			}
			asked[f.Key] = true
		}
	}
	for key := range asked {
		g.Go(func() error {
			obj, err := p.Source.Stat(ctx, key)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.Files[key] = seenFile{obj, err}
			return nil
		})
	}
	return g.Wait()
}

// listDumps lists the folders of dumps that were not listed before.
func listDumps(ctx context.Context, p *Session, s *seenFiles, list []Delivery) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(statsAtOnce)
	for _, d := range list {
		folder := fmt.Sprintf("sync_%d", d.Dump)
		if s.listed[folder] || !d.liesIn(folder) {
			continue
		}
		s.listed[folder] = true
		g.Go(func() error {
			objects, err := p.Source.ListFolder(gctx, folder)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("list the files of dump %d: %w", d.Dump, err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, o := range objects {
				s.Files[o.Key] = seenFile{Obj: o}
			}
			return nil
		})
	}
	return g.Wait()
}

// liesIn reports whether a file of the delivery lies in a folder.
func (d Delivery) liesIn(folder string) bool {
	for _, f := range d.Entry.Files {
		if strings.HasPrefix(f.Key, folder+"/") {
			return true
		}
	}
	return false
}
