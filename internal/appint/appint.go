// Package appint is the domain of AppIntegrations: data integrations, which describe a source; their associations,
// which say where its data goes and when; the executions that carry it there; event integrations; applications.
//
// A data integration moves nothing by itself. An association does: what it is to do is written down as an
// Execution before anything begins, and whoever carries executions out (package runs) takes them from here and
// reports back. See doc.go for the states of an execution and for windows.
package appint

import (
	"time"

	"github.com/penstock-io/penstock/internal/schedule"
)

// Subjects of this package's faults.
const (
	SubjectDataIntegration        = "data integration"
	SubjectAssociation            = "data integration association"
	SubjectExecution              = "execution"
	SubjectEventIntegration       = "event integration"
	SubjectEventAssociation       = "event integration association"
	SubjectApplication            = "application"
	SubjectApplicationAssociation = "application association"
	SubjectResource               = "resource" // what a tag is attached to
	SubjectTag                    = "tag"
	SubjectToken                  = "client token"
	SubjectSource                 = "source"
	SubjectDestination            = "destination"
	SubjectProfile                = "connector profile"
	SubjectKey                    = "KMS key"
	SubjectObject                 = "object"
	SubjectPlan                   = "plan" // what an association is to do cannot be done
	SubjectWindow                 = "window"
	SubjectMode                   = "execution mode"
	SubjectSchedule               = schedule.Subject
	SubjectType                   = "application type"
)

// Schedule is when to run, as a caller writes it. The zero value is no schedule.
type Schedule struct {
	Expression         string // rate(...), cron(...) or at(...)
	FirstExecutionFrom string // epoch milliseconds or ISO-8601; where the first window begins. Empty: at the beginning
	Object             string // what to read of a source of records
}

// Objects are data source or object family, then object or facet, to names: of fields, or values.
type Objects map[string]map[string][]string

// Files are which files of a source to take. The zero value is all of them.
type Files struct {
	Folders []string // read with what is below them
	Filters map[string][]string
}

// DataIntegration describes a source of data.
type DataIntegration struct {
	Number      int64 // given by the store, growing; the order of lists
	ID          string
	ARN         string
	Name        string // unique
	Description string
	KMSKey      string
	SourceURI   string // as the caller gave it; may be empty
	Schedule    Schedule
	Files       Files
	Objects     Objects
	Tags        map[string]string
	Associated  bool // there is, or was, an association
	Created     time.Time
}

// Mode is AWS's ExecutionMode. An association without one follows its data integration's schedule, if that has one.
type Mode string

const (
	OnDemand  Mode = "ON_DEMAND"
	Scheduled Mode = "SCHEDULED"
)

// Run is AWS's ExecutionConfiguration.
type Run struct {
	Mode      Mode
	StartTime string // OnDemand: epoch milliseconds
	EndTime   string // OnDemand: epoch milliseconds, or empty for until now
	Schedule  Schedule
}

// Plan is what an execution reads and where it writes: all it needs to know but the window.
type Plan struct {
	Name           string // of the data integration when this was made
	SourceURI      string
	DestinationURI string  // empty: nothing can be run
	Object         string  // of a source of records; empty for all of Objects
	Objects        Objects // of a source of records, as {vendor: {object: fields}}
	Folders        []string
	Filters        map[string][]string
}

// Last is AWS's LastExecutionStatus: of the execution that was asked for last.
type Last struct {
	ExecutionID string // empty before the first
	Status      Status
	Message     string
}

// Association says where the data of a data integration goes and when.
type Association struct {
	Number        int64
	ID            string
	ARN           string
	IntegrationID string
	ClientID      string
	Objects       Objects
	Metadata      map[string]string // kept for the client
	Run           Run               // as the caller gave it
	Plan          Plan
	Last          Last
	Tags          map[string]string
	Created       time.Time

	// What drives the schedule.
	Expression string    // the association's own or its data integration's; empty for none
	Anchor     time.Time // what a rate counts from
	NextDue    time.Time // zero: not due again
	Since      time.Time // where the window of the next incremental execution begins; zero is the beginning
}

// Trigger is why an execution exists.
type Trigger string

const (
	ByCreation Trigger = "CREATION" // an on-demand association was made
	ByUpdate   Trigger = "UPDATE"   // an on-demand association was updated
	BySchedule Trigger = "SCHEDULE"
	ByRequest  Trigger = "REQUEST" // somebody asked for it
)

// Status is what became of an execution. Waiting and Running are AWS's IN_PROGRESS, Canceled is its FAILED.
type Status string

const (
	Waiting   Status = "WAITING"
	Running   Status = "RUNNING"
	Completed Status = "COMPLETED"
	Failed    Status = "FAILED"
	Canceled  Status = "CANCELED"
)

// Statuses lists every status.
func Statuses() []Status { return []Status{Waiting, Running, Completed, Failed, Canceled} }

// Done reports whether the execution is over.
func (s Status) Done() bool { return s == Completed || s == Failed || s == Canceled }

// Progress is how far an execution is. Totals are 0 while they are unknown. Mark is for the one who carries it out:
// what it takes to go on after a restart; empty for none.
type Progress struct {
	Files, FilesTotal int64
	Rows, RowsTotal   int64
	Bytes, BytesTotal int64
	Mark              []byte
}

// Execution is one run of an association.
type Execution struct {
	Number        int64
	ID            string
	AssociationID string
	IntegrationID string
	Trigger       Trigger
	Status        Status
	Message       string // for the user, at most 255 characters
	Plan          Plan
	From, To      time.Time // what was modified at From or later and before To. A zero From is the beginning
	// Incremental executions begin where the last successful one ended: From is set when they start, and To is
	// where the next one begins if they succeed.
	Incremental bool
	NotBefore   time.Time // it must not start earlier
	Requested   time.Time
	Started     time.Time // zero while waiting
	Ended       time.Time // zero until done
	Attempts    int       // how often it was started: once, and again after each restart of the server
	Cancel      bool      // somebody wants it to stop
	Progress    Progress
}

// EventIntegration describes a source of events and the bus they are put on.
type EventIntegration struct {
	Number      int64
	ARN         string
	Name        string // unique
	Description string
	Source      string // EventFilter.Source
	Bus         string
	Tags        map[string]string
	Created     time.Time
}

// EventAssociation is a client of an event integration.
type EventAssociation struct {
	Number      int64
	ID          string
	ARN         string
	Integration string // name
	ClientID    string
	Rule        string // EventBridgeRuleName
	Metadata    map[string]string
	Tags        map[string]string
	Created     time.Time
}

// ApplicationType is AWS's ApplicationType.
type ApplicationType string

const (
	Standard   ApplicationType = "STANDARD"
	Background ApplicationType = "SERVICE"
	MCPServer  ApplicationType = "MCP_SERVER"
)

// Subscription is an event that an application listens to.
type Subscription struct{ Event, Description string }

// Publication is an event that an application sends.
type Publication struct{ Event, Schema, Description string }

// Application is a page of the agent workspace, a service beside it, or an MCP server.
type Application struct {
	Number          int64
	ID              string
	ARN             string
	Name            string // unique
	Namespace       string // unique; never changes
	Description     string
	AccessURL       string
	Origins         []string // ApprovedOrigins
	Subscriptions   []Subscription
	Publications    []Publication
	Permissions     []string
	IsService       bool
	Timeout         int    // InitializationTimeout in milliseconds; 0 for none
	ContactHandling string // its scope; empty for none
	IframeAllow     []string
	IframeSandbox   []string
	Type            ApplicationType
	Tags            map[string]string
	Created         time.Time
	Modified        time.Time
}

// ApplicationAssociation is a client of an application.
type ApplicationAssociation struct {
	Number        int64
	ID            string
	ARN           string
	ApplicationID string
	ClientID      string
	Tags          map[string]string
	Created       time.Time
}
