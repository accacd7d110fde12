package action

import (
	"context"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
)

const (
	// writeEvery is how long a record of a call that changed nothing may wait to be written.
	writeEvery = time.Second
	// writeAt is how many records do not wait any longer.
	writeAt = 500
	// maxQueued is how many records are kept while the store cannot take them.
	maxQueued = 50_000
	// expireEvery is how often what is old is forgotten.
	expireEvery = 10 * time.Minute
)

// note queues the call's record. What had to be durable before the effect has been written by CallBegin.
func (c *call) note() { c.queue(c.record) }

func (s *Service) queue(r Record) {
	s.recordsMu.Lock()
	full := len(s.records) >= maxQueued
	if !full {
		s.records = append(s.records, r)
	}
	soon := len(s.records) >= writeAt
	s.recordsMu.Unlock()
	if full {
		s.Log.Error("the record of a call is lost: the store takes none and too many wait", "connector", r.ConnectorID, "action", r.ActionID, "caller", r.Caller, "outcome", r.Outcome)
	}
	if soon {
		select {
		case s.flush <- struct{}{}:
		default:
		}
	}
}

// writeRecords writes the records that wait.
func (s *Service) writeRecords(ctx context.Context) error {
	s.recordsMu.Lock()
	batch := s.records
	s.records = nil
	s.recordsMu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := s.Records.RecordsPut(ctx, batch)
	if err != nil {
		s.recordsMu.Lock()
		s.records = append(batch, s.records...)
		s.recordsMu.Unlock()
	}
	return err
}

// keepRecords writes records and forgets old ones until ctx is done, and then writes what is left.
func (s *Service) keepRecords(ctx context.Context) {
	write, expire := time.NewTicker(writeEvery), time.NewTicker(expireEvery)
	defer write.Stop()
	defer expire.Stop()
	for {
		select {
		case <-write.C:
		case <-s.flush:
		case <-expire.C:
			if err := s.Calls.CallsExpire(ctx, s.Now(), s.Now().Add(-s.KeepRecords)); err != nil && ctx.Err() == nil {
				s.Log.Error("cannot forget old records of calls", "error", err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := s.writeRecords(last); err != nil {
				s.Log.Error("records of calls are lost", "error", err)
			}
			return
		}
		if err := s.writeRecords(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot write records of calls; they are kept", "error", err)
		}
	}
}

const listRecords = "records"

// ListRecords returns a page of the records of calls, newest first, of one connector where it is given, and the
// token of the next page.
func (s *Service) ListRecords(ctx context.Context, caller identity.Caller, account, connectorID, token string, size *int) ([]Record, string, error) {
	if err := s.home(caller, account); err != nil {
		return nil, "", err
	}
	var after RecordKey
	if token != "" {
		at, err := page.Parse(listRecords, token, 2)
		if err != nil {
			return nil, "", err
		}
		nanos, err := strconv.ParseInt(at[0], 10, 64)
		if err != nil {
			return nil, "", fault.New(fault.Invalid, page.SubjectMarker, "the marker is not one that this call returned; start again without it")
		}
		after = RecordKey{time.Unix(0, nanos).UTC(), at[1]}
	}
	n, err := page.Size(size, 1, maxPage)
	if err != nil {
		return nil, "", err
	}
	if err := s.writeRecords(ctx); err != nil {
		return nil, "", err
	}
	list, err := s.Records.RecordPage(ctx, connectorID, after, n+1)
	if err != nil || len(list) <= n {
		return list, "", err
	}
	last := list[n-1]
	return list[:n], page.Marker(listRecords, strconv.FormatInt(last.Time.UnixNano(), 10), last.ID), nil
}
