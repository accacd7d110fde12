package appint

import (
	"context"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// WebhookSource begins the EventFilter.Source of an event integration that takes webhooks; the path of the webhook
// follows.
const WebhookSource = "app-integrations.webhooks/"

// EventIntegrationParams are the members of CreateEventIntegration.
type EventIntegrationParams struct {
	Name        string
	Description string
	Source      string
	Bus         string
	Tags        map[string]string
	ClientToken string `json:"-"`
}

// CreateEventIntegration stores an event integration. Neither its bus nor its source needs to exist.
func (s *Service) CreateEventIntegration(ctx context.Context, p EventIntegrationParams) (EventIntegration, error) {
	if err := checkTags(p.Tags); err != nil {
		return EventIntegration{}, err
	}
	token, err := tokenFor("CreateEventIntegration", p.ClientToken, p)
	if err != nil {
		return EventIntegration{}, err
	}
	e := EventIntegration{
		ARN: s.arnOf(kindEventIntegration + "/" + p.Name), Name: p.Name, Description: p.Description, Source: p.Source, Bus: p.Bus,
		Tags: p.Tags, Created: s.c.Now(),
	}
	e, _, err = s.c.Stores.EventIntegrations.Create(ctx, e, token, s.c.Quotas.EventIntegrations)
	return e, err
}

// EventIntegration returns an event integration by its name.
func (s *Service) EventIntegration(ctx context.Context, name string) (EventIntegration, error) {
	e, err := s.c.Stores.EventIntegrations.Get(ctx, name)
	return e, named(err, SubjectEventIntegration, name)
}

// EventIntegrations returns a page of event integrations, oldest first.
func (s *Service) EventIntegrations(ctx context.Context, p Page) ([]EventIntegration, string, error) {
	return paged("event-integrations", p, Query{}, in(ctx, s.c.Stores.EventIntegrations.List), func(e EventIntegration) int64 { return e.Number })
}

// Webhooks returns the event integrations whose source is the webhook path.
func (s *Service) Webhooks(ctx context.Context, path string) ([]EventIntegration, error) {
	all, err := s.c.Stores.EventIntegrations.List(ctx, Query{Limit: max(s.c.Quotas.EventIntegrations, maxResults)})
	var out []EventIntegration
	for _, e := range all {
		if rest, ok := strings.CutPrefix(e.Source, WebhookSource); ok && rest == path {
			out = append(out, e)
		}
	}
	return out, err
}

// UpdateEventIntegration changes the description, unless it is nil.
func (s *Service) UpdateEventIntegration(ctx context.Context, name string, description *string) error {
	_, err := s.c.Stores.EventIntegrations.Update(ctx, name, func(e *EventIntegration) error {
		set(&e.Description, description)
		return nil
	})
	return named(err, SubjectEventIntegration, name)
}

// DeleteEventIntegration forgets an event integration that no client is associated with.
func (s *Service) DeleteEventIntegration(ctx context.Context, name string) error {
	err := s.c.Stores.EventIntegrations.Delete(ctx, name)
	if fault.Is(err, fault.State, SubjectEventIntegration) {
		return fault.Wrap(err, fault.State, SubjectEventIntegration,
			"the event integration %q is associated with clients; delete the associations first, with DELETE on /_penstock/event-integrations/{name}/associations/{id}", name)
	}
	return named(err, SubjectEventIntegration, name)
}

// EventAssociationParams describe a client of an event integration.
type EventAssociationParams struct {
	Integration string // name
	ClientID    string
	Rule        string // empty for a name made up here
	Metadata    map[string]string
}

// CreateEventAssociation associates a client with an event integration. AWS has no public call for this.
func (s *Service) CreateEventAssociation(ctx context.Context, p EventAssociationParams) (EventAssociation, error) {
	a := EventAssociation{
		ID: s.c.NewID(), Integration: p.Integration, ClientID: p.ClientID, Rule: p.Rule, Metadata: p.Metadata, Created: s.c.Now(),
	}
	if a.Rule == "" {
		a.Rule = "app-integrations-" + a.ID
	}
	if err := checkClient(p.ClientID, p.Metadata); err != nil {
		return a, err
	}
	if len(a.Rule) > maxText {
		return a, fault.New(fault.Invalid, SubjectEventAssociation, "the name of the rule has %d characters; at most %d are allowed", len(a.Rule), maxText)
	}
	a.ARN = s.arnOf(kindEventAssociation + "/" + a.Integration + "/" + a.ID)
	a, _, err := s.c.Stores.EventAssociations.Create(ctx, a, Token{}, s.c.Quotas.AssociationsPerEvent)
	return a, named(err, SubjectEventIntegration, p.Integration)
}

// EventAssociations returns a page of the clients of an event integration, oldest first.
func (s *Service) EventAssociations(ctx context.Context, name string, p Page) ([]EventAssociation, string, error) {
	if _, err := s.EventIntegration(ctx, name); err != nil {
		return nil, "", err
	}
	return paged("event-associations", p, Query{Parent: name}, in(ctx, s.c.Stores.EventAssociations.List), func(a EventAssociation) int64 { return a.Number })
}

// DeleteEventAssociation takes a client from an event integration.
func (s *Service) DeleteEventAssociation(ctx context.Context, name, id string) error {
	a, err := s.c.Stores.EventAssociations.Get(ctx, id)
	if err == nil && a.Integration != name {
		err = elsewhere(SubjectEventAssociation, id)
	}
	if err == nil {
		err = s.c.Stores.EventAssociations.Delete(ctx, id)
	}
	return named(err, SubjectEventAssociation, id)
}

// maxText is the length of a client's ID, of a rule's name, and of a key and a value of its metadata.
const maxText = 255

// checkClient checks what the model checks of associations made by its own calls.
func checkClient(clientID string, metadata map[string]string) error {
	if clientID == "" || len(clientID) > maxText {
		return fault.New(fault.Invalid, SubjectEventAssociation, "the client's ID has %d characters; 1 to %d are allowed", len(clientID), maxText)
	}
	for k, v := range metadata {
		for _, text := range []string{k, v} {
			if strings.TrimSpace(text) == "" || len(text) > maxText {
				return fault.New(fault.Invalid, SubjectEventAssociation, "the metadata %.40q: %.40q is not allowed; keys and values have 1 to %d characters and not only spaces", k, v, maxText)
			}
		}
	}
	return nil
}
