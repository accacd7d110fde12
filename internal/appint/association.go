package appint

import (
	"context"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// AssociationParams are the members of CreateDataIntegrationAssociation.
type AssociationParams struct {
	Integration    string // ID, ARN or name
	ClientID       string
	Objects        Objects
	DestinationURI string
	Metadata       map[string]string
	Run            Run
	ClientToken    string `json:"-"`
}

// CreateAssociation associates a data integration. On demand, its execution is asked for at once.
func (s *Service) CreateAssociation(ctx context.Context, p AssociationParams) (Association, DataIntegration, error) {
	d, err := s.DataIntegration(ctx, p.Integration)
	if err != nil {
		return Association{}, d, err
	}
	p.Integration = d.ID
	token, err := tokenFor("CreateDataIntegrationAssociation", p.ClientToken, p)
	if err != nil {
		return Association{}, d, err
	}
	now := s.c.Now()
	a := Association{
		ID: s.c.NewID(), IntegrationID: d.ID, ClientID: p.ClientID, Objects: p.Objects, Metadata: p.Metadata, Created: now,
		Plan: Plan{DestinationURI: p.DestinationURI},
	}
	a.ARN = s.arnOf(kindAssociation + "/" + d.ID + "/" + a.ID)
	first, err := s.configure(&a, d, p.Run, now, ByCreation)
	if err != nil {
		return Association{}, d, err
	}
	stored, created, err := s.c.Stores.Associations.Create(ctx, a, first, token, Rules{!s.c.Reassociate, s.c.Quotas.AssociationsPerIntegration})
	switch {
	case fault.Is(err, fault.State, SubjectDataIntegration):
		return Association{}, d, fault.Wrap(err, fault.State, SubjectDataIntegration,
			"the data integration %q was associated before, and a data integration is associated once; make a new data integration of the same source", d.Name)
	case err != nil:
		return Association{}, d, named(err, SubjectDataIntegration, d.ID)
	}
	if created {
		s.c.Notify()
	}
	return stored, d, nil
}

// UpdateAssociation replaces how an association runs. On demand, another execution is asked for. A schedule goes on
// where the last successful execution ended, unless its FirstExecutionFrom is a new one.
func (s *Service) UpdateAssociation(ctx context.Context, integration, association string, run Run) error {
	d, a, err := s.find(ctx, integration, association)
	if err != nil {
		return err
	}
	now := s.c.Now()
	_, err = s.c.Stores.Associations.Update(ctx, a.ID, func(a *Association) (*Execution, error) {
		return s.configure(a, d, run, now, ByUpdate)
	})
	if fault.Is(err, fault.Limit, SubjectExecution) {
		return fault.Wrap(err, fault.Throttled, SubjectExecution, "%d executions of the association are waiting already; wait until some are done", MaxWaiting)
	}
	if err != nil {
		return named(err, SubjectAssociation, association)
	}
	s.c.Notify()
	return nil
}

// configure makes a run as run says, and returns the execution that is to begin with, if any.
func (s *Service) configure(a *Association, d DataIntegration, run Run, now time.Time, by Trigger) (*Execution, error) {
	before := a.firstFrom(d)
	c := run.Schedule
	switch run.Mode {
	case OnDemand:
		if run.StartTime == "" || c.Expression != "" {
			return nil, fault.New(fault.Invalid, SubjectMode, "the execution mode ON_DEMAND takes an OnDemandConfiguration and no ScheduleConfiguration")
		}
	case Scheduled:
		if c.Expression == "" || run.StartTime != "" {
			return nil, fault.New(fault.Invalid, SubjectMode, "the execution mode SCHEDULED takes a ScheduleConfiguration and no OnDemandConfiguration")
		}
	case "":
		if c = d.Schedule; a.Plan.DestinationURI == "" {
			c.Expression = "" // a client that fetches the data itself: nothing runs
		}
	default:
		return nil, fault.New(fault.Invalid, SubjectMode, "the execution mode %q is neither ON_DEMAND nor SCHEDULED", run.Mode)
	}
	p, err := s.plan(d, a.Plan.DestinationURI, a.Objects, c, run.Mode != "" || c.Expression != "")
	if err != nil {
		return nil, err
	}
	a.Run, a.Plan = run, p
	a.Expression, a.Anchor, a.NextDue = "", time.Time{}, time.Time{}
	if c.Expression != "" {
		t, err := parseSchedule(c, now)
		if err != nil {
			return nil, err
		}
		a.Expression, a.Anchor, a.NextDue = c.Expression, t.anchor, t.next(t.first)
		if by == ByCreation || c.FirstExecutionFrom != before {
			a.Since = t.since
		}
	}
	if run.Mode != OnDemand {
		return nil, nil
	}
	from, to, err := windowOf(run.StartTime, run.EndTime, now)
	if err != nil {
		return nil, err
	}
	return s.request(a, Execution{Trigger: by, From: from, To: to}, now), nil
}

// firstFrom is the FirstExecutionFrom of the schedule that a follows.
func (a *Association) firstFrom(d DataIntegration) string {
	if a.Run.Mode == "" {
		return d.Schedule.FirstExecutionFrom
	}
	return a.Run.Schedule.FirstExecutionFrom
}

// find finds an association by its ID or ARN, and makes sure that it is of the data integration.
func (s *Service) find(ctx context.Context, integration, association string) (DataIntegration, Association, error) {
	d, err := s.DataIntegration(ctx, integration)
	if err != nil {
		return d, Association{}, err
	}
	id := association
	if tail, ok := s.tail(association, kindAssociation); ok {
		var parent string
		if parent, id, ok = strings.Cut(tail, "/"); !ok || parent != d.ID {
			return d, Association{}, elsewhere(SubjectAssociation, association)
		}
	}
	a, err := s.c.Stores.Associations.Get(ctx, id)
	if err == nil && a.IntegrationID != d.ID {
		err = elsewhere(SubjectAssociation, association)
	}
	return d, a, named(err, SubjectAssociation, association)
}

// Association returns an association of a data integration by its ID or ARN.
func (s *Service) Association(ctx context.Context, integration, association string) (Association, error) {
	_, a, err := s.find(ctx, integration, association)
	return a, err
}

// Associations returns a page of the associations of a data integration, oldest first.
func (s *Service) Associations(ctx context.Context, integration string, p Page) ([]Association, DataIntegration, string, error) {
	d, err := s.DataIntegration(ctx, integration)
	if err != nil {
		return nil, d, "", err
	}
	list, token, err := paged("associations", p, Query{Parent: d.ID}, in(ctx, s.c.Stores.Associations.List), func(a Association) int64 { return a.Number })
	return list, d, token, err
}

// DeleteAssociation forgets an association and what it did. An execution that is running is cancelled. The data
// integration stays one that was associated.
func (s *Service) DeleteAssociation(ctx context.Context, integration, association string) error {
	_, a, err := s.find(ctx, integration, association)
	if err != nil {
		return err
	}
	if err := s.c.Stores.Associations.Delete(ctx, a.ID); err != nil {
		return named(err, SubjectAssociation, association)
	}
	s.c.Notify()
	return nil
}
