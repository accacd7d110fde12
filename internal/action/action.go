// Package action is the domain of QuickSight action connectors: what a connector is, who may use it, how its
// credentials are kept and renewed, and what becomes of a call of one of its actions.
//
// A Service is the API of the domain. Connectors and VPC connections are what AWS's API manages; grants are
// the tokens that users' sign-ins have earned; claims, approvals and records are what is known of calls. What
// an action looks like on the wire and how its request is sent are an Invoker's business, which is passed in.
//
// Rules: secrets are sealed before they reach a Store and leave this package only inside an Authorization
// (invariant 8); a refresh token that replaces another is durable before its access token is used; nothing that
// writes at a vendor is sent twice (invariant 9). See doc.go for the life cycles.
package action

import (
	"time"

	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// Subjects of this package's faults.
const (
	SubjectAccount     = "account" // of a path or an ARN that is not the server's
	SubjectConnector   = "action connector"
	SubjectName        = "connector name" // taken by another connector
	SubjectAuth        = "authentication"
	SubjectPermission  = "permission"
	SubjectPermissions = "permission count"
	SubjectFilter      = "filter"
	SubjectVPC         = "VPC connection"
	SubjectVPCInUse    = "VPC connection in use"
	SubjectResource    = "resource" // what a tag is attached to
	SubjectTag         = tag.Subject
	SubjectTagCount    = tag.SubjectCount
	SubjectAction      = "action"
	SubjectArguments   = "action arguments"
	SubjectGrant       = "grant"
	SubjectSignIn      = "sign-in"
	SubjectToken       = "token response"
	SubjectClaim       = "idempotency key"
	SubjectApproval    = "approval"
	SubjectDocument    = "OpenAPI document"
	SubjectRecord      = "call record"
	SubjectAddress     = "address" // that the way out of this server does not let through
)

// Limits of what there may be.
const (
	MaxPermissions    = 64  // principals of a connector
	MaxEnabled        = 100 // enabled actions of a connector
	MaxVPCConnections = 100
	MaxTags           = tag.Max
)

// Type is AWS's ActionConnectorType.
type Type string

// AuthType is AWS's ConnectionAuthType.
type AuthType string

const (
	Basic             AuthType = "BASIC"
	APIKey            AuthType = "API_KEY"
	ClientCredentials AuthType = "OAUTH2_CLIENT_CREDENTIALS"
	AuthorizationCode AuthType = "OAUTH2_AUTHORIZATION_CODE"
	None              AuthType = "NONE"
	IAM               AuthType = "IAM"
)

// PlainCredentials is the only source of OAuth client credentials that AWS has.
const PlainCredentials = "PLAIN_CREDENTIALS"

// Status is AWS's ResourceStatus.
type Status string

const (
	CreationInProgress Status = "CREATION_IN_PROGRESS"
	CreationSuccessful Status = "CREATION_SUCCESSFUL"
	CreationFailed     Status = "CREATION_FAILED"
	UpdateInProgress   Status = "UPDATE_IN_PROGRESS"
	UpdateSuccessful   Status = "UPDATE_SUCCESSFUL"
	UpdateFailed       Status = "UPDATE_FAILED"
)

// InProgress reports whether the connector waits for its check.
func (s Status) InProgress() bool { return s == CreationInProgress || s == UpdateInProgress }

// Failed reports whether the check refused the connector.
func (s Status) Failed() bool { return s == CreationFailed || s == UpdateFailed }

// Auth is how a connector authenticates, without its secret. Which fields are set follows from Type.
type Auth struct {
	Type         AuthType
	BaseEndpoint string // every type but IAM

	ClientID              string // the OAuth types
	TokenEndpoint         string // the OAuth types
	AuthorizationEndpoint string // AuthorizationCode
	RedirectURL           string // AuthorizationCode: as the caller gave it; see SignIn
	CredentialsSource     string // the OAuth types: PlainCredentials, or empty when none was named

	Username string // Basic
	Email    string // APIKey, where the vendor wants one
	RoleARN  string // IAM
}

// Permission is what a principal may do with a connector.
type Permission struct {
	Principal string   // ARN of a QuickSight user or group
	Actions   []string // quicksight:DescribeActionConnector and the like, sorted
}

// Connector is an action connector.
type Connector struct {
	ID          string
	ARN         string
	Name        string
	Description string
	Type        Type
	Auth        Auth
	Secret      secret.Sealed // the password, the API key or the client's secret; empty without one

	VPCConnectionARN string
	// Restricted says that only EnabledActions may be called; otherwise every action of the type may.
	Restricted     bool
	EnabledActions []string

	Status     Status
	Error      string // why the check refused it; empty unless Status.Failed
	Unverified string // why its credentials could not be tried; empty when they were, or need not be

	Permissions []Permission // sorted by principal
	Tags        map[string]string
	Owner       string // ARN of who created it
	Created     time.Time
	Updated     time.Time
	Revision    int64 // grows with every update of what a call depends on
}

// Enabled reports whether an action may be called.
func (c *Connector) Enabled(actionID string) bool {
	if !c.Restricted {
		return true
	}
	for _, a := range c.EnabledActions {
		if a == actionID {
			return true
		}
	}
	return false
}

// VPCConnection is a named way out: what it does is in the server's configuration, this is what clients see.
type VPCConnection struct {
	ID               string
	ARN              string
	Name             string
	SubnetIDs        []string
	SecurityGroupIDs []string
	DNSResolvers     []string
	RoleARN          string
	Status           Status
	Tags             map[string]string
	Created          time.Time
	Updated          time.Time
}

// Document is the OpenAPI document of a user for a GENERIC_HTTP connector.
type Document struct {
	ConnectorID string
	Content     []byte // JSON
	Updated     time.Time
}

// Identity says as whom a connector's calls are made.
type Identity string

const (
	PerUser Identity = "user"    // each user signs in, and calls are made as that user
	Shared  Identity = "shared"  // one sign-in serves every user
	Own     Identity = "service" // the connector's own credentials
)

// Tags of a connector that change how Penstock treats it. They can be set with every AWS client.
const (
	TagIdentity   = "penstock:identity"              // "user" (default) or "shared": whose sign-in calls use
	TagScopes     = "penstock:scopes"                // OAuth scopes, separated by spaces, in place of the type's
	TagApproval   = "penstock:approval"              // "writes": calls that write wait for approval; "none": they do not
	TagReadOnly   = "penstock:read-only"             // "true": calls that write are refused
	TagClientAuth = "penstock:client-authentication" // "basic" or "body": how the OAuth client proves itself
	TagPKCE       = "penstock:pkce"                  // "false": sign-ins go without PKCE, which some vendors refuse beside a client secret

	tagPrefix = "penstock:" // tags of users do not begin so
)

// Identity returns as whom c's calls are made.
func (c *Connector) Identity() Identity {
	switch {
	case c.Auth.Type != AuthorizationCode:
		return Own
	case c.Tags[TagIdentity] == string(Shared):
		return Shared
	default:
		return PerUser
	}
}

// ReadOnly reports whether calls that write are refused.
func (c *Connector) ReadOnly() bool { return c.Tags[TagReadOnly] == "true" }
