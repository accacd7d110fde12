package action

import (
	"time"

	"github.com/penstock-io/penstock/internal/secret"
)

// GrantState is what a grant is good for.
type GrantState string

const (
	GrantPending     GrantState = "pending"       // a sign-in is under way and there was none before
	GrantActive      GrantState = "active"        // calls can be made
	GrantNeedsSignIn GrantState = "needs-sign-in" // the vendor has ended it, or the connector's client has changed
	GrantFailed      GrantState = "failed"        // the first sign-in did not succeed
)

// Grant is what a sign-in has earned.
type Grant struct {
	ConnectorID string
	User        string // ARN of the user; empty for the shared grant
	ID          string // stays through every new sign-in
	State       GrantState
	Reason      string        // why it is failed or needs a sign-in
	Tokens      secret.Sealed // an encoded oauth.Token; empty unless active
	Access      string        // digest of the access token, which tells token sets apart
	Client      string        // fingerprint of the client and endpoints it was made with
	Scope       string        // as the vendor said it
	Expires     time.Time     // of the access token; zero when the vendor did not say
	Created     time.Time
	Updated     time.Time
	SignedIn    time.Time // the last sign-in that succeeded
	Refreshed   time.Time // the last renewal
}

// SignIn is a sign-in that is under way.
type SignIn struct {
	Digest      string // of the state parameter; the state itself is in Secret
	ConnectorID string
	User        string        // whose grant it will be; empty for the shared one
	Secret      secret.Sealed // state and PKCE verifier
	Redirect    string        // redirect address
	Client      string        // fingerprint, see Grant
	StartedBy   string        // ARN of who asked for it
	Created     time.Time
	Expires     time.Time
}

// ClaimState is what is known of the call that has claimed an idempotency key.
type ClaimState string

const (
	ClaimRunning     ClaimState = "running"
	ClaimDone        ClaimState = "done"
	ClaimInterrupted ClaimState = "interrupted" // the server stopped before the result was known
)

// Claim is an idempotency key in use.
type Claim struct {
	Scope   string // whose key it is: connector and user
	Key     string
	Digest  string // of the action and its arguments
	State   ClaimState
	CallID  string
	Result  secret.Sealed // of a call that is done
	Created time.Time
	Expires time.Time
}

// ApprovalState is what became of a call that waits for an approval.
type ApprovalState string

const (
	ApprovalPending     ApprovalState = "pending"
	ApprovalApproved    ApprovalState = "approved" // it runs
	ApprovalRejected    ApprovalState = "rejected"
	ApprovalExpired     ApprovalState = "expired"
	ApprovalDone        ApprovalState = "done"        // it ran; the result is there
	ApprovalFailed      ApprovalState = "failed"      // it ran, or could not, and Reason says how that went
	ApprovalInterrupted ApprovalState = "interrupted" // the server stopped while it ran
)

// ApprovalStates lists them all.
func ApprovalStates() []ApprovalState {
	return []ApprovalState{ApprovalPending, ApprovalApproved, ApprovalRejected, ApprovalExpired, ApprovalDone, ApprovalFailed, ApprovalInterrupted}
}

// Approval is a call that runs only when somebody has looked at it.
type Approval struct {
	ID          string
	ConnectorID string
	ActionID    string
	User        string // end user
	RequestedBy string // ARN of the caller
	Content     secret.Sealed
	Digest      string // of the request as it was shown
	State       ApprovalState
	Reason      string
	DecidedBy   string
	CallID      string
	Result      secret.Sealed
	Created     time.Time
	Expires     time.Time
	Decided     time.Time
}

// Outcome is how a call went.
type Outcome string

const (
	OutcomeStarted     Outcome = "STARTED"     // nothing more is known yet
	OutcomeSuccess     Outcome = "SUCCESS"     // the vendor has answered with a status below 400
	OutcomeFailed      Outcome = "FAILED"      // see Code
	OutcomeDryRun      Outcome = "DRY_RUN"     // nothing was sent
	OutcomePending     Outcome = "PENDING"     // waits for an approval
	OutcomeRejected    Outcome = "REJECTED"    // not approved
	OutcomeReplayed    Outcome = "REPLAYED"    // answered with the result of an earlier call
	OutcomeInterrupted Outcome = "INTERRUPTED" // the server stopped meanwhile: nobody knows whether the vendor acted
)

// Record is what is kept of a call, successful or not. It never holds a secret, nor the values of arguments.
type Record struct {
	ID          string
	Time        time.Time
	RequestID   string
	Caller      string // ARN of whose credentials signed the request
	User        string // ARN of the end user; the caller's own without one
	ConnectorID string
	Type        Type
	ActionID    string
	Write       bool
	Identity    Identity
	Arguments   []string // names of the arguments, sorted
	Digest      string   // of their values
	Outcome     Outcome
	Code        string // of a failure: a word of its own, see Code
	Message     string
	Status      int // HTTP status of the vendor's answer; 0 without one
	Attempts    int // requests that were sent
	Duration    time.Duration
	ApprovalID  string
	DecidedBy   string
}

// RecordKey is a place in the list of records.
type RecordKey struct {
	Time time.Time
	ID   string
}
