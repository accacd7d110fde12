package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Violation is one thing that is wrong with arguments.
type Violation struct {
	Pointer string `json:"pointer"` // JSON pointer to the argument: /fields/summary
	Message string `json:"message"`
}

func (v Violation) String() string {
	if v.Pointer == "" {
		return v.Message
	}
	return v.Pointer + ": " + v.Message
}

// MaxViolations is how many violations are told at once.
const MaxViolations = 50

// Compile reads a JSON Schema that did not come from a document: that of a remote tool. It returns an Action
// that has nothing but an id, the schema and its validation.
func Compile(id string, schema []byte) (*Action, error) {
	a := &Action{ID: id, Arguments: schema}
	_, err := a.compiled()
	return a, err
}

func (a *Action) compiled() (*jsonschema.Schema, error) {
	a.compile.Do(func() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Arguments))
		if err != nil {
			a.broken = err
			return
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.UseLoader(nothing{})
		c.AssertFormat()
		c.UseRegexpEngine(expression)
		if a.broken = c.AddResource("arguments:schema", doc); a.broken == nil {
			a.schema, a.broken = c.Compile("arguments:schema")
		}
	})
	return a.schema, a.broken
}

// nothing loads no schema from elsewhere: neither files nor URLs.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("schemas elsewhere (%s) are not loaded", url)
}

// expression compiles what Go can and takes anything where it cannot: the vendor will judge.
func expression(s string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(s); err == nil {
		return re, nil
	}
	return anything(s), nil
}

type anything string

func (anything) MatchString(string) bool { return true }
func (a anything) String() string        { return string(a) }

// Validate says what is wrong with arguments, whose numbers are json.Number or float64. An error means that the
// schema itself cannot be used.
func (a *Action) Validate(arguments map[string]any) ([]Violation, error) {
	schema, err := a.compiled()
	if err != nil {
		return nil, fmt.Errorf("schema of action %s: %w", a.ID, err)
	}
	var out []Violation
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(arguments); errors.As(err, &invalid) {
		out = a.collect(invalid, nil)
	} else if err != nil {
		return nil, err
	}
	if a.Body != nil && a.Body.Least > 0 && len(out) == 0 {
		if n := a.members(arguments); n < a.Body.Least && (a.Body.Required || n > 0) {
			out = append(out, Violation{"", fmt.Sprintf("nothing is given to send; give %s", a.choices())})
		}
	}
	slices.SortStableFunc(out, func(x, y Violation) int { return strings.Compare(x.Pointer, y.Pointer) })
	out = slices.Compact(out)
	return out[:min(len(out), MaxViolations)], nil
}

// members counts the arguments that go into the body.
func (a *Action) members(arguments map[string]any) int {
	n := 0
	for name := range arguments {
		switch {
		case slices.ContainsFunc(a.Parameters, func(p Parameter) bool { return p.Argument == name }):
		default:
			n++
		}
	}
	return n
}

func (a *Action) choices() string {
	var names []string
	for _, m := range a.Body.Members {
		names = append(names, m.Argument)
	}
	if len(names) > 12 {
		names = append(names[:12], "others")
	}
	return "at least one of " + strings.Join(names, ", ")
}

// collect turns the tree of a validation into violations, each about one value.
func (a *Action) collect(e *jsonschema.ValidationError, out []Violation) []Violation {
	if len(out) >= 4*MaxViolations {
		return out
	}
	at := pointer(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			out = append(out, Violation{at + pointer([]string{name}), "is required"})
		}
		return out
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			said := "is not a member here"
			if len(e.InstanceLocation) == 0 {
				said = "is not an argument of this action" + a.similar(name)
			}
			out = append(out, Violation{at + pointer([]string{name}), said})
		}
		return out
	case *kind.AnyOf, *kind.OneOf:
		// Which alternative was meant is not known, so they are told as one.
		return append(out, Violation{at, "fits none, or more than one, of the forms it can have"})
	case *kind.Type:
		return append(out, Violation{at, fmt.Sprintf("is %s; it must be %s", k.Got, strings.Join(k.Want, " or "))})
	case *kind.Enum:
		return append(out, Violation{at, "must be one of " + list(k.Want)})
	case *kind.Const:
		return append(out, Violation{at, "must be " + list([]any{k.Want})})
	case *kind.Pattern:
		return append(out, Violation{at, "does not match " + k.Want})
	case *kind.Format:
		return append(out, Violation{at, "is no " + k.Want})
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			out = a.collect(cause, out)
		}
		return out
	}
	return append(out, Violation{at, e.ErrorKind.LocalizedString(message.NewPrinter(language.English))})
}

func list(values []any) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprint(v))
	}
	if len(words) > 20 {
		words = append(words[:20], "…")
	}
	return strings.Join(words, ", ")
}

func pointer(path []string) string {
	var out strings.Builder
	for _, p := range path {
		out.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return out.String()
}

// similar suggests arguments for a name that is not one.
func (a *Action) similar(name string) string {
	known := a.ArgumentNames()
	for _, k := range known {
		if strings.EqualFold(k, name) || strings.EqualFold(k, legal(name)) {
			return "; did you mean " + k + "?"
		}
	}
	if len(known) == 0 {
		return ", which takes none"
	}
	if len(known) > 20 {
		known = append(known[:20], "…")
	}
	return "; it takes " + strings.Join(known, ", ")
}

// ArgumentNames lists the arguments that have names, sorted.
func (a *Action) ArgumentNames() []string {
	names := map[string]bool{}
	for _, p := range a.Parameters {
		if p.Argument != "" {
			names[p.Argument] = true
		}
	}
	if a.Body != nil {
		for _, m := range a.Body.Members {
			names[m.Argument] = true
		}
		if a.Body.Argument != "" {
			names[a.Body.Argument] = true
		}
	}
	if len(names) == 0 { // of a remote tool nothing is known but the schema
		var schema struct {
			Properties map[string]any `json:"properties"`
		}
		if json.Unmarshal(a.Arguments, &schema) == nil {
			for name := range schema.Properties {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// offer is a schema as callers see it: what is filled in need not be given, what only answers have is left out.
func offer(schema map[string]any) map[string]any {
	out := maps.Clone(schema)
	if properties, ok := schema["properties"].(map[string]any); ok {
		shown := make(map[string]any, len(properties))
		required := names(schema["required"])
		for name, property := range properties {
			p, isSchema := property.(map[string]any)
			if !isSchema {
				shown[name] = property
				continue
			}
			if p["readOnly"] == true {
				required = slices.DeleteFunc(required, func(s string) bool { return s == name })
				continue
			}
			if _, fixed := p["const"]; fixed {
				required = slices.DeleteFunc(required, func(s string) bool { return s == name })
			}
			shown[name] = offer(p)
		}
		out["properties"] = shown
		delete(out, "required")
		if len(required) > 0 {
			out["required"] = required
		}
	}
	if items, ok := schema["items"].(map[string]any); ok {
		out["items"] = offer(items)
	}
	delete(out, "x-penstock-unwrap")
	return out
}

// Fill adds to a body what its schema fixes: constants that are required, in it and in what it holds. The body
// is changed in place; a body that holds nothing but constants is made if there is none.
func (b *Body) Fill(body any) any {
	if body == nil && b.Kind == BodyObject {
		body = map[string]any{}
	}
	return fill(b.schema, body)
}

func fill(schema map[string]any, v any) any {
	switch v := v.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		required := names(schema["required"])
		for name, property := range properties {
			p, ok := property.(map[string]any)
			if !ok {
				continue
			}
			fixed, isFixed := p["const"]
			switch inner, has := v[name]; {
			case has:
				v[name] = fill(p, inner)
			case isFixed && slices.Contains(required, name):
				v[name] = fixed
			}
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i := range v {
			v[i] = fill(items, v[i])
		}
	}
	return v
}
