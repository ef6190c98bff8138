package dump

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
)

// reportFolder is where the vendor says how its syncs went, a file for each and perhaps
// one more for the latest.
const reportFolder = "sync_reports"

const (
	maxReport     = 1 << 20 // size from which a report is not read
	maxReportText = 500     // bytes of the vendor's error that are kept
	reportsAtOnce = 32      // hides the latency of a store behind a network
)

// SyncReport is what the vendor says of one sync. Times that it does not say are zero.
type SyncReport struct {
	Key       string
	Start     time.Time
	Finish    time.Time // zero while the sync is under way
	Next      time.Time // when the next sync is due
	Status    string
	Succeeded bool
	Error     string
}

// BrokenReport is a report that says nothing.
type BrokenReport struct {
	Key    string
	Reason string
}

// SyncReports are the newest reports of a source.
type SyncReports struct {
	Reports []SyncReport   // that were read, the newest finish first
	Broken  []BrokenReport // by key
	All     int            // how many there are in all
}

// SyncReports reads the reports that changed since a time, and at least some number of
// the last changed ones. A source may have none. Only a source that is Unavailable is an
// error; what is wrong with one report makes that one broken.
func (s *Source) SyncReports(ctx context.Context, since time.Time, atLeast int) (*SyncReports, error) {
	list, err := s.ListFolder(ctx, reportFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return &SyncReports{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the sync reports: %w", err)
	}
	list = slices.DeleteFunc(list, func(o blob.Object) bool { return !isReport(o.Key) })
	out := &SyncReports{All: len(list)}
	slices.SortFunc(list, func(a, b blob.Object) int {
		return cmp.Or(b.ModTime.Compare(a.ModTime), strings.Compare(a.Key, b.Key))
	})
	for i, o := range list {
		if i >= atLeast && o.ModTime.Before(since) {
			list = list[:i]
			break
		}
	}
	read, broken := make([]SyncReport, len(list)), make([]string, len(list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(reportsAtOnce)
	for i, o := range list {
		g.Go(func() (err error) {
			read[i], broken[i], err = s.readReport(gctx, o.Key)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	for i, r := range read {
		if broken[i] != "" {
			out.Broken = append(out.Broken, BrokenReport{r.Key, broken[i]})
			continue
		}
		out.Reports = append(out.Reports, r)
	}
	slices.SortFunc(out.Broken, func(a, b BrokenReport) int { return strings.Compare(a.Key, b.Key) })
	slices.SortStableFunc(out.Reports, func(a, b SyncReport) int { return b.Finish.Compare(a.Finish) })
	return out, nil
}

// isReport tells reports from what else may lie in their folder.
func isReport(key string) bool {
	name := strings.TrimPrefix(key, reportFolder+"/")
	return !strings.Contains(name, "/") && !strings.HasPrefix(name, ".") && path.Ext(name) == ".json"
}

// readReport reads one report. It fails only if the source is Unavailable.
func (s *Source) readReport(ctx context.Context, key string) (r SyncReport, broken string, err error) {
	r.Key = key
	data, _, err := s.readAll(ctx, key, maxReport)
	if Unavailable(err) {
		return r, "", fmt.Errorf("the sync report %s cannot be read: %w", key, err)
	}
	if err == nil {
		err = r.parse(data)
	}
	if err != nil {
		return r, err.Error(), nil
	}
	return r, "", nil
}

// parse reads the text of a report. What it has beside the known members is left alone.
func (r *SyncReport) parse(data []byte) error {
	var says map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &says)
	if what := foreign(data); what != "" {
		return errors.New(what)
	}
	if errors.As(err, new(*json.UnmarshalTypeError)) || err == nil && says == nil {
		return errors.New(notAnObject(string(data)))
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is not valid JSON: %w, %s", err, around(string(data), int(syntax.Offset)-1))
	}
	if err != nil {
		return fmt.Errorf("it is not valid JSON: %w", err)
	}
	for _, m := range []struct {
		name string
		into *time.Time
	}{{"start_time", &r.Start}, {"finish_time", &r.Finish}, {"next_sync_at", &r.Next}} {
		if *m.into, err = reportTime(says[m.name]); err != nil {
			return fmt.Errorf("its %s %w", m.name, err)
		}
	}
	r.Status, r.Error = reportText(says["status"]), reportText(says["error"])
	if r.Status == "" {
		return errors.New("it has no status")
	}
	r.Succeeded = slices.Contains([]string{"succeeded", "success", "successful"}, strings.ToLower(strings.TrimSpace(r.Status)))
	if r.Succeeded && r.Finish.IsZero() {
		return errors.New("it says that the sync succeeded, and not when")
	}
	return nil
}

// reportTime reads milliseconds since the epoch, as a number or as text; null is no time.
func reportTime(member json.RawMessage) (time.Time, error) {
	text := strings.TrimSpace(reportText(member))
	if text == "" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseFloat(text, 64)
	const firstYear, lastYear = 1970, 9999
	if err == nil && math.Abs(ms) < math.MaxInt64/2 {
		if at := time.UnixMilli(int64(ms)).UTC(); at.Year() >= firstYear && at.Year() <= lastYear {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("is no time in milliseconds: %s", abbreviate(text))
}

// reportText is a member as text: what a string says, and anything else as it stands.
func reportText(member json.RawMessage) string {
	var text string
	switch {
	case len(member) == 0 || string(member) == "null":
		return ""
	case json.Unmarshal(member, &text) != nil:
		text = string(member)
	}
	if len(text) > maxReportText {
		text = strings.ToValidUTF8(text[:maxReportText], "") + "..."
	}
	return text
}
