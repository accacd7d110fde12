package zeroetl

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tag"
)

// Sources answers for what integrations read from.
type Sources interface {
	// Check returns nil when the source exists and can be joined. A source that does not exist is NotFound; a
	// bucket that already notifies someone else of created objects is Conflict; a source that cannot be
	// reached is Unavailable or Denied. The subject of the fault does not matter.
	Check(ctx context.Context, sourceARN string, kind SourceKind) error
}

// Targets answers for what integrations load into.
type Targets interface {
	// Target resolves a namespace ARN of any form to its warehouse. An ARN that points at none is NotFound.
	Target(ctx context.Context, namespaceARN string) (warehouseID string, available bool, err error)
}

// Config is what a Service needs. Every field but Strict is required.
type Config struct {
	Store    Store
	Policies PolicyStore
	Sources  Sources
	Targets  Targets
	Now      func() time.Time
	NewID    func() string // a random UUID in lower case
	Notify   func()        // called after each change of desired state; must not block
	// Strict demands that the namespace has a resource policy that lets the source and the caller in, as AWS
	// does for integrations across accounts. Without it a policy is kept but not asked.
	Strict bool
}

// Service is the API of this domain. It is safe for concurrent use.
type Service struct {
	store    Store
	policies PolicyStore
	sources  Sources
	targets  Targets
	now      func() time.Time
	newID    func() string
	notify   func()
	strict   bool
}

// NewService returns a Service over c.
func NewService(c Config) *Service {
	return &Service{c.Store, c.Policies, c.Sources, c.Targets, c.Now, c.NewID, c.Notify, c.Strict}
}

// CreateParams are the members of CreateIntegration.
type CreateParams struct {
	Name              string
	SourceARN         string
	TargetARN         string
	Description       string
	KMSKeyID          string
	EncryptionContext map[string]string
	Tags              []tag.Tag
}

// Create checks p and stores a new integration in status creating. The checks are made in this order, and the
// first that fails is the answer: the form of what was given; what is not offered; whether another
// integration excludes this one; the source; the target; the namespace's policy.
func (s *Service) Create(ctx context.Context, caller identity.Caller, p CreateParams) (Integration, error) {
	src, err := parseSource(caller, p.SourceARN)
	if err != nil {
		return Integration{}, err
	}
	if err := checkTarget(caller, p.TargetARN); err != nil {
		return Integration{}, err
	}
	if err := checkNaming(p.Name, p.Description); err != nil {
		return Integration{}, err
	}
	tags, err := tag.Set(nil, p.Tags)
	if err != nil {
		return Integration{}, err
	}
	if err := checkEncryption(src.kind, p); err != nil {
		return Integration{}, err
	}
	if src.kind == SourceS3 && strings.Contains(src.name, ".") {
		return Integration{}, fault.New(fault.Unsupported, SubjectSource,
			"the bucket name %q has a period, which S3 event integrations do not support; use a bucket without one", src.name)
	}
	i := Integration{
		ID: s.newID(), Name: p.Name, SourceARN: src.arn, TargetARN: p.TargetARN, Kind: src.kind, Status: Creating,
		Description: p.Description, KMSKeyID: p.KMSKeyID, EncryptionContext: p.EncryptionContext, Tags: tags,
		Owner: caller.Owner(), Created: s.now(),
	}
	i.ARN = arn.ARN{Partition: caller.Partition, Service: "redshift", Region: caller.Region, Account: caller.Account, Resource: "integration:" + i.ID}.String()

	// The target is resolved and duplicates are looked for before the source is asked, so that a second try for
	// the same pair hears of the first and not of the traces that the first has left at the source. The store
	// looks again, in its transaction.
	warehouseID, available, targetErr := s.target(ctx, p.TargetARN)
	i.WarehouseID = warehouseID
	others, err := s.store.IntegrationList(ctx)
	if err != nil {
		return Integration{}, err
	}
	if err := duplicate(others, i); err != nil {
		return Integration{}, err
	}
	if err := s.checkSource(ctx, i); err != nil {
		return Integration{}, err
	}
	if targetErr != nil {
		return Integration{}, targetErr
	}
	if !available {
		return Integration{}, fault.New(fault.State, SubjectTargetState, "the data warehouse behind %s is not available; wait until it is and try again", p.TargetARN)
	}
	if err := s.Authorized(ctx, i); err != nil {
		return Integration{}, err
	}
	if err := s.store.IntegrationCreate(ctx, i, MaxPerTarget); err != nil {
		return Integration{}, err
	}
	s.notify()
	return i, nil
}

// ModifyParams are the members of ModifyIntegration. A nil field stays as it is; an empty description clears it.
type ModifyParams struct {
	ARN         string
	Name        *string
	Description *string
}

// Modify changes the name or the description and puts the integration in status modifying.
func (s *Service) Modify(ctx context.Context, p ModifyParams) (Integration, error) {
	if p.Name == nil && p.Description == nil {
		return Integration{}, fault.New(fault.Invalid, SubjectIntegration, "nothing to modify; give a new name, a new description or both")
	}
	i, err := s.Get(ctx, p.ARN)
	if err != nil {
		return Integration{}, err
	}
	i, err = s.store.IntegrationUpdate(ctx, i.ID, func(i *Integration) error {
		if p.Name != nil {
			i.Name = *p.Name
		}
		if p.Description != nil {
			i.Description = *p.Description
		}
		if err := checkNaming(i.Name, i.Description); err != nil {
			return err
		}
		return i.move(modify, nil)
	})
	if err != nil {
		return Integration{}, err
	}
	s.notify()
	return i, nil
}

// Delete puts the integration in status deleting. The loaded data and the COPY jobs stay.
func (s *Service) Delete(ctx context.Context, integrationARN string) (Integration, error) {
	i, err := s.Get(ctx, integrationARN)
	if err != nil {
		return Integration{}, err
	}
	i, err = s.store.IntegrationUpdate(ctx, i.ID, func(i *Integration) error { return i.move(remove, nil) })
	if err != nil {
		return Integration{}, err
	}
	s.notify()
	return i, nil
}

// Get returns the integration with this ARN, or a fault of kind NotFound about SubjectIntegration.
func (s *Service) Get(ctx context.Context, integrationARN string) (Integration, error) {
	id := integrationARN[strings.LastIndexByte(integrationARN, ':')+1:]
	i, err := s.store.IntegrationGet(ctx, id)
	if fault.Is(err, fault.NotFound, SubjectIntegration) || err == nil && i.ARN != integrationARN {
		return Integration{}, fault.New(fault.NotFound, SubjectIntegration, "there is no integration %s", integrationARN)
	}
	return i, err
}

func (s *Service) checkSource(ctx context.Context, i Integration) error {
	err := s.sources.Check(ctx, i.SourceARN, i.Kind)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return fault.Wrap(err, fault.NotFound, SubjectSource, "%s", fault.Message(err))
	case fault.Conflict:
		return fault.Wrap(err, fault.Conflict, SubjectIntegration, "%s", fault.Message(err))
	default:
		return err
	}
}

// target resolves a namespace ARN; one that points nowhere is NotFound about SubjectTarget.
func (s *Service) target(ctx context.Context, namespaceARN string) (string, bool, error) {
	id, available, err := s.targets.Target(ctx, namespaceARN)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.Wrap(err, fault.NotFound, SubjectTarget, "%s", fault.Message(err))
	}
	return id, available, err
}

type source struct {
	arn  string // normalised
	name string // of the bucket or the table
	kind SourceKind
}

func parseSource(caller identity.Caller, text string) (source, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return source{}, fault.Wrap(err, fault.Invalid, SubjectSource, "the source %s", fault.Message(err))
	}
	if err := checkHome(caller, a, SubjectSource, "the source", text); err != nil {
		return source{}, err
	}
	switch a.Service {
	case "s3":
		if strings.ContainsAny(a.Resource, "/:") {
			return source{}, fault.New(fault.Invalid, SubjectSource, "the source %s names an object or an access point; name the bucket alone, as in arn:%s:s3:::bucket", text, a.Partition)
		}
		return source{arn.ARN{Partition: a.Partition, Service: "s3", Resource: a.Resource}.String(), a.Resource, SourceS3}, nil
	case "dynamodb":
		kind, name := a.Split()
		if kind != "table" || name == "" || strings.Contains(name, "/") || a.Region == "" || a.Account == "" {
			return source{}, fault.New(fault.Invalid, SubjectSource, "the source %s does not name a table; the form is arn:%s:dynamodb:region:account:table/name", text, a.Partition)
		}
		return source{text, name, SourceDynamoDB}, nil
	default:
		return source{}, fault.New(fault.Invalid, SubjectSource, "the source %s is neither an S3 bucket nor a DynamoDB table", text)
	}
}

func checkTarget(caller identity.Caller, text string) error {
	a, err := arn.Parse(text)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, SubjectTarget, "the target %s", fault.Message(err))
	}
	if kind, id := a.Split(); a.Service != "redshift" && a.Service != "redshift-serverless" || kind != "namespace" || id == "" {
		return fault.New(fault.Invalid, SubjectTarget, "the target %s does not name a namespace; the form is arn:%s:redshift:region:account:namespace:id", text, a.Partition)
	}
	return checkHome(caller, a, SubjectTarget, "the target", text)
}

// checkHome refuses what lives elsewhere. An S3 ARN may leave region and account out.
func checkHome(caller identity.Caller, a arn.ARN, subject, what, text string) error {
	switch {
	case a.Partition != caller.Partition:
		return fault.New(fault.Unsupported, subject, "%s %s is in the partition %s and this request is for %s; integrations join what is in one place", what, text, a.Partition, caller.Partition)
	case a.Account != "" && a.Account != caller.Account:
		return fault.New(fault.Unsupported, subject, "%s %s belongs to the account %s and this request is for %s; integrations across accounts are not offered", what, text, a.Account, caller.Account)
	case a.Region != "" && a.Region != caller.Region:
		return fault.New(fault.Unsupported, subject, "%s %s is in the region %s and this request is for %s; integrations across regions are not offered", what, text, a.Region, caller.Region)
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*$`)

const (
	maxName        = 63
	maxDescription = 1000
)

func checkNaming(name, description string) error {
	if len(name) > maxName || !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, SubjectIntegration,
			"the integration name %.80q is not allowed; use 1 to %d letters, digits and single hyphens, a letter first and no hyphen last", name, maxName)
	}
	if n := utf8.RuneCountInString(description); n > maxDescription {
		return fault.New(fault.Invalid, SubjectIntegration, "the description has %d characters; at most %d are allowed", n, maxDescription)
	}
	return nil
}

// maxContext is what Redshift's own two entries leave of the eight that KMS allows in a grant.
const maxContext = 6

func checkEncryption(kind SourceKind, p CreateParams) error {
	switch {
	case len(p.EncryptionContext) > 0 && p.KMSKeyID == "":
		return fault.New(fault.Invalid, SubjectEncryption, "an additional encryption context was given without a key; give the KMS key that it is for, or leave it out")
	case p.KMSKeyID != "" && kind == SourceS3:
		return fault.New(fault.Unsupported, SubjectEncryption, "an S3 event integration is not encrypted with a key of yours; leave the KMS key out")
	case len(p.EncryptionContext) > maxContext:
		return fault.New(fault.Invalid, SubjectEncryption, "the additional encryption context has %d entries; at most %d are allowed", len(p.EncryptionContext), maxContext)
	}
	return nil
}
