package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// A model is one api-models file: a Smithy JSON AST, with every target resolved and every name given
// its Go form.
type model struct {
	file       string // base name without extension
	pkg        string // Go package
	service    string // shape name of the service
	version    string // API version
	sdkID      string // AWS's name of the service
	signing    string // SigV4 signing name
	protocol   protocol
	xmlNS      string
	target     string // X-Amz-Target prefix
	jsonMinor  string // "1.0" or "1.1"
	operations []*operation
	shapes     []*shape // sorted by name
}

type protocol string

const (
	awsQuery protocol = "awsQuery"
	awsJSON  protocol = "awsJson"
	restJSON protocol = "restJson1"
)

type operation struct {
	name    string
	input   *shape
	output  *shape // nil: the operation answers with nothing
	errors  []*shape
	wrapper string // query: result element; empty for none
	method  string // rest
	uri     string
	code    int
}

type shape struct {
	name      string
	kind      string // Smithy's type
	goName    string // structures and unions
	members   []*member
	elem      *member // list
	key, val  *member // map
	enum      []string
	length    *bounds
	rng       *bounds
	pattern   string
	sensitive bool
	isoTime   bool // timestamp in date-time form where the protocol's default is epoch seconds
	oneOf     bool // exactly one member: unions, and structures that behave as one

	isError    bool
	serverSide bool
	code       string
	status     int

	in, out, asErr bool // reachable from an input, an output, an error
}

type member struct {
	name       string // in the model, and in JSON
	goName     string
	wire       string // in the query protocol
	path       string // in validation messages
	shape      *shape
	required   bool
	label      string // rest: name of the label
	query      string // rest: name of the query parameter
	statusCode bool   // rest: the HTTP status
}

// inBody reports whether the member travels in the body. The HTTP status does too: older clients read it there.
func (m *member) inBody() bool { return m.label == "" && m.query == "" }

type bounds struct{ Min, Max *json.Number }

// The JSON AST as stored.
type (
	rawModel struct {
		Shapes map[string]rawShape
	}
	rawShape struct {
		Type       string
		Version    string
		Members    rawMembers
		Member     *rawMember
		Key        *rawMember
		Value      *rawMember
		Input      *rawRef
		Output     *rawRef
		Errors     []rawRef
		Operations []rawRef
		Traits     map[string]json.RawMessage
	}
	rawMember struct {
		Target string
		Traits map[string]json.RawMessage
	}
	rawRef      struct{ Target string }
	rawMembers  []namedMember // in the order of the file
	namedMember struct {
		name string
		rawMember
	}
)

func (ms *rawMembers) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		m := namedMember{name: name.(string)}
		if err := dec.Decode(&m.rawMember); err != nil {
			return err
		}
		*ms = append(*ms, m)
	}
	return nil
}

// knownTraits are the traits this generator honours, or knows to have no effect on the wire. Any other
// stops it: a constraint that is silently ignored is worse than none.
var knownTraits = []string{
	"aws.api#service", "aws.auth#sigv4", "aws.json#targetPrefix", "aws.json#version", "aws.label#name",
	"aws.protocols#awsJson1_0", "aws.protocols#awsJson1_1", "aws.protocols#awsQuery", "aws.protocols#awsQueryError",
	"aws.protocols#restJson1", "aws.query#resultWrapper", "smithy.api#enumValue", "smithy.api#error",
	"smithy.api#http", "smithy.api#httpError", "smithy.api#httpLabel", "smithy.api#httpQuery",
	"smithy.api#httpResponseCode", "smithy.api#idempotencyToken", "smithy.api#idempotent", "smithy.api#length",
	"smithy.api#pattern", "smithy.api#range", "smithy.api#required", "smithy.api#sensitive",
	"smithy.api#timestampFormat", "smithy.api#xmlName", "smithy.api#xmlNamespace",
}

// memberTraits are those that may stand on a member; constraints must be on the shape it refers to.
var memberTraits = []string{
	"aws.label#name", "smithy.api#enumValue", "smithy.api#httpLabel", "smithy.api#httpQuery",
	"smithy.api#httpResponseCode", "smithy.api#idempotencyToken", "smithy.api#required", "smithy.api#xmlName",
}

// oneOfStructures are plain structures of the models of which exactly one member must be set.
var oneOfStructures = []string{"com.amazonaws.dynamodb#AttributeValue", "com.amazonaws.dynamodbstreams#AttributeValue"}

// extraEnumValues are values that newer clients send and these models lack.
var extraEnumValues = map[string][]string{
	"com.amazonaws.quicksight#ActionConnectorType": {"MODEL_CONTEXT_PROTOCOL"},
}

// extraMembers are members that clients send and these models lack: name and shape, by structure. AWS's user guide
// passes the enabled actions when it creates and updates a connector, where the model has them in answers only.
var extraMembers = map[string]map[string]string{
	"com.amazonaws.quicksight#CreateActionConnectorRequest": {"EnabledActions": "com.amazonaws.quicksight#ActionIdList"},
	"com.amazonaws.quicksight#UpdateActionConnectorRequest": {"EnabledActions": "com.amazonaws.quicksight#ActionIdList"},
}

func load(path string) (*model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var raw rawModel
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	b := builder{raw: raw.Shapes, done: map[string]*shape{}}
	m, err := b.build()
	if err != nil {
		return nil, err
	}
	return m, nil
}

type builder struct {
	raw  map[string]rawShape
	done map[string]*shape
	errs []string
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Sprintf(format, args...))
}

func (b *builder) build() (*model, error) {
	m := &model{}
	ids := make([]string, 0, len(b.raw))
	for id := range b.raw {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var service rawShape
	for _, id := range ids {
		if b.raw[id].Type == "service" {
			service, m.service = b.raw[id], local(id)
		}
	}
	if m.service == "" {
		return nil, fmt.Errorf("no service shape")
	}
	b.service(m, service)
	for _, ref := range service.Operations {
		m.operations = append(m.operations, b.operation(m, ref.Target))
	}
	slices.SortFunc(m.operations, func(x, y *operation) int { return strings.Compare(x.name, y.name) })
	for _, op := range m.operations {
		mark(op.input, func(s *shape) *bool { return &s.in })
		mark(op.output, func(s *shape) *bool { return &s.out })
		for _, e := range op.errors {
			mark(e, func(s *shape) *bool { return &s.asErr })
		}
	}
	for _, id := range ids {
		if s := b.done[id]; s != nil {
			m.shapes = append(m.shapes, s)
		}
	}
	slices.SortFunc(m.shapes, func(x, y *shape) int { return strings.Compare(x.name, y.name) })
	if len(b.errs) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(b.errs, "\n"))
	}
	return m, nil
}

func (b *builder) service(m *model, s rawShape) {
	m.version = s.Version
	b.check(m.service, s.Traits)
	var api struct{ SdkID string }
	var auth struct{ Name string }
	var ns struct{ URI string }
	b.trait(s.Traits, "aws.api#service", &api)
	b.trait(s.Traits, "aws.auth#sigv4", &auth)
	b.trait(s.Traits, "smithy.api#xmlNamespace", &ns)
	b.trait(s.Traits, "aws.json#targetPrefix", &m.target)
	b.trait(s.Traits, "aws.json#version", &m.jsonMinor)
	m.sdkID, m.signing, m.xmlNS = api.SdkID, auth.Name, ns.URI
	for trait, p := range map[string]protocol{
		"aws.protocols#awsQuery": awsQuery, "aws.protocols#awsJson1_0": awsJSON,
		"aws.protocols#awsJson1_1": awsJSON, "aws.protocols#restJson1": restJSON,
	} {
		if _, ok := s.Traits[trait]; ok {
			m.protocol = p
		}
	}
	if m.protocol == "" || m.signing == "" {
		b.fail("service %s: no protocol or no signing name", m.service)
	}
}

func (b *builder) operation(m *model, id string) *operation {
	raw := b.raw[id]
	op := &operation{name: local(id)}
	b.check(op.name, raw.Traits)
	if raw.Input == nil || raw.Input.Target == "smithy.api#Unit" {
		b.fail("operation %s: operations without input are not supported", op.name)
		return op
	}
	op.input = b.shape(raw.Input.Target)
	if raw.Output != nil && raw.Output.Target != "smithy.api#Unit" {
		op.output = b.shape(raw.Output.Target)
	}
	for _, e := range raw.Errors {
		op.errors = append(op.errors, b.shape(e.Target))
	}
	b.trait(raw.Traits, "aws.query#resultWrapper", &op.wrapper)
	var http struct {
		Method, URI string
		Code        int
	}
	if b.trait(raw.Traits, "smithy.api#http", &http) {
		op.method, op.uri, op.code = http.Method, http.URI, http.Code
	} else if m.protocol == restJSON {
		b.fail("operation %s: no http trait", op.name)
	}
	return op
}

func (b *builder) shape(id string) *shape {
	if s := b.done[id]; s != nil {
		return s
	}
	raw, ok := b.raw[id]
	if !ok {
		b.fail("shape %s is referred to and not defined", id)
		return &shape{name: local(id)}
	}
	s := &shape{name: local(id), kind: raw.Type}
	b.done[id] = s // before the members: shapes may be recursive
	if slices.Contains(rawShapes, id) {
		s.kind = kindRaw
		return s
	}
	b.check(s.name, raw.Traits)
	_, s.sensitive = raw.Traits["smithy.api#sensitive"]
	b.trait(raw.Traits, "smithy.api#length", &s.length)
	b.trait(raw.Traits, "smithy.api#range", &s.rng)
	b.trait(raw.Traits, "smithy.api#pattern", &s.pattern)
	var format string
	if b.trait(raw.Traits, "smithy.api#timestampFormat", &format) {
		if format != "date-time" {
			b.fail("shape %s: timestamp format %s is not supported", s.name, format)
		}
		s.isoTime = true
	}
	switch s.kind {
	case "structure", "union":
		s.goName = exported(s.name)
		s.oneOf = s.kind == "union" || slices.Contains(oneOfStructures, id)
		for _, rm := range raw.Members {
			s.members = append(s.members, b.member(rm.name, rm.rawMember))
		}
		for _, name := range slices.Sorted(maps.Keys(extraMembers[id])) {
			s.members = append(s.members, b.member(name, rawMember{Target: extraMembers[id][name]}))
		}
		b.errorTraits(s, raw)
	case "list":
		s.elem = b.member("member", *raw.Member)
	case "map":
		s.key, s.val = b.member("key", *raw.Key), b.member("value", *raw.Value)
		if k := s.key.shape.kind; k != "string" && k != "enum" {
			b.fail("map %s has keys of type %s", s.name, k)
		}
	case "enum":
		for _, rm := range raw.Members {
			value := rm.name
			b.trait(rm.Traits, "smithy.api#enumValue", &value)
			s.enum = append(s.enum, value)
		}
		s.enum = append(s.enum, extraEnumValues[id]...)
	case "string", "boolean", "integer", "long", "double", "timestamp", "blob":
	default:
		b.fail("shape %s: type %q is not supported", s.name, s.kind)
	}
	if s.elem != nil && s.elem.shape.kind == kindRaw || s.val != nil && s.val.shape.kind == kindRaw {
		*s = shape{name: s.name, kind: kindRaw} // what is made of raw values is raw as a whole
	}
	return s
}

func (b *builder) member(name string, raw rawMember) *member {
	for t := range raw.Traits {
		if !slices.Contains(memberTraits, t) {
			b.fail("member %s: trait %s is not supported on a member", name, t)
		}
	}
	m := &member{name: name, goName: exported(name), wire: name, path: strings.ToLower(name[:1]) + name[1:], shape: b.shape(raw.Target)}
	_, m.required = raw.Traits["smithy.api#required"]
	_, m.statusCode = raw.Traits["smithy.api#httpResponseCode"]
	b.trait(raw.Traits, "smithy.api#xmlName", &m.wire)
	b.trait(raw.Traits, "smithy.api#httpQuery", &m.query)
	if _, ok := raw.Traits["smithy.api#httpLabel"]; ok {
		m.label = name
		b.trait(raw.Traits, "aws.label#name", &m.label)
	}
	return m
}

func (b *builder) errorTraits(s *shape, raw rawShape) {
	var side string
	if !b.trait(raw.Traits, "smithy.api#error", &side) {
		return
	}
	s.isError, s.serverSide = true, side == "server"
	s.code, s.status = s.name, 400
	if s.serverSide {
		s.status = 500
	}
	b.trait(raw.Traits, "smithy.api#httpError", &s.status)
	var q struct {
		Code             string
		HTTPResponseCode int
	}
	if b.trait(raw.Traits, "aws.protocols#awsQueryError", &q) {
		s.code, s.status = q.Code, q.HTTPResponseCode
	}
}

// trait decodes a trait into v and reports whether it is there.
func (b *builder) trait(traits map[string]json.RawMessage, name string, v any) bool {
	raw, ok := traits[name]
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		b.fail("trait %s: %v", name, err)
	}
	return true
}

func (b *builder) check(where string, traits map[string]json.RawMessage) {
	for t := range traits {
		if !slices.Contains(knownTraits, t) {
			b.fail("%s: unknown trait %s", where, t)
		}
	}
}

// rawShapes are handed to the handlers as the JSON they are, unchecked, and taken from them as such: values of
// DynamoDB's items, of which there are many and whose rules are the table store's.
var rawShapes = []string{"com.amazonaws.dynamodb#AttributeValue", "com.amazonaws.dynamodbstreams#AttributeValue"}

// kindRaw is the kind of such shapes, and of lists and maps of them.
const kindRaw = "raw"

// mark sets a flag on every shape reachable from s.
func mark(s *shape, flag func(*shape) *bool) {
	if s == nil || *flag(s) {
		return
	}
	*flag(s) = true
	for _, m := range s.members {
		mark(m.shape, flag)
	}
	for _, m := range []*member{s.elem, s.key, s.val} {
		if m != nil {
			mark(m.shape, flag)
		}
	}
}

// local is the part of a shape id after its namespace.
func local(id string) string {
	_, name, _ := strings.Cut(id, "#")
	return name
}
