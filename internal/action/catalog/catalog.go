package catalog

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of the faults raised here.
const (
	SubjectType     = "connector type"
	SubjectAction   = "action"
	SubjectDocument = "OpenAPI document"
)

// GenericHTTP is the type whose connectors may bring a document of their own.
const GenericHTTP = "GENERIC_HTTP"

// Types lists the types of connectors that have a catalogue here, as AWS names them.
func Types() []string {
	return []string{
		GenericHTTP, "SERVICENOW_NOW_PLATFORM", "SALESFORCE_CRM", "MICROSOFT_OUTLOOK", "PAGERDUTY_ADVANCE", "JIRA_CLOUD",
		"ATLASSIAN_CONFLUENCE", "AMAZON_S3", "AMAZON_BEDROCK_AGENT_RUNTIME", "AMAZON_BEDROCK_RUNTIME",
		"AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME", "AMAZON_TEXTRACT", "AMAZON_COMPREHEND", "AMAZON_COMPREHEND_MEDICAL",
		"MICROSOFT_ONEDRIVE", "MICROSOFT_SHAREPOINT", "MICROSOFT_TEAMS", "SAP_BUSINESSPARTNER", "SAP_PRODUCTMASTERDATA",
		"SAP_PHYSICALINVENTORY", "SAP_BILLOFMATERIALS", "SAP_MATERIALSTOCK", "ZENDESK_SUITE", "SMARTSHEET", "SLACK", "ASANA", "BAMBOO_HR",
	}
}

// Catalogue is what connectors of one type, or with one document, can do.
type Catalogue struct {
	Type        string // as AWS names it; empty for a user's document
	Title       string
	Description string
	Server      string // the URL that paths are below, if the document names a whole one
	ServerPath  string // its path, or the relative URL of the document's server
	Actions     []*Action
	AWS         *AWS    // for services that take signatures of AWS
	Check       *Check  // nil if there is no cheap request that tries credentials
	PerMinute   int     // the vendor's limit of calls; 0 if it documents none
	Key         *APIKey // where an API key goes, if a user's document says
	// Notes says what of a user's document has no effect, in sentences.
	Notes []string

	byID map[string]*Action
}

// AWS says how requests to a service of AWS are addressed and signed.
type AWS struct {
	Endpoint string `json:"endpoint"` // the first part of the host: textract
	Signing  string `json:"signing"`  // the service in the signature: bedrock
}

// Check is the request that tries credentials.
type Check struct {
	Method      string `json:"method"`
	Path        string `json:"path"`        // with query
	PathWithKey string `json:"pathWithKey"` // another path for connectors with an API key
	Denied      string `json:"denied"`      // "unverified" if 403 may mean no more than a missing permission
}

// APIKey is where a key goes.
type APIKey struct {
	In     string // header or query
	Name   string
	Prefix string // before the key: "Bearer "
}

// Index makes the actions of a catalogue that was put together elsewhere findable by id. Of two with one id the
// first counts.
func (c *Catalogue) Index() {
	c.byID = make(map[string]*Action, len(c.Actions))
	for _, a := range c.Actions {
		if c.byID[a.ID] == nil {
			c.byID[a.ID] = a
		}
	}
}

// Action finds an action by its id.
func (c *Catalogue) Action(id string) (*Action, bool) {
	a, ok := c.byID[id]
	return a, ok
}

// Action is one thing a connector can do. It must not be changed or copied.
type Action struct {
	ID                string // CreateIssue
	Name              string // Create Issue
	Description       string
	Method            string
	Path              string // template, below the base endpoint, without what follows #
	Write             bool   // it changes something at the vendor
	Destructive       bool   // it replaces, changes or deletes what is there
	Named             bool   // AWS publishes an action of this name
	Parameters        []Parameter
	Body              *Body // nil if nothing is sent
	Answer            Answer
	Paging            *Paging // nil if the answer is whole
	Object            string  // kind of object a query is about
	IdempotencyHeader string  // header for a key against repetition; empty if the vendor takes none

	// Arguments is the JSON Schema of the arguments, an object, without references to the document.
	Arguments json.RawMessage

	compile sync.Once
	schema  *jsonschema.Schema
	broken  error
}

// In is the place of a parameter.
type In string

const (
	InPath   In = "path"
	InQuery  In = "query"
	InHeader In = "header"
	InLocal  In = "local" // read by the code of the vendor
)

// Parameter is sent in the path, the query or the header.
type Parameter struct {
	Name     string // as the vendor calls it
	Argument string // its name among the arguments; empty if it is Fixed
	In       In
	Required bool
	Fixed    any    // the value that is always sent
	Explode  bool   // a list repeats the parameter
	Between  string // what stands between the values of a list that does not
	Slashes  bool   // slashes in the value are kept
	JSON     bool   // the value is sent as JSON text
}

// BodyKind says how a body is made.
type BodyKind uint8

const (
	BodyObject    BodyKind = iota // a JSON object of members
	BodyWhole                     // one argument, any JSON
	BodyBinary                    // one argument, bytes
	BodyMultipart                 // a form of several parts
	BodyForm                      // a form in one line
	BodyText                      // one argument, text
)

// Body is what a request carries.
type Body struct {
	Kind      BodyKind
	MediaType string
	Required  bool
	Argument  string   // of a whole, binary or text body
	Members   []Member // of an object or a form
	Open      bool     // further arguments are members, too
	Least     int      // how many members there must be
	Unwrap    string   // the member of the body that holds Members

	schema map[string]any // without references, for constants
}

// Member is a member of a body.
type Member struct {
	Name     string
	Argument string
	Binary   bool // bytes, in a form
}

// Answer is what comes back.
type Answer uint8

const (
	AnswerJSON        Answer = iota
	AnswerEmpty              // nothing but a status, or JSON where the vendor likes
	AnswerAny                // whatever it is
	AnswerXML                // made into JSON by the code of the vendor
	AnswerEventStream        // AWS's event stream, made into JSON by the code of the vendor
)

// Paging says how the next page is asked for.
//
// In style "cursor" the value at From goes into Argument; with Query, the value is a URL and only that member
// of its query goes there. In style "url" the value at From is the URL of the next page and goes into the
// argument nextPage. In style "offset" Argument grows by the number of Items, as long as they fill Limit, or
// there are More, or fewer than Total, or Last is false. In style "page" Argument counts up to Total.
type Paging struct {
	Style        string `json:"style"`
	Argument     string `json:"argument"`
	From         string `json:"from"` // JSON pointers into the answer
	Query        string `json:"query"`
	Items        string `json:"items"`
	Limit        string `json:"limit"`
	DefaultLimit int    `json:"defaultLimit"`
	More         string `json:"more"`
	Last         string `json:"last"`
	Total        string `json:"total"`
}

// NextPage is the argument that takes the URL of the next page.
const NextPage = "nextPage"

//go:embed documents/*.json
var documents embed.FS

// Set holds the catalogues of all types. Each is read when it is first asked for. It is safe for concurrent
// use.
type Set struct {
	load map[string]func() (*Catalogue, error)
}

// NewSet makes a Set. It reads nothing yet.
func NewSet() *Set {
	s := &Set{load: map[string]func() (*Catalogue, error){}}
	for _, typ := range Types() {
		s.load[typ] = sync.OnceValues(func() (*Catalogue, error) { return builtIn(typ) })
	}
	return s
}

// Catalogue is the catalogue of a type. A type that has none is a fault of kind Unsupported.
func (s *Set) Catalogue(typ string) (*Catalogue, error) {
	load, ok := s.load[typ]
	if !ok {
		return nil, fault.New(fault.Unsupported, SubjectType, "There are no actions for connectors of type %q.", typ)
	}
	return load()
}

// Document is the OpenAPI document of a type, as it is embedded.
func Document(typ string) ([]byte, error) {
	return documents.ReadFile("documents/" + strings.ToLower(typ) + ".json")
}

func builtIn(typ string) (*Catalogue, error) {
	text, err := Document(typ)
	if err != nil {
		return nil, err
	}
	c, err := parse(text, ours)
	if err != nil {
		return nil, fmt.Errorf("catalogue of %s: %w", typ, err)
	}
	if c.Type != typ {
		return nil, fmt.Errorf("catalogue of %s says it is that of %q", typ, c.Type)
	}
	return c, nil
}
