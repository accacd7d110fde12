package appint

import (
	"context"

	"github.com/penstock-io/penstock/internal/fault"
)

// DataIntegrationParams are the members of CreateDataIntegration.
type DataIntegrationParams struct {
	Name        string
	Description string
	KMSKey      string
	SourceURI   string
	Schedule    Schedule
	Files       Files
	Objects     Objects
	Tags        map[string]string
	ClientToken string `json:"-"` // what else was given is what its digest is of
}

// CreateDataIntegration stores a data integration. What can be known to be wrong with its source and its schedule is
// Invalid.
func (s *Service) CreateDataIntegration(ctx context.Context, p DataIntegrationParams) (DataIntegration, error) {
	if err := s.checkDataIntegration(p); err != nil {
		return DataIntegration{}, err
	}
	token, err := tokenFor("CreateDataIntegration", p.ClientToken, p)
	if err != nil {
		return DataIntegration{}, err
	}
	d := DataIntegration{
		ID: s.c.NewID(), Name: p.Name, Description: p.Description, KMSKey: p.KMSKey, SourceURI: p.SourceURI,
		Schedule: p.Schedule, Files: p.Files, Objects: p.Objects, Tags: p.Tags, Created: s.c.Now(),
	}
	d.ARN = s.arnOf(kindDataIntegration + "/" + d.ID)
	d, _, err = s.c.Stores.DataIntegrations.Create(ctx, d, token, s.c.Quotas.DataIntegrations)
	return d, err
}

func (s *Service) checkDataIntegration(p DataIntegrationParams) error {
	if err := checkKey(p.KMSKey); err != nil {
		return err
	}
	if p.SourceURI != "" {
		if err := s.checkSource(p.SourceURI); err != nil {
			return err
		}
	}
	if p.Schedule.Expression != "" {
		if _, err := parseSchedule(p.Schedule, s.c.Now()); err != nil {
			return err
		}
	}
	return checkTags(p.Tags)
}

// DataIntegration returns a data integration by its ID, ARN or name.
func (s *Service) DataIntegration(ctx context.Context, identifier string) (DataIntegration, error) {
	key := identifier
	if id, ok := s.tail(identifier, kindDataIntegration); ok {
		key = id
	}
	d, err := s.c.Stores.DataIntegrations.Get(ctx, key)
	return d, named(err, SubjectDataIntegration, identifier)
}

// DataIntegrations returns a page of data integrations, oldest first.
func (s *Service) DataIntegrations(ctx context.Context, p Page) ([]DataIntegration, string, error) {
	return paged("data-integrations", p, Query{}, in(ctx, s.c.Stores.DataIntegrations.List), func(d DataIntegration) int64 { return d.Number })
}

// UpdateDataIntegration changes the name or the description. What is nil stays.
func (s *Service) UpdateDataIntegration(ctx context.Context, identifier string, name, description *string) error {
	d, err := s.DataIntegration(ctx, identifier)
	if err != nil {
		return err
	}
	_, err = s.c.Stores.DataIntegrations.Update(ctx, d.ID, func(d *DataIntegration) error {
		set(&d.Name, name)
		set(&d.Description, description)
		return nil
	})
	return named(err, SubjectDataIntegration, identifier)
}

// DeleteDataIntegration forgets a data integration without associations.
func (s *Service) DeleteDataIntegration(ctx context.Context, identifier string) error {
	d, err := s.DataIntegration(ctx, identifier)
	if err != nil {
		return err
	}
	err = s.c.Stores.DataIntegrations.Delete(ctx, d.ID)
	if fault.Is(err, fault.State, SubjectDataIntegration) {
		return fault.Wrap(err, fault.State, SubjectDataIntegration,
			"the data integration %q has associations; delete them first, with DELETE on /_penstock/data-integrations/%s/associations/{id}", d.Name, d.ID)
	}
	return named(err, SubjectDataIntegration, identifier)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}
