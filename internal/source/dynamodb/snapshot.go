package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// maxSegments is what Scan allows.
const maxSegments = 1_000_000

// segmentPart is the part of a segment's mark.
func segmentPart(segment, of int) string { return fmt.Sprintf("%s%dof%d", scanPart, segment, of) }

// segments returns how many segments the snapshot has that the marks are of: n, if they are of none.
func segments(marks change.Marks, n int) (int, error) {
	found := 0
	for part := range marks {
		text, ok := strings.CutPrefix(part, scanPart)
		if !ok {
			continue
		}
		i, of, _ := strings.Cut(text, "of")
		segment, err1 := strconv.Atoi(i)
		total, err2 := strconv.Atoi(of)
		if err1 != nil || err2 != nil || segment < 0 || segment >= total || total > maxSegments || found != 0 && found != total {
			return 0, fault.New(fault.Invalid, SubjectTable, "The mark of %q does not belong to a snapshot of %d segments.", part, found)
		}
		found = total
	}
	if found == 0 {
		return n, nil
	}
	return found, nil
}

// Snapshot delivers the table's items, each at least once and as of some moment after the call, from where the
// marks end. It returns nil when all are delivered. A table that was made anew meanwhile is a fault of kind
// Expired about SubjectGap.
func (s *Source) Snapshot(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error) error {
	n, err := segments(from, s.Segments)
	if err != nil {
		return err
	}
	t, err := s.describe(ctx)
	if err != nil {
		return err
	}
	budget := newBudget(s.Budget, s.Now)
	var scans []*scanner
	for i := range n {
		scan := &scanner{
			Source: s, cutter: cutter{keys: t.keys}, part: segmentPart(i, n), budget: budget,
			in: scanInput{TableName: s.Table, ConsistentRead: true, Segment: i, TotalSegments: n},
		}
		switch mark := from[scan.part]; {
		case mark == doneMark:
			continue
		case mark == "":
		case !json.Valid([]byte(mark)):
			return fault.New(fault.Invalid, SubjectTable, "The mark %q of %s is not a key.", mark, scan.part)
		default:
			scan.in.ExclusiveStartKey = json.RawMessage(mark)
		}
		scans = append(scans, scan)
	}
	group, scanning := errgroup.WithContext(ctx)
	group.SetLimit(s.Segments)
	var turn sync.Mutex // deliver is called by one at a time
	for _, scan := range scans {
		group.Go(func() error {
			return scan.run(scanning, func(ctx context.Context, page change.Page) error {
				turn.Lock()
				defer turn.Unlock()
				if err := ctx.Err(); err != nil {
					return err
				}
				return deliver(ctx, page)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.sameTable(ctx, t)
}

// sameTable returns a fault if the table that was read has become another: the items may be of both.
func (s *Source) sameTable(ctx context.Context, was *table) error {
	t, err := s.describe(ctx)
	if err != nil {
		return err
	}
	if t.id() != was.id() {
		return fault.New(fault.Expired, SubjectGap, "Table %q was deleted and made again while it was read.", s.Table)
	}
	return nil
}

type scanInput struct {
	TableName              string
	ConsistentRead         bool
	Segment, TotalSegments int
	ExclusiveStartKey      json.RawMessage `json:",omitempty"`
	Limit                  int             `json:",omitempty"`
	ReturnConsumedCapacity string          `json:",omitempty"`
}

// scanner reads a segment.
type scanner struct {
	*Source
	cutter cutter
	in     scanInput
	part   string
	budget *budget
	rows   int // of the largest page so far
}

func (s *scanner) run(ctx context.Context, deliver func(context.Context, change.Page) error) error {
	if s.budget.limited() {
		s.in.ReturnConsumedCapacity, s.in.Limit = "TOTAL", 25
	}
	for {
		if err := s.budget.wait(ctx); err != nil {
			return err
		}
		var page scanPage
		size := 0
		err := s.client.call(ctx, opScan, s.in, func(a answer) (err error) {
			size = len(a.body)
			page, err = s.cutter.scan(a.body, s.rows)
			return err
		})
		if err != nil {
			return err
		}
		s.rows = max(s.rows, len(page.rows))
		s.spend(&page, size)
		out := change.Page{Rows: page.rows, Mark: change.Mark{Part: s.part, After: page.last}, Bytes: size}
		if page.last == "" {
			out.Mark.After = doneMark
		}
		if err := deliver(ctx, out); err != nil {
			return err
		}
		if page.last == "" {
			return nil
		}
		s.in.ExclusiveStartKey = json.RawMessage(page.last)
	}
}

// unit is how much a read capacity unit reads consistently.
const unit = 4096

// spend takes what a page has consumed out of the budget, and makes the next one so large that the segments
// together consume about what they may in a second.
func (s *scanner) spend(page *scanPage, size int) {
	if !s.budget.limited() {
		return
	}
	units := page.units
	if units == 0 { // the endpoint does not say
		units = math.Ceil(float64(size) / unit)
	}
	s.budget.spend(units)
	if n := len(page.rows); n > 0 {
		share := s.budget.rate / float64(min(s.Segments, s.in.TotalSegments))
		s.in.Limit = int(min(max(1, share*float64(n)/units), 100_000))
	}
}

// budget gives out read capacity at a rate. What a page consumes is known only afterwards, so it is owed, and
// nobody reads while anything is.
type budget struct {
	rate float64 // units per second; 0 is any number
	now  func() time.Time

	mu   sync.Mutex
	paid time.Time // when all that is owed will be paid off
}

func newBudget(rate float64, now func() time.Time) *budget { return &budget{rate: rate, now: now} }

func (b *budget) limited() bool { return b.rate > 0 }

func (b *budget) spend(units float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); b.paid.Before(now) {
		b.paid = now
	}
	b.paid = b.paid.Add(time.Duration(units / b.rate * float64(time.Second)))
}

func (b *budget) wait(ctx context.Context) error {
	for b.limited() {
		b.mu.Lock()
		owed := b.paid.Sub(b.now())
		b.mu.Unlock()
		if owed <= 0 {
			break
		}
		if err := sleep(ctx, owed); err != nil {
			return err
		}
	}
	return ctx.Err()
}
