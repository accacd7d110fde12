package zeroetl

import (
	"context"

	"github.com/penstock-io/penstock/internal/fault"
)

// Bounds of REFRESH_INTERVAL in seconds. AWS refuses 0 for DynamoDB; here it is the default, and means that
// changes are followed as they come.
const (
	MinRefreshInterval = 900
	MaxRefreshInterval = 432_000
)

// DestinationOptions are the SET options of a destination database; nil leaves one as it is.
type DestinationOptions struct {
	QueryAllStates  *bool
	AcceptInvChars  *bool
	TruncateColumns *bool
	RefreshInterval *int
}

func (o DestinationOptions) check() error {
	if r := o.RefreshInterval; r != nil && *r != 0 && (*r < MinRefreshInterval || *r > MaxRefreshInterval) {
		return fault.New(fault.Invalid, SubjectDestination, "REFRESH_INTERVAL %d is not allowed; use 0 to follow changes as they come, or %d to %d seconds", *r, MinRefreshInterval, MaxRefreshInterval)
	}
	return nil
}

func (o DestinationOptions) apply(d *Destination) {
	set(&d.QueryAllStates, o.QueryAllStates)
	set(&d.AcceptInvChars, o.AcceptInvChars)
	set(&d.TruncateColumns, o.TruncateColumns)
	set(&d.RefreshInterval, o.RefreshInterval)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// CheckDestination says whether a database may be made from the integration: one of a table, that works and has
// none yet, in this warehouse. createdBy is the statement that wants to make it; what the same statement made
// before is no obstacle.
func (s *Service) CheckDestination(ctx context.Context, id, warehouseID, database, createdBy string, o DestinationOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	i, err := s.store.IntegrationGet(ctx, id)
	if fault.Is(err, fault.NotFound, SubjectIntegration) {
		return fault.New(fault.NotFound, SubjectIntegration, "there is no integration '%s'; its id is what stands at the end of its ARN", id)
	}
	if err != nil {
		return err
	}
	return i.admits(warehouseID, database, createdBy)
}

func (i *Integration) admits(warehouseID, database, createdBy string) error {
	switch {
	case i.WarehouseID != warehouseID:
		return fault.New(fault.Invalid, SubjectDestination, "the integration %q loads into another data warehouse; run the statement there", i.Name)
	case i.Kind != SourceDynamoDB:
		return fault.New(fault.Unsupported, SubjectDestination, "the integration %q brings files; they are loaded by a COPY job, not into a database of their own", i.Name)
	case i.Destination.Database == database && createdBy != "" && i.Destination.CreatedBy == createdBy:
		return nil
	case i.Destination.Database != "":
		return fault.New(fault.AlreadyExists, SubjectDestination, "the integration %q has the database %q already; one integration has one database", i.Name, i.Destination.Database)
	case i.Status != Active && i.Status != NeedsAttention:
		return fault.New(fault.State, SubjectDestination, "the integration %q is %s; wait until it is active", i.Name, i.Status)
	}
	return nil
}

// Connect makes database the destination of the integration. It is there already, empty.
func (s *Service) Connect(ctx context.Context, id, warehouseID, database, createdBy string, o DestinationOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	_, err := s.store.IntegrationUpdate(ctx, id, func(i *Integration) error {
		if err := i.admits(warehouseID, database, createdBy); err != nil || i.Destination.Database != "" {
			return err
		}
		i.Destination = Destination{Database: database, CreatedBy: createdBy, Created: s.now()}
		o.apply(&i.Destination)
		return nil
	})
	if err == nil {
		s.notify()
	}
	return err
}

// ByDatabase returns the integration whose destination a database is; ok is false for an ordinary database.
func (s *Service) ByDatabase(ctx context.Context, warehouseID, database string) (_ Integration, ok bool, _ error) {
	all, err := s.store.IntegrationList(ctx)
	if err != nil {
		return Integration{}, false, err
	}
	for _, i := range all {
		if i.WarehouseID == warehouseID && i.Destination.Database == database && database != "" {
			return i, true, nil
		}
	}
	return Integration{}, false, nil
}

// Configure changes options of a destination database.
func (s *Service) Configure(ctx context.Context, warehouseID, database string, o DestinationOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	return s.updateDestination(ctx, warehouseID, database, func(d *Destination) { o.apply(d) })
}

// RequestRefresh asks for the table of a destination database to be loaded again.
func (s *Service) RequestRefresh(ctx context.Context, warehouseID, database string) error {
	return s.updateDestination(ctx, warehouseID, database, func(d *Destination) { d.Refreshes++ })
}

// Refreshed reports that the first done requests for a refresh are carried out.
func (s *Service) Refreshed(ctx context.Context, id string, done int64) error {
	_, err := s.store.IntegrationUpdate(ctx, id, func(i *Integration) error {
		i.Destination.RefreshesDone = max(i.Destination.RefreshesDone, min(done, i.Destination.Refreshes))
		return nil
	})
	return err
}

// Disconnect reports that a destination database is dropped: nothing is replicated until another is made. An
// ordinary database is no error.
func (s *Service) Disconnect(ctx context.Context, warehouseID, database string) error {
	i, ok, err := s.ByDatabase(ctx, warehouseID, database)
	if err != nil || !ok {
		return err
	}
	_, err = s.store.IntegrationUpdate(ctx, i.ID, func(i *Integration) error {
		if i.Destination.Database == database {
			i.Destination = Destination{Created: i.Destination.Created} // there was one: a tag is not to make it again
		}
		return nil
	})
	if err == nil {
		s.notify()
	}
	return err
}

// Renamed reports that a destination database has another name.
func (s *Service) Renamed(ctx context.Context, warehouseID, from, to string) error {
	if _, ok, err := s.ByDatabase(ctx, warehouseID, from); err != nil || !ok {
		return err
	}
	return s.updateDestination(ctx, warehouseID, from, func(d *Destination) { d.Database = to })
}

func (s *Service) updateDestination(ctx context.Context, warehouseID, database string, change func(*Destination)) error {
	i, ok, err := s.ByDatabase(ctx, warehouseID, database)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, SubjectDestination, "the database %q was not made from an integration", database)
	}
	_, err = s.store.IntegrationUpdate(ctx, i.ID, func(i *Integration) error {
		if i.Destination.Database == database {
			change(&i.Destination)
		}
		return nil
	})
	if err == nil {
		s.notify()
	}
	return err
}
