package main

import (
	"fmt"
	"strings"
)

// render returns the files of the package, by name.
func render(m *model) (map[string][]byte, error) {
	if err := uniqueNames(m); err != nil {
		return nil, err
	}
	if err := supported(m); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, part := range []struct {
		name  string
		doc   string
		write func(*printer, *model)
	}{
		{"shapes_gen.go", packageDoc(m), writeShapes},
		{"errors_gen.go", "", writeErrors},
		{"operations_gen.go", "", writeOperations},
		{"decode_gen.go", "", writeDecoders},
		{"check_gen.go", "", writeChecks},
		{"encode_gen.go", "", writeEncoders},
	} {
		p := &printer{}
		part.write(p, m)
		if p.body.Len() == 0 {
			continue
		}
		src, err := p.source(m, part.doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		files[part.name] = src
	}
	return files, nil
}

func packageDoc(m *model) string {
	return fmt.Sprintf(`Package %s is the wire form of the %s API, version %s: its shapes, operations and
declared errors, with the code that decodes, checks and encodes them.

A nil pointer, slice or map is a member that is absent; an empty one that is not nil is present and
empty. Values of enums are plain strings with constants. Errors that carry nothing but a message have
no structure, only their *wire.ErrorShape.

Everything here is generated; only fronts import it.
`, m.pkg, m.sdkID, m.version)
}

// hasStruct tells whether the shape gets a Go type: structures and unions do, except errors that have
// nothing to say beyond their message.
func hasStruct(s *shape) bool {
	if s.kind != "structure" && s.kind != "union" {
		return false
	}
	return !s.isError || len(errorMembers(s)) > 0
}

// errorMembers are the members of an error other than its message.
func errorMembers(s *shape) []*member {
	var extra []*member
	for _, m := range s.members {
		if !strings.EqualFold(m.name, "message") {
			extra = append(extra, m)
		}
	}
	return extra
}

func writeShapes(p *printer, m *model) {
	for _, s := range m.shapes {
		switch {
		case s.kind == "enum":
			p.f("// Values of %s.", exported(s.name))
			p.f("const (")
			for _, v := range s.enum {
				p.f("%s = %q", enumName(s.name, v), v)
			}
			p.f(")\n")
		case hasStruct(s):
			writeStruct(p, s)
		}
	}
}

func writeStruct(p *printer, s *shape) {
	switch {
	case s.oneOf:
		p.f("// %s holds exactly one of its members.", s.goName)
	case s.isError:
		p.f("// %s holds what the error %s says beyond its message: the Members of a *wire.APIError.", s.goName, s.code)
	}
	members := s.members
	if s.isError {
		members = errorMembers(s)
	}
	p.f("type %s struct {", s.goName)
	for _, mb := range members {
		if mb.shape.kind == "timestamp" {
			p.use("time")
		}
		if mb.shape.kind == kindRaw {
			p.use(module + "internal/wire/awsjson")
		}
		comment := memberComment(mb)
		if s.isError {
			comment = ""
		}
		p.f("%s %s%s", mb.goName, goType(mb.shape), comment)
	}
	p.f("}\n")
}

func memberComment(m *member) string {
	var notes []string
	if m.required {
		notes = append(notes, "required")
	}
	if s := m.shape; s.kind == "enum" {
		notes = append(notes, "one of "+exported(s.name))
	} else if s.kind == "list" && s.elem.shape.kind == "enum" {
		notes = append(notes, "each one of "+exported(s.elem.shape.name))
	}
	if m.shape.sensitive {
		notes = append(notes, "sensitive")
	}
	if m.statusCode {
		notes = append(notes, "the HTTP status")
	}
	if len(notes) == 0 {
		return ""
	}
	return " // " + strings.Join(notes, ", ")
}

// supported refuses what the generated code could not do faithfully.
func supported(m *model) error {
	for _, s := range m.shapes {
		if err := checkable(s); err != nil {
			return err
		}
		if m.protocol == awsQuery && (s.kind == "blob" || s.isError && len(errorMembers(s)) > 0) {
			return fmt.Errorf("shape %s: blobs and errors with members are not supported in the query protocol", s.name)
		}
		if m.protocol == awsQuery && s.isoTime {
			return fmt.Errorf("shape %s: the query protocol has one form of time", s.name)
		}
	}
	for _, op := range m.operations {
		if strings.ContainsAny(op.uri, "?+*") {
			return fmt.Errorf("operation %s: URI %s is not supported", op.name, op.uri)
		}
		for _, mb := range op.input.members {
			if mb.query == "" {
				continue
			}
			switch k := mb.shape.kind; k {
			case "string", "enum", "integer":
			case "list":
				if k := mb.shape.elem.shape.kind; k != "string" && k != "enum" {
					return fmt.Errorf("operation %s: a list of %s in the query is not supported", op.name, k)
				}
			default:
				return fmt.Errorf("operation %s: a %s in the query is not supported", op.name, k)
			}
		}
	}
	return nil
}

// uniqueNames refuses a model whose names collide once they are Go names.
func uniqueNames(m *model) error {
	seen := map[string]string{"Operations": "the operation table", "APIVersion": "a constant"}
	add := func(name, what string) error {
		if other, ok := seen[name]; ok {
			return fmt.Errorf("the Go name %s would stand for both %s and %s", name, other, what)
		}
		seen[name] = what
		return nil
	}
	for _, s := range m.shapes {
		if s.isError {
			if err := add("Err"+s.goName, "error "+s.name); err != nil {
				return err
			}
		}
		if hasStruct(s) {
			if err := add(s.goName, "shape "+s.name); err != nil {
				return err
			}
			members := map[string]bool{}
			for _, mb := range s.members {
				if members[mb.goName] {
					return fmt.Errorf("shape %s has two members %s", s.name, mb.goName)
				}
				members[mb.goName] = true
			}
		}
		for _, v := range s.enum {
			if err := add(enumName(s.name, v), "value "+v+" of "+s.name); err != nil {
				return err
			}
		}
	}
	return nil
}
