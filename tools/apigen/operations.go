package main

import (
	"fmt"
	"strings"
)

func writeErrors(p *printer, m *model) {
	p.use(module + "internal/wire")
	p.f("// The errors this service declares.")
	p.f("var (")
	for _, s := range m.shapes {
		if !s.isError {
			continue
		}
		message := "message"
		for _, mb := range s.members {
			if mb.goName == "Message" {
				message = mb.name
			}
		}
		p.f("Err%s = &wire.ErrorShape{Name: %q, Code: %q, Status: %d, Server: %t, MessageName: %q}",
			s.goName, s.name, s.code, s.status, s.serverSide, message)
	}
	p.f(")")
}

// invalidInput names the declared error that answers broken constraints. Services that are not here
// use the one their protocol usually has.
var invalidInput = map[string]string{
	"appintegrations":    "InvalidRequestException",
	"quicksight":         "InvalidParameterValueException",
	"redshiftdata":       "ValidationException",
	"redshiftserverless": "ValidationException",
}

// authStatus is the HTTP status of authentication errors where a service has its own.
var authStatus = map[string]int{"dynamodb": 400, "dynamodbstreams": 400}

// readers begin the names of operations that change nothing.
var readers = []string{"Describe", "Get", "List", "Search", "BatchGet", "Query", "Scan"}

func readOnly(name string) bool {
	for _, prefix := range readers {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func writeOperations(p *printer, m *model) {
	p.use("context")
	p.use(module + "internal/identity")
	p.use(module + "internal/wire")
	p.f("// APIVersion is the version of the API these shapes belong to.")
	p.f("const APIVersion = %q\n", m.version)
	p.f("// Operations has one field per operation of the service. A front fills in those it serves; the rest")
	p.f("// answer with the error this service has for an operation that is not offered. The input a handler")
	p.f("// gets has passed every constraint of the model and is the handler's to keep.")
	p.f("type Operations struct {")
	for _, op := range m.operations {
		if op.output == nil {
			p.f("%s func(context.Context, identity.Caller, *%s) error", op.name, op.input.goName)
		} else {
			p.f("%s func(context.Context, identity.Caller, *%s) (*%s, error)", op.name, op.input.goName, op.output.goName)
		}
	}
	p.f("}\n")
	p.f("// Service returns the service that o serves. faults says which declared error a fault becomes.")
	p.f("func (o Operations) Service(faults wire.FaultTable) *wire.Service {")
	p.f("return &wire.Service{")
	p.f("Name: %q,\nSigningName: %q,\nVersion: APIVersion,", m.pkg, m.signing)
	switch m.protocol {
	case awsQuery:
		p.f("Protocol: wire.AWSQuery,\nXMLNamespace: %q,", m.xmlNS)
	case awsJSON:
		p.f("Protocol: wire.AWSJSON,\nTargetPrefix: %q,\nJSONVersion: %q,", m.target, m.jsonMinor)
	case restJSON:
		p.f("Protocol: wire.RESTJSON,")
	}
	p.f("Faults: faults,")
	if name := invalidInput[m.pkg]; name != "" {
		p.f("InvalidInput: Err%s,", name)
	}
	if status := authStatus[m.pkg]; status != 0 {
		p.f("AuthStatus: %d,", status)
	}
	p.f("Errors: []*wire.ErrorShape{")
	for _, s := range m.shapes {
		if s.isError {
			p.f("Err%s,", s.goName)
		}
	}
	p.f("},")
	p.f("Operations: []wire.Operation{")
	need := needsCheck(m)
	for _, op := range m.operations {
		writeOperation(p, m, op, need)
	}
	p.f("},\n}\n}")
}

func writeOperation(p *printer, m *model, op *operation, need map[*shape]bool) {
	fields := []string{fmt.Sprintf("Name: %q", op.name)}
	if readOnly(op.name) {
		fields = append(fields, "ReadOnly: true")
	}
	if op.wrapper != "" {
		fields = append(fields, fmt.Sprintf("Result: %q", op.wrapper))
	}
	if op.method != "" {
		fields = append(fields, fmt.Sprintf("Method: %q, URI: %q, Status: %d", op.method, op.uri, op.code))
	}
	var errs []string
	for _, e := range op.errors {
		errs = append(errs, "Err"+e.goName)
	}
	if len(errs) > 0 {
		fields = append(fields, "Errors: []*wire.ErrorShape{"+strings.Join(errs, ", ")+"}")
	}
	kind, decode := "Query", "decode"+op.input.goName
	switch m.protocol {
	case awsJSON:
		kind = "JSON"
	case restJSON:
		kind, decode = "REST", "request"+op.name
	}
	handler, out := "o."+op.name, "struct{}"
	codec := []string{"Decode: " + decode}
	if need[op.input] {
		codec = append(codec, "Check: check"+op.input.goName)
	}
	if op.output == nil {
		handler = "wire.NoOutput(" + handler + ")"
	} else {
		out = op.output.goName
		codec = append(codec, "Encode: append"+out)
		for _, mb := range op.output.members {
			if mb.statusCode {
				codec = append(codec, fmt.Sprintf("Status: func(v *%s) *int32 { return v.%s }", out, mb.goName))
			}
		}
	}
	p.f("wire.%sOperation(wire.Operation{%s}, %s,", kind, strings.Join(fields, ", "), handler)
	p.f("wire.%sCodec[%s, %s]{%s}),", kind, op.input.goName, out, strings.Join(codec, ", "))
}
