package appint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
)

// Profiles answers for the connector profiles that sources of records are reached through.
type Profiles interface {
	// Profiles returns the names of the profiles of a vendor, which is one of Vendors.
	Profiles(vendor string) []string
}

// Quotas are how many resources there may be.
type Quotas struct {
	DataIntegrations           int
	AssociationsPerIntegration int // counts only where data integrations may be associated more than once
	EventIntegrations          int
	AssociationsPerEvent       int
	Applications               int
	AssociationsPerApplication int
}

// DefaultQuotas are AWS's, where it names one.
func DefaultQuotas() Quotas {
	return Quotas{
		DataIntegrations: 20, AssociationsPerIntegration: 10, EventIntegrations: 10, AssociationsPerEvent: 10,
		Applications: 50, AssociationsPerApplication: 100,
	}
}

// Config is what a Service needs. Every field without a stated default is required.
type Config struct {
	Partition, Region, Account string

	Stores   Stores
	Profiles Profiles
	Now      func() time.Time
	NewID    func() string // a random UUID in lower case
	Notify   func()        // called when there may be an execution to start or to cancel; must not block
	Quotas   Quotas
	// Validate returns what can be known to be wrong with a plan without asking anybody. nil for nothing.
	Validate func(Plan) error
	// Reassociate lets a data integration be associated again, and more than once. AWS allows it once, and
	// so does the default.
	Reassociate bool
	// Settle is how long after a moment everything that was modified before it can be seen. 0 is DefaultSettle, less
	// is none.
	Settle time.Duration
}

// DefaultSettle is long enough for an object that was being written to be in place.
const DefaultSettle = 2 * time.Second

// Service is the API of this domain. It is safe for concurrent use.
type Service struct{ c Config }

// NewService returns a Service over c.
func NewService(c Config) *Service {
	switch {
	case c.Settle == 0:
		c.Settle = DefaultSettle
	case c.Settle < 0:
		c.Settle = 0
	}
	return &Service{c}
}

// arnOf returns the ARN of a resource of this service.
func (s *Service) arnOf(resource string) string {
	return arn.ARN{Partition: s.c.Partition, Service: "app-integrations", Region: s.c.Region, Account: s.c.Account, Resource: resource}.String()
}

// Kinds of resources, as ARNs have them.
const (
	kindDataIntegration        = "data-integration"
	kindAssociation            = "data-integration-association"
	kindEventIntegration       = "event-integration"
	kindEventAssociation       = "event-integration-association"
	kindApplication            = "application"
	kindApplicationAssociation = "application-association"
)

// tail returns what follows the kind in an ARN of this server, and whether text is one: of this partition, region and
// account.
func (s *Service) tail(text, kind string) (string, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Partition != s.c.Partition || a.Service != "app-integrations" || a.Region != s.c.Region || a.Account != s.c.Account {
		return "", false
	}
	k, id := a.Split()
	return id, k == kind && id != ""
}

// tokenFor returns the token of an operation. params, without the token itself, is what its digest is of.
func tokenFor(operation, value string, params any) (Token, error) {
	if value == "" {
		return Token{}, nil
	}
	text, err := json.Marshal(params)
	if err != nil {
		return Token{}, err
	}
	sum := sha256.Sum256(text)
	return Token{operation, value, hex.EncodeToString(sum[:])}, nil
}

// Bounds of maxResults. The default is the upper one.
const (
	minResults = 1
	maxResults = 50
)

// Page asks for a part of a list.
type Page struct {
	Token string
	Max   *int
}

// paged asks list for one more than a page has and returns a page, with the token of the next one or none.
func paged[T any](name string, p Page, q Query, list func(Query) ([]T, error), number func(T) int64) ([]T, string, error) {
	size, err := page.Size(p.Max, minResults, maxResults)
	if err != nil {
		return nil, "", err
	}
	if p.Token != "" {
		// The parent is a part of the token, so that it does not continue another's list.
		parts, err := page.Parse(name, p.Token, 3)
		if err == nil {
			q.After, err = strconv.ParseInt(parts[0], 36, 64)
		}
		if err != nil || parts[1] != q.Parent || parts[2] != q.Type {
			return nil, "", fault.New(fault.Invalid, page.SubjectMarker, "the token %.60q is not one that this call returned for this list; start again without it", p.Token)
		}
	}
	q.Limit = size + 1
	all, err := list(q)
	if err != nil || len(all) <= size {
		return all, "", err
	}
	all = all[:size]
	return all, page.Marker(name, strconv.FormatInt(number(all[size-1]), 36), q.Parent, q.Type), nil
}

// elsewhere is the fault of an identifier that leads nowhere.
func elsewhere(subject, identifier string) error {
	return fault.New(fault.NotFound, subject, "there is no %s %q here", subject, identifier)
}

// named replaces the words of a NotFound about subject by those the caller knows the thing by.
func named(err error, subject, identifier string) error {
	if fault.Is(err, fault.NotFound, subject) {
		return elsewhere(subject, identifier)
	}
	return err
}

// in binds a store's list to a context.
func in[T any](ctx context.Context, list func(context.Context, Query) ([]T, error)) func(Query) ([]T, error) {
	return func(q Query) ([]T, error) { return list(ctx, q) }
}
