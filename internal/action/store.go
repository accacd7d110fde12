package action

import (
	"context"
	"time"
)

// Store keeps connectors. Every method of this and the other stores is one durable transaction. Slices and maps in
// returned values are shared and must not be changed; functions named change may be run more than once.
type Store interface {
	// ConnectorCreate stores c. A taken ID is AlreadyExists about SubjectConnector, a taken name AlreadyExists about
	// SubjectName.
	ConnectorCreate(ctx context.Context, c Connector) error
	// ConnectorGet is NotFound for an unknown id.
	ConnectorGet(ctx context.Context, id string) (Connector, error)
	// ConnectorUpdate runs change on the stored connector and saves what it leaves, unless it returns an error. ID,
	// ARN, Type and Created stay as they are. A taken name is AlreadyExists about SubjectName.
	ConnectorUpdate(ctx context.Context, id string, change func(*Connector) error) (Connector, error)
	// ConnectorDelete forgets a connector with its grants, sign-ins and document. It is NotFound for an unknown id.
	ConnectorDelete(ctx context.Context, id string) error
	// ConnectorPage returns up to limit connectors with IDs above after, in the order of their IDs' bytes.
	ConnectorPage(ctx context.Context, f Filter, after string, limit int) ([]Connector, error)
}

// Field is what a Filter looks at.
type Field uint8

const (
	Any         Field = iota // every connector
	ByName                   // the name is Value, or with Like contains it
	ByType                   // the type is Value, or with Like contains it
	ByViewer                 // the principal Value has a permission
	ByOwner                  // the principal Value is an owner, see Owner
	BySoleOwner              // the principal Value is an owner and nobody else is
	ByProgress               // the status is in progress
)

// Filter chooses connectors. Like does not tell upper from lower case of ASCII letters.
type Filter struct {
	By    Field
	Like  bool
	Value string
}

// VPCStore keeps VPC connections.
type VPCStore interface {
	// VPCCreate stores v. A taken ID is AlreadyExists, one more than max is Limit, both about SubjectVPC.
	VPCCreate(ctx context.Context, v VPCConnection, max int) error
	// VPCGet is NotFound for an unknown id.
	VPCGet(ctx context.Context, id string) (VPCConnection, error)
	// VPCUpdate runs change on what is stored. ID, ARN and Created stay as they are.
	VPCUpdate(ctx context.Context, id string, change func(*VPCConnection) error) (VPCConnection, error)
	// VPCDelete is NotFound for an unknown id, and State about SubjectVPCInUse while a connector has its ARN.
	VPCDelete(ctx context.Context, id string) error
	// VPCPage returns up to limit connections with IDs above after, in the order of their IDs' bytes.
	VPCPage(ctx context.Context, after string, limit int) ([]VPCConnection, error)
}

// GrantStore keeps grants, at most one for each connector and user.
type GrantStore interface {
	// GrantGet is NotFound about SubjectGrant without one.
	GrantGet(ctx context.Context, connectorID, user string) (Grant, error)
	// GrantUpdate runs change on the stored grant, or on one with nothing but its key, and saves what it leaves. The
	// key stays as it is. It is NotFound about SubjectConnector when there is no such connector.
	GrantUpdate(ctx context.Context, connectorID, user string, change func(*Grant) error) (Grant, error)
	// GrantDelete forgets a grant and the sign-in for it. It is NotFound without a grant.
	GrantDelete(ctx context.Context, connectorID, user string) error
	// GrantPage returns up to limit grants of a connector with users above after, in the order of users' bytes. The
	// first page is asked for with an after of "": the shared grant, whose user is empty, is on it.
	GrantPage(ctx context.Context, connectorID, after string, limit int) ([]Grant, error)
	// GrantsIdle returns up to limit active grants of all connectors that were updated before a time, oldest first.
	GrantsIdle(ctx context.Context, before time.Time, limit int) ([]Grant, error)
}

// SignInStore keeps sign-ins that are under way, at most one for each connector and user.
type SignInStore interface {
	// SignInPut stores s in place of an earlier one, and forgets those that ended before s began. It is NotFound about
	// SubjectConnector when there is no such connector.
	SignInPut(ctx context.Context, s SignIn) error
	// SignInGet is NotFound about SubjectSignIn without one.
	SignInGet(ctx context.Context, connectorID, user string) (SignIn, error)
	// SignInTake forgets a sign-in and returns it, so that only one caller ever gets it. It is NotFound without one.
	SignInTake(ctx context.Context, digest string) (SignIn, error)
}

// DocumentStore keeps OpenAPI documents, at most one for each connector.
type DocumentStore interface {
	// DocumentPut replaces the document. It is NotFound about SubjectConnector when there is no such connector.
	DocumentPut(ctx context.Context, d Document) error
	// DocumentGet is NotFound about SubjectDocument without one.
	DocumentGet(ctx context.Context, connectorID string) (Document, error)
	// DocumentDelete is NotFound about SubjectDocument without one.
	DocumentDelete(ctx context.Context, connectorID string) error
}

// CallStore keeps what makes calls happen once.
type CallStore interface {
	// CallBegin stores r and, where it has a key, c. Without c it only stores r. When there is a claim with c's scope
	// and key that ends after c's creation, nothing is stored and that claim is returned with false.
	CallBegin(ctx context.Context, c *Claim, r Record) (Claim, bool, error)
	// CallEnd replaces the record and, where it has a key, the claim. One that is gone stays gone.
	CallEnd(ctx context.Context, c *Claim, r Record) error
	// CallCancel replaces the record and forgets the claim: nothing was sent, the key is free.
	CallCancel(ctx context.Context, c *Claim, r Record) error
	// CallsInterrupt marks what a process that has ended has left: running claims, approved approvals and started
	// records become interrupted. It returns how many records those were.
	CallsInterrupt(ctx context.Context, now time.Time) (int, error)
	// CallsExpire forgets claims that ended before now, records older than before and approvals made before it that
	// nothing can become of any more. It marks pending approvals that ended before now as expired.
	CallsExpire(ctx context.Context, now, before time.Time) error
}

// RecordStore keeps the records of calls.
type RecordStore interface {
	// RecordsPut stores records, in place of those with the same ID.
	RecordsPut(ctx context.Context, records []Record) error
	// RecordPage returns up to limit records, newest first, that come after the one at the time and with the ID of
	// after; a zero after begins with the newest. An empty connectorID asks for those of every connector.
	RecordPage(ctx context.Context, connectorID string, after RecordKey, limit int) ([]Record, error)
}

// ApprovalStore keeps calls that wait for an approval, and what became of them.
type ApprovalStore interface {
	// ApprovalCreate stores a. A taken ID is AlreadyExists.
	ApprovalCreate(ctx context.Context, a Approval) error
	// ApprovalGet is NotFound for an unknown id.
	ApprovalGet(ctx context.Context, id string) (Approval, error)
	// ApprovalUpdate runs change on what is stored. ID and Created stay as they are.
	ApprovalUpdate(ctx context.Context, id string, change func(*Approval) error) (Approval, error)
	// ApprovalPage returns up to limit approvals with IDs above after, in the order of their IDs' bytes; those of one
	// connector and in one state where these are given.
	ApprovalPage(ctx context.Context, connectorID string, state ApprovalState, after string, limit int) ([]Approval, error)
}
