package action

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/action/oauth"
	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// Egress is the way out of this server.
type Egress interface {
	// Client returns the client for requests of connectors with this VPC connection, "" for none. It refuses to go
	// where the server's configuration does not let it.
	Client(vpcConnectionARN string) (*http.Client, error)
}

// Stores are where a Service keeps things. Every field is required.
type Stores struct {
	Connectors Store
	VPCs       VPCStore
	Grants     GrantStore
	SignIns    SignInStore
	Documents  DocumentStore
	Calls      CallStore
	Records    RecordStore
	Approvals  ApprovalStore
}

// Config is what a Service needs. Every field is required but those that say otherwise.
type Config struct {
	Stores
	Partition, Region, Account string
	Box                        *secret.Box
	Egress                     Egress
	Checker                    Checker // tries credentials; nil: there is nothing to try them on
	Checks                     CheckMode
	CheckTime                  time.Duration // how long a check may take, and a list of all tools of remote servers; 0 is 5 s
	Invoker                    Invoker       // makes calls; nil: no type has actions
	PublicURL                  string        // where browsers reach this server, https://penstock.example.com; "" refuses sign-ins
	ApproveWrites              bool          // calls that write wait for approval, unless TagApproval says otherwise
	KeepRecords                time.Duration // how long records of calls are kept; 0 is 90 days
	Observe                    func(Record)  // called with every call that has ended; may be nil
	Changed                    func()        // called when what can be called may have changed; must not block; may be nil
	Now                        func() time.Time
	NewID                      func() string
	Log                        *slog.Logger
}

// Service is the API of this domain. It is safe for concurrent use. Run does what goes on beside the calls.
type Service struct {
	Config
	store  Store
	keeper *oauth.Keeper
	wake   chan struct{}

	known callees

	recordsMu sync.Mutex
	records   []Record // to be written by Run
	flush     chan struct{}
}

// NewService returns a Service over c.
func NewService(c Config) *Service {
	if c.CheckTime == 0 {
		c.CheckTime = 5 * time.Second
	}
	if c.KeepRecords == 0 {
		c.KeepRecords = 90 * 24 * time.Hour
	}
	if c.Observe == nil {
		c.Observe = func(Record) {}
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Invoker == nil {
		c.Invoker = noActions{}
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return &Service{Config: c, store: c.Connectors, keeper: oauth.NewKeeper(c.Now), wake: make(chan struct{}, 1), flush: make(chan struct{}, 1)}
}

// Settings are what Create and Update have in common: everything that an update replaces.
type Settings struct {
	Name             string
	Description      string
	Auth             Auth
	Secret           secret.Text // the password, the API key or the client's secret
	VPCConnectionARN string
	EnabledActions   *[]string // nil: every action, or after an update those it was before
}

// CreateParams are the members of CreateActionConnector.
type CreateParams struct {
	Settings
	ID          string
	Type        Type
	Permissions []Permission
	Tags        []tag.Tag
}

// Create stores a new connector. Its status is in progress while Run tries its credentials.
func (s *Service) Create(ctx context.Context, caller identity.Caller, account string, p CreateParams) (Connector, error) {
	if err := s.home(caller, account); err != nil {
		return Connector{}, err
	}
	if strings.HasPrefix(p.ID, "quicksuite-") {
		return Connector{}, fault.New(fault.Invalid, SubjectConnector, "the id %q begins with \"quicksuite-\", which is reserved; choose another", p.ID)
	}
	tags, err := tag.Set(nil, p.Tags)
	if err != nil {
		return Connector{}, err
	}
	permissions, err := merge(caller, nil, p.Permissions)
	if err != nil {
		return Connector{}, err
	}
	now := s.Now()
	c := Connector{
		ID: p.ID, Type: p.Type, Permissions: permissions, Tags: tags, Owner: caller.Owner(), Created: now,
		ARN: s.arn("action-connector/" + p.ID),
	}
	if err := checkTags(c.Tags); err != nil {
		return Connector{}, err
	}
	if err := s.apply(ctx, &c, p.Settings, CreationInProgress, now); err != nil {
		return Connector{}, err
	}
	if err := s.store.ConnectorCreate(ctx, c); err != nil {
		return Connector{}, err
	}
	s.awaken(&c)
	s.changed(c.ID)
	return c, nil
}

// Update replaces the settings of a connector.
func (s *Service) Update(ctx context.Context, caller identity.Caller, account, id string, p Settings) (Connector, error) {
	if err := s.home(caller, account); err != nil {
		return Connector{}, err
	}
	// What needs other stores is looked at first: change runs in a transaction.
	trial, err := s.get(ctx, id)
	if err != nil {
		return Connector{}, err
	}
	now := s.Now()
	if err := s.apply(ctx, &trial, p, UpdateInProgress, now); err != nil {
		return Connector{}, err
	}
	c, err := s.store.ConnectorUpdate(ctx, id, func(c *Connector) error {
		restricted, enabled := c.Restricted, c.EnabledActions
		s.replace(c, p, UpdateInProgress, now)
		if p.EnabledActions == nil {
			c.Restricted, c.EnabledActions = restricted, enabled
		}
		return nil
	})
	if err != nil {
		return Connector{}, err
	}
	s.awaken(&c)
	s.changed(c.ID)
	return c, nil
}

// apply checks p against c's type and lays it over c.
func (s *Service) apply(ctx context.Context, c *Connector, p Settings, status Status, now time.Time) error {
	if err := checkAuth(c.Type, p.Auth); err != nil {
		return err
	}
	if err := checkEnabled(p.EnabledActions); err != nil {
		return err
	}
	if p.VPCConnectionARN != "" {
		if _, err := s.vpcByARN(ctx, p.VPCConnectionARN); fault.KindOf(err) == fault.NotFound {
			return fault.Wrap(err, fault.Invalid, SubjectVPC, "there is no VPC connection %s; make it with CreateVPCConnection first", p.VPCConnectionARN)
		} else if err != nil {
			return err
		}
	}
	s.replace(c, p, status, now)
	return nil
}

// replace lays settings that have been checked over c.
func (s *Service) replace(c *Connector, p Settings, status Status, now time.Time) {
	c.Name, c.Description, c.Auth, c.VPCConnectionARN = p.Name, p.Description, p.Auth, p.VPCConnectionARN
	c.Secret = nil
	if !p.Secret.Empty() {
		c.Secret = s.Box.Seal(purpose(c.ID), p.Secret)
	}
	c.Restricted, c.EnabledActions = p.EnabledActions != nil, nil
	if p.EnabledActions != nil {
		c.EnabledActions = slices.Clone(*p.EnabledActions)
	}
	c.Status, c.Error, c.Unverified, c.Updated = status, "", "", now
	c.Revision++
	if !s.tries(c) {
		c.Status = accepted(status)
	}
}

// purpose binds a connector's sealed secret to it.
func purpose(id string) string { return "action-connector/" + id }

// secret opens c's secret.
func (s *Service) secret(c *Connector) (secret.Text, error) {
	if len(c.Secret) == 0 {
		return secret.Text{}, nil
	}
	t, err := s.Box.Open(purpose(c.ID), c.Secret)
	if err != nil {
		return t, fault.Wrap(err, fault.Internal, SubjectAuth, "the secret of the action connector %q cannot be opened; is seal.key another than when it was stored?", c.ID)
	}
	return t, nil
}

// Get returns a connector.
func (s *Service) Get(ctx context.Context, caller identity.Caller, account, id string) (Connector, error) {
	if err := s.home(caller, account); err != nil {
		return Connector{}, err
	}
	return s.get(ctx, id)
}

func (s *Service) get(ctx context.Context, id string) (Connector, error) {
	return s.store.ConnectorGet(ctx, id)
}

// Delete forgets a connector and everything signed in to it, and returns what it was.
func (s *Service) Delete(ctx context.Context, caller identity.Caller, account, id string) (Connector, error) {
	c, err := s.Get(ctx, caller, account, id)
	if err != nil {
		return Connector{}, err
	}
	defer s.changed(id)
	return c, s.store.ConnectorDelete(ctx, id)
}

const (
	listConnectors   = "connectors"
	searchConnectors = "connector search"
	maxPage          = 100
)

// List returns a page of all connectors, in the order of their ids, and the token of the next page.
func (s *Service) List(ctx context.Context, caller identity.Caller, account, token string, size *int) ([]Connector, string, error) {
	if err := s.home(caller, account); err != nil {
		return nil, "", err
	}
	return s.page(ctx, Filter{}, listConnectors, token, size)
}

// Search is List of the connectors that match f.
func (s *Service) Search(ctx context.Context, caller identity.Caller, account string, f Filter, token string, size *int) ([]Connector, string, error) {
	if err := s.home(caller, account); err != nil {
		return nil, "", err
	}
	switch f.By {
	case ByViewer, ByOwner, BySoleOwner:
		if f.Like {
			return nil, "", fault.New(fault.Invalid, SubjectFilter, "a search by owner or viewer takes the operator StringEquals and the ARN of a user or group")
		}
	}
	// The token says what was searched for: it must not continue another search.
	name := searchConnectors
	if f.By != Any {
		name += " " + digest(string(rune('0'+f.By)), f.Value, map[bool]string{true: "like"}[f.Like])
	}
	if size != nil && *size == 0 {
		size = nil
	}
	return s.page(ctx, f, name, token, size)
}

// after is what a page of a list comes after, by its token.
func after(list, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	at, err := page.Parse(list, token, 1)
	if err != nil {
		return "", err
	}
	return at[0], nil
}

func (s *Service) page(ctx context.Context, f Filter, name, token string, size *int) ([]Connector, string, error) {
	after, err := after(name, token)
	if err != nil {
		return nil, "", err
	}
	n, err := page.Size(size, 1, maxPage)
	if err != nil {
		return nil, "", err
	}
	list, err := s.store.ConnectorPage(ctx, f, after, n+1)
	if err != nil || len(list) <= n {
		return list, "", err
	}
	return list[:n], page.Marker(name, list[n-1].ID), nil
}

// home is Denied for another account than the server's, as on AWS.
func (s *Service) home(caller identity.Caller, account string) error {
	if account != caller.Account {
		return fault.New(fault.Denied, SubjectAccount, "%s is not authorized to use the account %s; this server is the account %s", caller.ARN, account, caller.Account)
	}
	return nil
}

func (s *Service) arn(resource string) string {
	return arn.ARN{Partition: s.Partition, Service: "quicksight", Region: s.Region, Account: s.Account, Resource: resource}.String()
}

var enabledForm = regexp.MustCompile(`^[\w@:_.,!?+\-/]{1,256}$`)

func checkEnabled(list *[]string) error {
	if list == nil {
		return nil
	}
	if len(*list) > MaxEnabled {
		return fault.New(fault.Invalid, SubjectAction, "%d actions are enabled; at most %d can be", len(*list), MaxEnabled)
	}
	for n, id := range *list {
		if !enabledForm.MatchString(id) {
			return fault.New(fault.Invalid, SubjectAction, "%.80q is not an action's id", id)
		}
		if slices.Contains((*list)[:n], id) {
			return fault.New(fault.Invalid, SubjectAction, "the action %q is enabled twice; name it once", id)
		}
	}
	return nil
}

// checkTags refuses values of our own tags that mean nothing.
func checkTags(tags map[string]string) error {
	known := map[string][]string{ // without values: any
		TagIdentity: {"user", "shared"}, TagApproval: {"writes", "none"}, TagReadOnly: {"true", "false"}, TagClientAuth: {"basic", "body"}, TagPKCE: {"true", "false"}, TagScopes: nil,
	}
	for key, v := range tags {
		allowed, ok := known[key]
		switch {
		case ok && allowed != nil && !slices.Contains(allowed, v):
			return fault.New(fault.Invalid, SubjectTag, "the tag %s has the value %q; it takes %s and %s", key, v, allowed[0], allowed[1])
		case !ok && strings.HasPrefix(key, tagPrefix): // a slip here would leave writes without approval
			return fault.New(fault.Invalid, SubjectTag, "there is no tag %s; of those that begin with %s there are %s", key, tagPrefix, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

var roleForm = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:role/.+$`)

// checkAuth refuses what a connector of type t cannot work with.
func checkAuth(t Type, a Auth) error {
	info, ok := Info(t)
	if !ok {
		return fault.New(fault.Invalid, SubjectConnector, "%q is not a type of action connector", t)
	}
	if !slices.Contains(info.Auth, a.Type) {
		return fault.New(fault.Invalid, SubjectAuth, "a connector of type %s cannot authenticate with %s; it takes %s", t, a.Type, names(info.Auth))
	}
	if a.Type == IAM {
		if !roleForm.MatchString(a.RoleARN) {
			return fault.New(fault.Invalid, SubjectAuth, "RoleArn %.120q is not the ARN of a role; the form is arn:aws:iam::123456789012:role/name", a.RoleARN)
		}
		return nil
	}
	if err := checkURL("BaseEndpoint", a.BaseEndpoint); err != nil {
		return err
	}
	if a.Type == AuthorizationCode {
		if err := errors.Join(checkURL("AuthorizationEndpoint", a.AuthorizationEndpoint), checkURL("RedirectUrl", a.RedirectURL)); err != nil {
			return err
		}
	}
	if a.Type == AuthorizationCode || a.Type == ClientCredentials {
		return checkURL("TokenEndpoint", a.TokenEndpoint)
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func checkURL(member, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return fault.New(fault.Invalid, SubjectAuth, "%s %.120q is not an https address, such as https://example.com", member, text)
	case u.User != nil:
		return fault.New(fault.Invalid, SubjectAuth, "%s holds a user name or password; give credentials in the members that are for them", member)
	case !validPort(u.Port()):
		return fault.New(fault.Invalid, SubjectAuth, "%s %.120q has a port that cannot be; ports are 1 to 65535", member, text)
	case u.Fragment != "":
		return fault.New(fault.Invalid, SubjectAuth, "%s %.120q has a fragment (#...), which is never sent; leave it out", member, text)
	}
	return nil
}
