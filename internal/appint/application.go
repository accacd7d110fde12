package appint

import (
	"context"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// ApplicationParams are the members of CreateApplication.
type ApplicationParams struct {
	Name            string
	Namespace       string
	Description     string
	AccessURL       string
	Origins         []string
	Subscriptions   []Subscription
	Publications    []Publication
	Permissions     []string
	IsService       *bool
	Timeout         int
	ContactHandling string
	IframeAllow     []string
	IframeSandbox   []string
	Type            ApplicationType // empty for what IsService says
	Tags            map[string]string
	ClientToken     string `json:"-"`
}

// CreateApplication stores an application.
func (s *Service) CreateApplication(ctx context.Context, p ApplicationParams) (Application, error) {
	if err := checkTags(p.Tags); err != nil {
		return Application{}, err
	}
	now := s.c.Now()
	a := Application{
		ID: s.c.NewID(), Name: p.Name, Namespace: p.Namespace, Description: p.Description, AccessURL: p.AccessURL, Origins: p.Origins,
		Subscriptions: p.Subscriptions, Publications: p.Publications, Permissions: p.Permissions, Timeout: p.Timeout,
		ContactHandling: p.ContactHandling, IframeAllow: p.IframeAllow, IframeSandbox: p.IframeSandbox, Tags: p.Tags, Created: now, Modified: now,
	}
	var err error
	if a.Type, err = typeOf(p.Type, p.IsService); err != nil {
		return a, err
	}
	a.IsService = a.Type == Background
	if err := a.check(); err != nil {
		return a, err
	}
	a.ARN = s.arnOf(kindApplication + "/" + a.ID)
	token, err := tokenFor("CreateApplication", p.ClientToken, p)
	if err != nil {
		return a, err
	}
	a, _, err = s.c.Stores.Applications.Create(ctx, a, token, s.c.Quotas.Applications)
	return a, err
}

// typeOf reconciles the type with the older flag: a service is an application of the type SERVICE, and the other way
// round.
func typeOf(t ApplicationType, isService *bool) (ApplicationType, error) {
	service := isService != nil && *isService
	switch {
	case t == "" && service:
		return Background, nil
	case t == "":
		return Standard, nil
	case service && t != Background:
		return t, fault.New(fault.Unsupported, SubjectType, "an application of the type %s does not run as a service; leave IsService out, or choose the type SERVICE", t)
	case isService != nil && !service && t == Background:
		return t, fault.New(fault.Unsupported, SubjectType, "an application of the type SERVICE runs as a service; leave IsService out, or let it be true")
	}
	return t, nil
}

// check checks what the model does not.
func (a *Application) check() error {
	if a.AccessURL == "" {
		return fault.New(fault.Invalid, SubjectApplication, "the application %q has no access URL; give one in ApplicationSourceConfig.ExternalUrlConfig", a.Name)
	}
	scheme, _, _ := strings.Cut(strings.ToLower(a.AccessURL), "://")
	if a.Type == MCPServer && scheme != "https" && scheme != "http" {
		return fault.New(fault.Invalid, SubjectApplication, "the MCP server %q has the access URL %.80q; tools are called over http or https", a.Name, a.AccessURL)
	}
	return nil
}

// latest is the only version of an application that there is.
const latest = ":$LATEST"

// withoutVersion takes the version from an ID or an ARN.
func withoutVersion(identifier string) string { return strings.TrimSuffix(identifier, latest) }

// Application returns an application by its ID or ARN, either with or without the version $LATEST.
func (s *Service) Application(ctx context.Context, identifier string) (Application, error) {
	key := withoutVersion(identifier)
	if id, ok := s.tail(key, kindApplication); ok {
		key = id
	}
	a, err := s.c.Stores.Applications.Get(ctx, key)
	return a, named(err, SubjectApplication, identifier)
}

// Applications returns a page of applications, oldest first, of one type unless that is empty.
func (s *Service) Applications(ctx context.Context, t ApplicationType, p Page) ([]Application, string, error) {
	return paged("applications", p, Query{Type: string(t)}, in(ctx, s.c.Stores.Applications.List), func(a Application) int64 { return a.Number })
}

// ApplicationChange are the members of UpdateApplication. What is nil stays.
type ApplicationChange struct {
	Name            *string
	Description     *string
	Source          *ApplicationSource
	Subscriptions   *[]Subscription
	Publications    *[]Publication
	Permissions     *[]string
	IsService       *bool
	Timeout         *int
	ContactHandling *string
	Iframe          *Iframe
	Type            *ApplicationType
}

// ApplicationSource is where an application is.
type ApplicationSource struct {
	AccessURL string
	Origins   []string
}

// Iframe is what the frame of an application may do.
type Iframe struct{ Allow, Sandbox []string }

// UpdateApplication changes an application. Its type does not change.
func (s *Service) UpdateApplication(ctx context.Context, identifier string, c ApplicationChange) error {
	a, err := s.Application(ctx, identifier)
	if err != nil {
		return err
	}
	now := s.c.Now()
	_, err = s.c.Stores.Applications.Update(ctx, a.ID, func(a *Application) error {
		if err := a.sameType(c); err != nil {
			return err
		}
		set(&a.Name, c.Name)
		set(&a.Description, c.Description)
		if c.Source != nil {
			a.AccessURL, a.Origins = c.Source.AccessURL, c.Source.Origins
		}
		set(&a.Subscriptions, c.Subscriptions)
		set(&a.Publications, c.Publications)
		set(&a.Permissions, c.Permissions)
		set(&a.Timeout, c.Timeout)
		set(&a.ContactHandling, c.ContactHandling)
		if c.Iframe != nil {
			a.IframeAllow, a.IframeSandbox = c.Iframe.Allow, c.Iframe.Sandbox
		}
		a.Modified = now
		return a.check()
	})
	return named(err, SubjectApplication, identifier)
}

func (a *Application) sameType(c ApplicationChange) error {
	if c.Type != nil && *c.Type != a.Type || c.IsService != nil && *c.IsService != a.IsService {
		return fault.New(fault.Unsupported, SubjectType, "the application %q is of the type %s, and the type of an application does not change; create another application", a.Name, a.Type)
	}
	return nil
}

// DeleteApplication forgets an application that no client is associated with.
func (s *Service) DeleteApplication(ctx context.Context, identifier string) error {
	a, err := s.Application(ctx, identifier)
	if err != nil {
		return err
	}
	err = s.c.Stores.Applications.Delete(ctx, a.ID)
	if fault.Is(err, fault.State, SubjectApplication) {
		return fault.Wrap(err, fault.State, SubjectApplication,
			"the application %q is associated with clients; delete the associations first, with DELETE on /_penstock/applications/%s/associations/{id}", a.Name, a.ID)
	}
	return named(err, SubjectApplication, identifier)
}

// CreateApplicationAssociation associates a client with an application. AWS has no public call for this.
func (s *Service) CreateApplicationAssociation(ctx context.Context, identifier, clientID string) (ApplicationAssociation, error) {
	if err := checkClient(clientID, nil); err != nil {
		return ApplicationAssociation{}, err
	}
	of, err := s.Application(ctx, identifier)
	if err != nil {
		return ApplicationAssociation{}, err
	}
	a := ApplicationAssociation{ID: s.c.NewID(), ApplicationID: of.ID, ClientID: clientID, Created: s.c.Now()}
	a.ARN = s.arnOf(kindApplicationAssociation + "/" + of.ID + "/" + a.ID)
	a, _, err = s.c.Stores.ApplicationAssociations.Create(ctx, a, Token{}, s.c.Quotas.AssociationsPerApplication)
	return a, named(err, SubjectApplication, identifier)
}

// ApplicationAssociations returns a page of the clients of an application, oldest first.
func (s *Service) ApplicationAssociations(ctx context.Context, identifier string, p Page) ([]ApplicationAssociation, Application, string, error) {
	of, err := s.Application(ctx, identifier)
	if err != nil {
		return nil, of, "", err
	}
	list, token, err := paged("application-associations", p, Query{Parent: of.ID}, in(ctx, s.c.Stores.ApplicationAssociations.List), func(a ApplicationAssociation) int64 { return a.Number })
	return list, of, token, err
}

// DeleteApplicationAssociation takes a client from an application.
func (s *Service) DeleteApplicationAssociation(ctx context.Context, identifier, id string) error {
	of, err := s.Application(ctx, identifier)
	if err != nil {
		return err
	}
	a, err := s.c.Stores.ApplicationAssociations.Get(ctx, id)
	if err == nil && a.ApplicationID != of.ID {
		err = elsewhere(SubjectApplicationAssociation, id)
	}
	if err == nil {
		err = s.c.Stores.ApplicationAssociations.Delete(ctx, id)
	}
	return named(err, SubjectApplicationAssociation, id)
}
