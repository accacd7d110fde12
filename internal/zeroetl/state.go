package zeroetl

import (
	"context"

	"github.com/penstock-io/penstock/internal/fault"
)

// event is what can happen to an integration.
type event string

const (
	modify    event = "modified"
	remove    event = "deleted"
	activated event = "activated"
	syncing   event = "reported as syncing"
	attention event = "reported as needing attention"
	failed    event = "reported as failed"
	repaired  event = "repaired"
	removed   event = "removed"
)

// gone is the status of no integration: what removed leads to.
const gone Status = ""

// next is the table in doc.go.
func next(from Status, e event) (Status, bool) {
	switch from {
	case Creating:
		switch e {
		case activated:
			return Active, true
		case failed:
			return Failed, true
		}
	case Active, Syncing, NeedsAttention, Failed:
		switch e {
		case modify:
			return Modifying, true
		case remove:
			return Deleting, true
		case activated:
			return Active, from == Active || from == Syncing
		case syncing:
			return Syncing, from != Failed
		case attention:
			return NeedsAttention, true
		case failed:
			return Failed, true
		case repaired:
			return Active, true
		}
	case Modifying:
		switch e {
		case activated, repaired:
			return Active, true
		case attention:
			return NeedsAttention, true
		case failed:
			return Failed, true
		}
	case Deleting:
		if e == removed {
			return gone, true
		}
	}
	return from, false
}

// move applies e to i, or returns a fault of kind State.
func (i *Integration) move(e event, problems []Problem) error {
	to, ok := next(i.Status, e)
	if !ok {
		return fault.New(fault.State, SubjectIntegration,
			"the integration %s is %s and cannot be %s now; wait until its status has changed and try again", i.ARN, i.Status, e)
	}
	i.Status = to
	switch to {
	case Active, Syncing:
		i.Problems = nil
	case NeedsAttention, Failed:
		i.Problems = problems
	}
	return nil
}

// Activated reports that what creating or modifying waited for is done and the integration works.
func (s *Service) Activated(ctx context.Context, id string) error {
	return s.report(ctx, id, activated, nil)
}

// Syncing reports that a table's data is being copied: for the first time, or again. It ends with Repaired, or
// with Activated, which are the same here, or with Faulted.
func (s *Service) Syncing(ctx context.Context, id string) error {
	return s.report(ctx, id, syncing, nil)
}

// Faulted reports that the integration does not work: status is NeedsAttention when fixing the cause will
// let it go on, Failed when it will not. problems are shown to the user and say what to do.
func (s *Service) Faulted(ctx context.Context, id string, status Status, problems []Problem) error {
	switch status {
	case NeedsAttention:
		return s.report(ctx, id, attention, problems)
	case Failed:
		return s.report(ctx, id, failed, problems)
	default:
		return fault.New(fault.Internal, SubjectIntegration, "%q is not a status of a fault", status)
	}
}

// Repaired reports that what was reported by Faulted is over.
func (s *Service) Repaired(ctx context.Context, id string) error {
	return s.report(ctx, id, repaired, nil)
}

// Removed reports that everything done for a deleted integration is undone, and forgets the integration.
// One that is gone already is no error.
func (s *Service) Removed(ctx context.Context, id string) error {
	i, err := s.store.IntegrationGet(ctx, id)
	if err == nil {
		// Nothing leads out of deleting but this, so the check holds until the delete.
		if err = i.move(removed, nil); err == nil {
			err = s.store.IntegrationDelete(ctx, id)
		}
	}
	if fault.Is(err, fault.NotFound, SubjectIntegration) {
		return nil
	}
	return err
}

func (s *Service) report(ctx context.Context, id string, e event, problems []Problem) error {
	_, err := s.store.IntegrationUpdate(ctx, id, func(i *Integration) error { return i.move(e, problems) })
	return err
}
