package warehouses

import (
	"context"

	"github.com/penstock-io/penstock/internal/fault"
)

// event is what can happen to a warehouse.
type event string

const (
	created      event = "created"
	createFailed event = "reported as failed"
	remove       event = "deleted"
	deleted      event = "removed"
)

// gone is the state of no warehouse.
const gone State = ""

// next is the only way from one state to another.
//
//	           created    createFailed  delete    deleted
//	creating   available  failed        -         -
//	available  available  -             deleting  -
//	failed     -          failed        deleting  -
//	deleting   -          -             -         gone
func next(from State, e event) (State, bool) {
	switch {
	case from == Creating && e == created:
		return Available, true
	case from == Creating && e == createFailed:
		return Failed, true
	case from == Available && e == created, from == Failed && e == createFailed: // told twice
		return from, true
	case (from == Available || from == Failed) && e == remove:
		return Deleting, true
	case from == Deleting && e == deleted:
		return gone, true
	}
	return from, false
}

// move applies e to w, or returns a fault of kind State about subject, which name names.
func (w *Warehouse) move(e event, subject, name string) error {
	to, ok := next(w.State, e)
	if !ok {
		return fault.New(fault.State, subject, "the %s %q is %s and cannot be %s now; wait until that has changed and try again", subject, name, w.State, e)
	}
	w.State = to
	return nil
}

// Created reports that a warehouse is ready for use.
func (s *Service) Created(ctx context.Context, id string) error {
	_, err := s.c.Warehouses.WarehouseUpdate(ctx, id, func(w *Warehouse) error {
		return w.move(created, SubjectWarehouse, id)
	})
	return err
}

// CreateFailed reports that a warehouse cannot be made; reason is shown to the user and says what to do.
func (s *Service) CreateFailed(ctx context.Context, id, reason string) error {
	_, err := s.c.Warehouses.WarehouseUpdate(ctx, id, func(w *Warehouse) error {
		w.Error = reason
		return w.move(createFailed, SubjectWarehouse, id)
	})
	return err
}

// Deleted reports that nothing is left of a warehouse being deleted, and forgets it with its names and
// partners. One that is gone already is no error.
func (s *Service) Deleted(ctx context.Context, id string) error {
	w, err := s.c.Warehouses.WarehouseGet(ctx, id)
	if err == nil {
		// Nothing leads out of Deleting but this, so the check holds until the delete.
		if err = w.move(deleted, SubjectWarehouse, id); err == nil {
			err = s.c.Warehouses.WarehouseDelete(ctx, id)
		}
	}
	if fault.Is(err, fault.NotFound, SubjectWarehouse) {
		return nil
	}
	return err
}
