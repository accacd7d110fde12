package wire

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/awsquery"
)

const formType = "application/x-www-form-urlencoded"

// mediaType is a request's Content-Type without parameters, in lower case.
func mediaType(r *http.Request) string {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// resolve finds the operation of a request and takes its message apart as far as that needs. The
// operation is known even where it cannot be called.
func (s *service) resolve(r *http.Request, body []byte, m *message) (*Operation, *failure) {
	var op *Operation
	var f *failure
	switch s.Protocol {
	case AWSQuery:
		op, f = s.resolveQuery(r, body, m)
	case AWSJSON:
		op, f = s.resolveJSON(r, body, m)
	default:
		op, f = s.resolveREST(r, body, m)
	}
	if f == nil && !op.Served() {
		f = s.failed(condNotServed, fmt.Sprintf("Penstock does not serve the operation %s of %s yet.", op.Name, s.Name))
	}
	return op, f
}

func (s *service) resolveQuery(r *http.Request, body []byte, m *message) (*Operation, *failure) {
	form := ""
	switch r.Method {
	case http.MethodPost:
		if kind := mediaType(r); len(body) > 0 && kind != formType {
			return nil, s.failed(condMediaType, fmt.Sprintf("The body's Content-Type must be %s, found %q.", formType, shorten(kind)))
		}
		form = string(body)
	case http.MethodGet:
	default:
		return nil, s.wrongMethod(r, http.MethodPost, http.MethodGet)
	}
	req, err := awsquery.Parse(r.URL.RawQuery, form)
	if err != nil {
		return nil, s.failed(problemConditions[err.Problem], err.Message)
	}
	if req.Action == "" {
		return nil, s.failed(condNoAction, "The request names no operation: it must contain the parameter Action.")
	}
	op := s.operations[req.Action]
	if op == nil || req.Version != "" && req.Version != s.Version {
		version := req.Version
		if version == "" {
			version = s.Version
		}
		return nil, s.failed(condUnknownOperation,
			fmt.Sprintf("Could not find operation %s for version %s.", shorten(req.Action), shorten(version)))
	}
	m.query = req.Input
	return op, nil
}

func (s *service) resolveJSON(r *http.Request, body []byte, m *message) (*Operation, *failure) {
	if r.Method != http.MethodPost {
		return nil, s.wrongMethod(r, http.MethodPost)
	}
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		return nil, s.failed(condNoAction, "The request names no operation: it must have the header X-Amz-Target.")
	}
	prefix, name, _ := strings.Cut(target, ".")
	op := s.operations[name]
	if op == nil || prefix != s.TargetPrefix {
		return nil, s.failed(condUnknownOperation, fmt.Sprintf("There is no operation %s.", shorten(target)))
	}
	if kind := mediaType(r); kind != "application/x-amz-json-1.0" && kind != "application/x-amz-json-1.1" {
		return op, s.failed(condMediaType,
			fmt.Sprintf("The Content-Type must be application/x-amz-json-%s, found %q.", s.JSONVersion, shorten(kind)))
	}
	m.body = body
	return op, nil
}

func (s *service) resolveREST(r *http.Request, body []byte, m *message) (*Operation, *failure) {
	m.match = s.routes.Find(r.Method, r.URL.EscapedPath())
	if m.match.Index < 0 {
		if len(m.match.Allowed) > 0 {
			return nil, s.wrongMethod(r, m.match.Allowed...)
		}
		f := s.failed(condUnknownOperation, fmt.Sprintf("There is no operation %s %s.", r.Method, shorten(r.URL.Path)))
		f.status = http.StatusNotFound
		return nil, f
	}
	op := &s.Operations[m.match.Index]
	kind := mediaType(r)
	if len(body) > 0 && kind != "" && kind != "application/json" && !strings.HasPrefix(kind, "application/x-amz-json-") {
		return op, s.failed(condMediaType, fmt.Sprintf("The body's Content-Type must be application/json, found %q.", shorten(kind)))
	}
	m.body, m.rawQuery = body, r.URL.RawQuery
	return op, nil
}

func (s *service) wrongMethod(r *http.Request, allowed ...string) *failure {
	slices.Sort(allowed)
	f := s.failed(condMethod, fmt.Sprintf("The method %s is not allowed here; use %s.", shorten(r.Method), strings.Join(allowed, " or ")))
	f.allow = allowed
	return f
}

// begin appends what comes before an operation's output.
func (s *service) begin(b []byte, op *Operation) []byte {
	if s.Protocol != AWSQuery {
		return b
	}
	b = append(b, '<')
	b = append(b, op.Name...)
	b = append(b, `Response xmlns="`...)
	b = append(b, s.XMLNamespace...)
	b = append(b, `">`...)
	if op.Result != "" {
		b = append(b, '<')
		b = append(b, op.Result...)
		b = append(b, '>')
	}
	return b
}

// end appends what comes after it.
func (s *service) end(b []byte, op *Operation, requestID string) []byte {
	if s.Protocol != AWSQuery {
		if len(b) == 0 {
			b = append(b, '{', '}')
		}
		return b
	}
	if op.Result != "" {
		b = append(b, '<', '/')
		b = append(b, op.Result...)
		b = append(b, '>')
	}
	b = append(b, "<ResponseMetadata><RequestId>"...)
	b = append(b, requestID...)
	b = append(b, "</RequestId></ResponseMetadata></"...)
	b = append(b, op.Name...)
	return append(b, "Response>"...)
}

// appendFailure appends the body of an error.
func (s *service) appendFailure(b []byte, f *failure, requestID string) []byte {
	if s.Protocol != AWSQuery {
		b = append(b, `{"__type":`...)
		b = awsjson.AppendString(b, f.code)
		b = append(b, ',', '"')
		b = append(b, f.messageName...)
		b = append(b, '"', ':')
		b = awsjson.AppendString(b, f.message)
		if f.members != nil {
			b = f.members.AppendErrorMembers(b)
		}
		if s.RequestIDInErrors {
			b = append(b, `,"RequestId":`...)
			b = awsjson.AppendString(b, requestID)
		}
		return append(b, '}')
	}
	side := "Sender"
	if f.server {
		side = "Receiver"
	}
	b = append(b, `<ErrorResponse xmlns="`...)
	b = append(b, s.XMLNamespace...)
	b = append(b, `"><Error><Type>`...)
	b = append(b, side...)
	b = append(b, "</Type><Code>"...)
	b = awsquery.AppendText(b, f.code)
	b = append(b, "</Code><Message>"...)
	b = awsquery.AppendText(b, f.message)
	b = append(b, "</Message></Error><RequestId>"...)
	b = append(b, requestID...)
	return append(b, "</RequestId></ErrorResponse>"...)
}

func (s *service) contentType() string {
	switch s.Protocol {
	case AWSQuery:
		return "text/xml"
	case AWSJSON:
		if s.JSONVersion == "1.0" {
			return "application/x-amz-json-1.0"
		}
		return "application/x-amz-json-1.1"
	}
	return "application/json"
}

// shorten keeps what a client sent from filling the answer.
func shorten(s string) string {
	if len(s) > 128 {
		s = s[:128] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
