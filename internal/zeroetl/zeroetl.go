// Package zeroetl is the domain of Redshift integrations: what joins a source (an S3 bucket or a DynamoDB
// table) to a warehouse, the resource policies that allow it, and the states it goes through.
//
// An Integration is desired state with a status that follows real work: supervise does the work and
// reports through Activated, Faulted, Repaired and Removed. See doc.go for the transitions.
package zeroetl

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/tag"
)

// Subjects of this package's faults.
const (
	SubjectIntegration = "integration"
	SubjectSource      = "source"
	SubjectTarget      = "target"
	SubjectTargetState = "target state" // the target exists but is not available
	SubjectPolicy      = "policy"
	SubjectResource    = "resource" // what a policy or a tag is attached to
	SubjectEncryption  = "encryption"
	SubjectFilter      = "filter"
	SubjectTag         = tag.Subject
	SubjectTagCount    = tag.SubjectCount
	SubjectDestination = "destination database"
)

// MaxPerTarget is the quota of integrations of one source kind per target warehouse.
const MaxPerTarget = 50

// MaxTags is how many tags a resource may have.
const MaxTags = tag.Max

// SourceKind is what AWS's samples call SourceType.
type SourceKind string

const (
	SourceDynamoDB SourceKind = "dynamodb"
	SourceS3       SourceKind = "s3-event-notifications"
)

// Status is AWS's ZeroETLIntegrationStatus.
type Status string

const (
	Creating       Status = "creating"
	Active         Status = "active"
	Modifying      Status = "modifying"
	Failed         Status = "failed"
	Deleting       Status = "deleting"
	Syncing        Status = "syncing"
	NeedsAttention Status = "needs_attention"
)

// Problem is an IntegrationError: a stable upper-snake code and what to do about it.
type Problem struct{ Code, Message string }

// Integration joins SourceARN to TargetARN. Its ID is the UUID at the end of its ARN.
type Integration struct {
	ID                string
	ARN               string
	Name              string
	SourceARN         string // normalised: an S3 ARN without region and account
	TargetARN         string // as the caller gave it
	WarehouseID       string // what TargetARN points at
	Kind              SourceKind
	Status            Status
	Problems          []Problem
	Description       string
	KMSKeyID          string
	EncryptionContext map[string]string
	Tags              map[string]string
	Owner             string // caller's ARN
	Created           time.Time
	Destination       Destination // where a table is replicated to; of no use for files
}

// Destination is the database that CREATE DATABASE ... FROM INTEGRATION made, and its options. Without a name
// there is none yet.
type Destination struct {
	Database        string
	CreatedBy       string // id of the statement that made it, so that running it again after a crash is no error
	Created         time.Time
	QueryAllStates  bool // tables may be selected from in every state
	AcceptInvChars  bool // invalid characters become '?'
	TruncateColumns bool // what is too long is cut
	RefreshInterval int  // seconds to wait between cycles; 0 is continuous
	// Refreshes counts requests to load the table again; RefreshesDone those carried out.
	Refreshes, RefreshesDone int64
}

// Store keeps integrations. Every method is one durable transaction. Slices and maps in returned values
// are shared and must not be changed.
type Store interface {
	// IntegrationCreate stores i, unless Admit refuses it against all the others. An ID or an ARN that is
	// taken is AlreadyExists too.
	IntegrationCreate(ctx context.Context, i Integration, max int) error
	// IntegrationGet is NotFound for an unknown id.
	IntegrationGet(ctx context.Context, id string) (Integration, error)
	// IntegrationList returns all integrations, oldest first and then by ID.
	IntegrationList(ctx context.Context) ([]Integration, error)
	// IntegrationUpdate runs change on the stored integration and saves what it leaves, unless it returns an
	// error. change may set fields but must not change what slices and maps hold, and may be run more than
	// once. ID, ARN and Created stay as they are. A new name that is taken is AlreadyExists.
	IntegrationUpdate(ctx context.Context, id string, change func(*Integration) error) (Integration, error)
	// IntegrationDelete is NotFound for an unknown id.
	IntegrationDelete(ctx context.Context, id string) error
}

// Policy is a resource policy on a namespace, JSON text as given.
type Policy struct {
	ResourceARN string // as the caller gave it
	WarehouseID string
	Text        string
	Updated     time.Time
}

// PolicyStore keeps at most one policy per warehouse. Every method is one durable transaction.
type PolicyStore interface {
	// PolicyPut replaces the policy of the warehouse.
	PolicyPut(ctx context.Context, p Policy) error
	// PolicyGet is NotFound of SubjectPolicy without a policy.
	PolicyGet(ctx context.Context, warehouseID string) (Policy, error)
	// PolicyDelete is NotFound of SubjectPolicy without a policy.
	PolicyDelete(ctx context.Context, warehouseID string) error
}
