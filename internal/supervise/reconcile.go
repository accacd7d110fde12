package supervise

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Codes of the problems integrations show. They are stable: programs may look at them.
const (
	ProblemSourceMissing      = "SOURCE_NOT_FOUND"
	ProblemSourceUnreachable  = "SOURCE_UNREACHABLE"
	ProblemSourceDenied       = "SOURCE_ACCESS_DENIED"
	ProblemNotificationAbsent = "SOURCE_NOTIFICATION_REMOVED"
	ProblemTargetMissing      = "TARGET_NOT_FOUND"
	ProblemTarget             = "TARGET_UNAVAILABLE"
	ProblemStream             = "SOURCE_STREAM_UNUSABLE"
	ProblemTable              = "TABLE_FAILED"
	ProblemDatabase           = "DESTINATION_DATABASE_FAILED"
	ProblemInternal           = "INTERNAL_ERROR"
)

func (s *Supervisor) reconcileWarehouses(ctx context.Context) error {
	all, err := s.Warehouses.All(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range all {
		switch w.State {
		case warehouses.Creating:
			err := s.Engines.Create(ctx, w)
			switch {
			case err == nil:
				err = s.Warehouses.Created(ctx, w.ID)
				s.Log.Info("warehouse is available", "warehouse", w.ID, "engine", w.Engine)
			case !fault.Retryable(err) && ctx.Err() == nil:
				s.Log.Error("warehouse cannot be made", "warehouse", w.ID, "err", err)
				err = s.Warehouses.CreateFailed(ctx, w.ID, fault.Message(err))
			}
			errs = append(errs, err)
		case warehouses.Deleting:
			s.stop(func(r *runner) bool { return r.job.WarehouseID == w.ID })
			for _, r := range s.Replications() {
				if r.Integration.WarehouseID == w.ID {
					s.stopReplicator(r.Integration.ID)
				}
			}
			err := s.Jobs.DropAll(ctx, w.ID)
			if err == nil {
				err = s.Engines.Remove(ctx, w.ID)
			}
			if err == nil {
				err = s.Warehouses.Deleted(ctx, w.ID)
				s.Log.Info("warehouse is gone", "warehouse", w.ID)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Supervisor) reconcileIntegrations(ctx context.Context) error {
	all, err := s.Integrations.All(ctx)
	if err != nil {
		return err
	}
	targets, err := s.availableWarehouses(ctx)
	if err != nil {
		return err
	}
	var errs []error
	wanted := map[string]bool{}
	for _, i := range all {
		wanted[i.ID] = true
		reconcile := s.reconcileIntegration
		if i.Kind == zeroetl.SourceDynamoDB {
			reconcile = s.reconcileTable
		}
		if err := reconcile(ctx, i, targets[i.WarehouseID]); err != nil {
			errs = append(errs, fmt.Errorf("integration %s: %w", i.Name, err))
		}
	}
	for _, r := range s.Replications() {
		if !wanted[r.Integration.ID] {
			s.stopReplicator(r.Integration.ID)
		}
	}
	return errors.Join(errs...)
}

func (s *Supervisor) availableWarehouses(ctx context.Context) (map[string]bool, error) {
	all, err := s.Warehouses.All(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]bool, len(all))
	for _, w := range all {
		ids[w.ID] = w.State == warehouses.Available
	}
	return ids, nil
}

func (s *Supervisor) reconcileIntegration(ctx context.Context, i zeroetl.Integration, target bool) error {
	bucket := bucketOf(i)
	switch i.Status {
	case zeroetl.Creating:
		err := s.Channels.Open(ctx, bucket, i.ID)
		switch {
		case err == nil:
			s.Log.Info("integration is active", "integration", i.Name, "source", i.SourceARN, "warehouse", i.WarehouseID)
			return s.Integrations.Activated(ctx, i.ID)
		case fault.Retryable(err) || ctx.Err() != nil:
			return err
		}
		p := problem(bucket, err)
		s.Log.Warn("integration failed", "integration", i.Name, "code", p.Code, "reason", p.Message, "err", err)
		return s.Integrations.Faulted(ctx, i.ID, zeroetl.Failed, []zeroetl.Problem{p})
	case zeroetl.Modifying:
		return s.Integrations.Activated(ctx, i.ID)
	case zeroetl.Deleting:
		// An endpoint that is down must not keep an integration from going: what is left behind is a notification
		// entry that leads nowhere.
		if err := s.Channels.Close(ctx, bucket, i.ID); err != nil && ctx.Err() == nil {
			s.Log.Warn("the bucket's notification could not be removed", "integration", i.Name, "bucket", bucket, "err", err)
		}
		s.Log.Info("integration is gone", "integration", i.Name)
		return s.Integrations.Removed(ctx, i.ID)
	case zeroetl.Active, zeroetl.NeedsAttention:
		return s.inspect(ctx, i, bucket, target)
	}
	return nil
}

// inspect looks at a working integration's surroundings and reports what has changed.
func (s *Supervisor) inspect(ctx context.Context, i zeroetl.Integration, bucket string, target bool) error {
	var found []zeroetl.Problem
	if !target {
		found = append(found, zeroetl.Problem{Code: ProblemTargetMissing, Message: fmt.Sprintf("The target warehouse %s is gone or not available. Delete the integration.", i.TargetARN)})
	}
	err := s.Channels.Check(ctx, bucket, i.ID)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fault.Is(err, fault.NotFound, "notification") && i.Status == zeroetl.NeedsAttention && !hasProblem(i, ProblemNotificationAbsent) {
		// The bucket was away and is back without our entry: it was made anew, so we join it anew. An entry that was
		// removed from a bucket that never went away is its owner's wish and stays removed.
		err = s.Channels.Open(ctx, bucket, i.ID)
	}
	if err != nil {
		found = append(found, problem(bucket, err))
	}
	switch {
	case len(found) > 0 && !sameProblems(found, i.Problems):
		s.Log.Warn("integration needs attention", "integration", i.Name, "code", found[0].Code, "reason", found[0].Message)
		return s.Integrations.Faulted(ctx, i.ID, zeroetl.NeedsAttention, found)
	case len(found) == 0 && i.Status == zeroetl.NeedsAttention:
		s.Log.Info("integration is active again", "integration", i.Name)
		return s.Integrations.Repaired(ctx, i.ID)
	}
	return nil
}

func hasProblem(i zeroetl.Integration, code string) bool {
	for _, p := range i.Problems {
		if p.Code == code {
			return true
		}
	}
	return false
}

func sameProblems(a, b []zeroetl.Problem) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// problem puts an error of the source into words for Errors[].
func problem(bucket string, err error) zeroetl.Problem {
	switch {
	case fault.Is(err, fault.NotFound, "bucket"):
		return zeroetl.Problem{Code: ProblemSourceMissing, Message: fmt.Sprintf("The bucket %s does not exist. Make it again, or delete the integration.", bucket)}
	case fault.Is(err, fault.NotFound, "notification"):
		return zeroetl.Problem{Code: ProblemNotificationAbsent, Message: fmt.Sprintf("The event notification of this integration was removed from bucket %s, so new files are not loaded. Put it back with put-bucket-notification-configuration, or delete the integration and create it again.", bucket)}
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Throttled:
		return zeroetl.Problem{Code: ProblemSourceUnreachable, Message: fmt.Sprintf("The bucket %s cannot be reached: %s. It is tried again by itself.", bucket, fault.Message(err))}
	case fault.Denied:
		return zeroetl.Problem{Code: ProblemSourceDenied, Message: fmt.Sprintf("Access to bucket %s was refused: %s. Check the credentials of the source endpoint.", bucket, fault.Message(err))}
	}
	return zeroetl.Problem{Code: ProblemInternal, Message: fault.Message(err)}
}
