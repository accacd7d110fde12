package action

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// Usable is a connector that a caller may use, with its actions.
type Usable struct {
	Connector Connector
	Actions   []Action
	Err       error // why the actions are not known; nil otherwise
}

const (
	// usablePage is how many connectors are read at once, and usableAtOnce how many remote servers are asked for their
	// actions at the same time. All of these together have CheckTime.
	usablePage   = 1000
	usableAtOnce = 16
)

// EachUsable calls do for every connector that a caller may use and that works, in the order of their ids. A connector
// whose actions cannot be listed does not keep the others from it (invariant 7).
func (s *Service) EachUsable(ctx context.Context, caller identity.Caller, account string, do func(Usable)) error {
	if err := s.home(caller, account); err != nil {
		return err
	}
	filter := Filter{}
	if isQuickSight(caller.ARN) {
		filter = Filter{By: ByViewer, Value: caller.ARN}
	}
	asking, cancel := context.WithTimeout(ctx, s.CheckTime)
	defer cancel()
	for after := ""; ; {
		list, err := s.store.ConnectorPage(ctx, filter, after, usablePage)
		if err != nil {
			return err
		}
		page, err := s.usable(asking, caller, list)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for n := range page {
			do(page[n])
		}
		if len(list) < usablePage {
			return nil
		}
		after = list[len(list)-1].ID
	}
}

// usable finds the actions of connectors. Only those of remote servers take long: these are asked at the same time.
func (s *Service) usable(ctx context.Context, caller identity.Caller, list []Connector) ([]Usable, error) {
	out := make([]Usable, 0, len(list))
	for n := range list {
		c := &list[n]
		user, err := s.mayUse(caller, c, "")
		if err != nil || c.Status.Failed() {
			continue
		}
		u := Usable{Connector: *c}
		var document Document
		if c.Type == GenericHTTP {
			document, err = s.Documents.DocumentGet(context.WithoutCancel(ctx), c.ID)
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return nil, err
			}
		}
		if c.Type != ModelContextProtocol {
			u.Actions, u.Err = s.actions(ctx, c, document, user)
		}
		out = append(out, u)
	}
	var group sync.WaitGroup
	turn := make(chan struct{}, usableAtOnce)
	for n := range out {
		u := &out[n]
		if u.Connector.Type != ModelContextProtocol {
			continue
		}
		turn <- struct{}{}
		group.Go(func() {
			u.Actions, u.Err = s.actions(ctx, &u.Connector, Document{}, caller.ARN)
			<-turn
		})
	}
	group.Wait()
	return out, nil
}
