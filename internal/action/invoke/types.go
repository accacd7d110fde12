package invoke

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/secret"
)

// TypeMCP is the type of connectors whose actions are the tools of a remote MCP server.
const TypeMCP = "MODEL_CONTEXT_PROTOCOL"

// AuthKind is how a connector authenticates, in AWS's words.
type AuthKind string

const (
	AuthNone              AuthKind = "NONE"
	AuthBasic             AuthKind = "BASIC"
	AuthAPIKey            AuthKind = "API_KEY"
	AuthClientCredentials AuthKind = "OAUTH2_CLIENT_CREDENTIALS"
	AuthAuthorizationCode AuthKind = "OAUTH2_AUTHORIZATION_CODE"
	AuthIAM               AuthKind = "IAM"
)

// Auth is the credentials of a call. Which fields are set follows from Kind.
type Auth struct {
	Kind     AuthKind
	Username string      // BASIC
	Password secret.Text // BASIC
	Key      secret.Text // API_KEY
	Email    string      // API_KEY of vendors that want one; the acting user of PagerDuty
	RoleARN  string      // IAM
	Tokens   Tokens      // the OAuth kinds
}

// Tokens yields the tokens of one connector for one user.
type Tokens interface {
	// Token returns a token that should be good. An error, such as that nobody has signed in, becomes the
	// error of the call as it is.
	Token(ctx context.Context) (Token, error)
	// Refresh returns a token in place of one that the vendor has refused.
	Refresh(ctx context.Context, refused Token) (Token, error)
}

// Token is an access token.
type Token struct {
	Value       secret.Text
	InstanceURL string // where Salesforce wants its calls; empty elsewhere
}

// Connector is what a call needs to know of a connector.
type Connector struct {
	ID         string // names its rate and its circuit breaker, and is in messages
	Type       string
	BaseURL    string // the base endpoint; empty for IAM
	Auth       Auth
	Restricted bool     // only the Enabled actions may be called
	Enabled    []string // ids of actions
	Document   []byte   // a user's OpenAPI document; nil for the catalogue of the type
	Egress     string   // name of the egress in Config.Egress; empty for the default
	User       string   // whose credentials Auth has, where each user has their own: a remote MCP server may offer each other tools
}

// Call is one call of an action.
type Call struct {
	Connector      Connector
	Action         string          // id
	Arguments      json.RawMessage // an object; nil for none
	IdempotencyKey string          // passed on to vendors that take one
	Timeout        time.Duration   // 0 for Config.Timeout, which is also the most
	MaxAnswer      int             // bytes; 0 for Config.MaxAnswer, which is also the most
}

// Result is what came of a call that succeeded.
type Result struct {
	Status      int           `json:"status"` // of the vendor's answer
	ContentType string        `json:"contentType,omitempty"`
	JSON        bool          `json:"-"`                   // Body is JSON
	Body        []byte        `json:"-"`                   // empty if the vendor said nothing
	Next        *Next         `json:"next,omitempty"`      // nil if there is no further page
	Truncated   *Truncation   `json:"truncated,omitempty"` // nil if Body is whole
	Location    string        `json:"location,omitempty"`  // where the vendor says that what was made, or its progress, is
	Attempts    int           `json:"attempts"`            // requests sent
	Duration    time.Duration `json:"-"`
}

// Next is the next page: the same call with this argument.
type Next struct {
	Argument string `json:"argument"`
	Value    any    `json:"value"`
}

// Truncation says how an answer was cut.
type Truncation struct {
	Bytes int `json:"bytes"`           // what the vendor sent
	Kept  int `json:"kept,omitempty"`  // items kept of the list that was cut
	Items int `json:"items,omitempty"` // items it had
}

// Rendered is a request as it would be sent, with secrets masked.
type Rendered struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body,omitempty"`
	Write  bool        `json:"write"`
	// Notes says, in sentences, what can only be known when it is sent, and what is read before.
	Notes []string `json:"notes,omitempty"`
}

// Mask stands for a secret in a dry run.
const Mask = "****"

// Tool is an action of a remote MCP server.
type Tool struct {
	Name        string
	Title       string
	Description string
	Schema      json.RawMessage // JSON Schema of its arguments
	ReadOnly    bool
	Destructive bool
}

// Remote speaks to remote MCP servers.
type Remote interface {
	// Tools lists the tools of the server at url.
	Tools(ctx context.Context, url string, client *http.Client) ([]Tool, error)
	// Call calls one. failed means that the tool says of its result that it is an error.
	Call(ctx context.Context, url string, client *http.Client, name string, arguments json.RawMessage) (result json.RawMessage, failed bool, err error)
}
