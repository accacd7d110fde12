package catalog

import (
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// builder makes parameters, body and argument schema of one operation.
type builder struct {
	*parser
	where      string
	action     *Action
	taken      map[string]bool
	properties map[string]any
	required   []string
	defs       map[string]any // schemas that contain themselves
	nodes      int            // how much of schemas was written out
}

// ignored are header parameters that OpenAPI tells tools to ignore, and those that are not an action's to set.
func ignored(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Accept", "Content-Type", "Authorization", "Proxy-Authorization", "Cookie", "Host", "Content-Length",
		"Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade", "Expect":
		return true
	}
	return false
}

func (b *builder) parameters(item *openapi3.PathItem, op *openapi3.Operation) {
	var all []*openapi3.Parameter
	for _, ref := range slices.Concat(op.Parameters, item.Parameters) {
		// The operation's own come first and win over those of the path.
		if ref.Value != nil && !slices.ContainsFunc(all, func(p *openapi3.Parameter) bool { return p.In == ref.Value.In && p.Name == ref.Value.Name }) {
			all = append(all, ref.Value)
		}
	}
	for _, in := range []string{"path", "query", "header"} {
		for _, p := range all {
			if p.In == in && !(in == "header" && ignored(p.Name)) {
				b.parameter(p)
			}
		}
	}
	for _, p := range all {
		if p.In == "cookie" {
			b.note("The cookie %q of %s has no effect: connectors send no cookies.", p.Name, b.where)
		}
	}
}

func (b *builder) parameter(p *openapi3.Parameter) {
	out := Parameter{Name: p.Name, In: In(p.In), Required: p.Required || p.In == "path", Between: ",", Explode: p.In == "query"}
	if p.Explode != nil {
		out.Explode = *p.Explode
	}
	switch p.Style {
	case "", "form", "simple":
	case "spaceDelimited":
		out.Between = " "
	case "pipeDelimited":
		out.Between = "|"
	default:
		b.fail(b.where, "the parameter %q has the style %q, which is not supported", p.Name, p.Style)
	}
	var local bool
	if b.from == ours {
		b.extension(p.Extensions, "x-penstock-local", &local)
		b.extension(p.Extensions, "x-penstock-multi-segment", &out.Slashes)
	}
	if local {
		out.In = InLocal
	}
	schema, ok := b.inline(p.Schema)
	for mediaType, content := range p.Content {
		if content != nil && strings.HasPrefix(mediaType, "application/json") {
			schema, ok = b.inline(content.Schema)
			out.JSON = true
		}
	}
	if !ok {
		schema = map[string]any{}
	}
	if fixed, ok := schema["const"]; ok {
		out.Fixed = fixed
		b.action.Parameters = append(b.action.Parameters, out)
		return
	}
	describe(schema, p.Description)
	out.Argument = b.name(p.Name, p.In)
	b.property(out.Argument, schema, out.Required)
	b.action.Parameters = append(b.action.Parameters, out)
}

func describe(schema map[string]any, text string) {
	if text = strings.TrimSpace(text); text != "" {
		schema["description"] = text
	}
}

// name makes the name of an argument that is free.
func (b *builder) name(wire, place string) string {
	name := legal(wire)
	for b.taken[name] {
		name = place + "_" + name
	}
	b.taken[name] = true
	return name
}

// legal makes a name that clients of MCP take: 64 letters, digits, _ . and -.
func legal(name string) string {
	name = strings.TrimLeftFunc(name, func(r rune) bool { return !allowed(r) })
	name = strings.TrimRightFunc(name, func(r rune) bool { return !allowed(r) })
	name = strings.Map(func(r rune) rune {
		if allowed(r) {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		name = "value"
	}
	return name[:min(len(name), 64)]
}

func allowed(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-'
}

func (b *builder) property(name string, schema map[string]any, required bool) {
	b.properties[name] = schema
	if required {
		b.required = append(b.required, name)
	}
}

// mediaTypes are those of bodies, the preferred first.
func mediaTypes() []string {
	return []string{"application/json", "application/x-amz-json-1.1", "multipart/form-data", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"}
}

func (b *builder) body(op *openapi3.Operation) {
	if op.RequestBody == nil || op.RequestBody.Value == nil || len(op.RequestBody.Value.Content) == 0 {
		return
	}
	request := op.RequestBody.Value
	var chosen, full string
	for _, want := range mediaTypes() {
		for _, have := range slices.Sorted(maps.Keys(request.Content)) {
			base, _, err := mime.ParseMediaType(have)
			if err == nil && chosen == "" && (base == want || want == "application/json" && strings.HasSuffix(base, "+json") || want == "application/octet-stream" && base == "*/*") {
				chosen, full = want, have
			}
		}
	}
	if chosen == "" {
		b.fail(b.where, "the body is %s; JSON, forms, text/plain and application/octet-stream can be sent", strings.Join(slices.Sorted(maps.Keys(request.Content)), ", "))
		return
	}
	out := &Body{MediaType: full, Required: request.Required}
	if full == "*/*" {
		out.MediaType = chosen
	}
	b.extension(request.Extensions, "x-penstock-argument", &out.Argument)
	schema, ok := b.inline(request.Content[full].Schema)
	if !ok {
		schema = map[string]any{}
	}
	b.action.Body = out
	out.schema = schema
	if b.from == ours {
		b.extension(schema, "x-penstock-unwrap", &out.Unwrap)
	}
	switch chosen {
	case "multipart/form-data":
		out.Kind = BodyMultipart
		b.members(out, schema)
	case "application/x-www-form-urlencoded":
		out.Kind = BodyForm
		b.members(out, schema)
	case "application/octet-stream":
		out.Kind = BodyBinary
		out.Argument = b.name(firstOf(out.Argument, "body"), "body")
		b.binary(out.Argument, request.Description, out.Required, false)
	case "text/plain":
		out.Kind = BodyText
		out.Argument = b.name(firstOf(out.Argument, "body"), "body")
		b.property(out.Argument, map[string]any{"type": "string", "description": firstOf(request.Description, "The text to send.")}, out.Required)
	default:
		if properties, isObject := schema["properties"].(map[string]any); out.Argument == "" && (isObject && len(properties) > 0 || schema["type"] == "object" && combined(schema) == "") {
			out.Kind = BodyObject
			b.members(out, schema)
			return
		}
		out.Kind = BodyWhole
		out.Argument = b.name(firstOf(out.Argument, "body"), "body")
		offered := offer(schema)
		describe(offered, firstOf(text(offered["description"]), request.Description))
		b.property(out.Argument, offered, out.Required)
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func text(v any) string { s, _ := v.(string); return s }

// combined names a keyword that makes an object's members depend on more than its properties.
func combined(schema map[string]any) string {
	for _, keyword := range []string{"oneOf", "anyOf", "allOf", "not", "if", "patternProperties", "$ref"} {
		if _, ok := schema[keyword]; ok {
			return keyword
		}
	}
	return ""
}

// members makes the properties of an object or a form arguments.
func (b *builder) members(out *Body, schema map[string]any) {
	if inner, ok := schema["properties"].(map[string]any)[out.Unwrap].(map[string]any); ok && out.Unwrap != "" {
		schema = inner
	}
	properties, _ := schema["properties"].(map[string]any)
	required := names(schema["required"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		if property["readOnly"] == true {
			continue
		}
		m := Member{Name: name, Argument: b.name(name, "body")}
		if binary(property) && out.Kind == BodyMultipart {
			m.Binary = true
			b.binary(m.Argument, text(property["description"]), out.Required && slices.Contains(required, name), true)
		} else {
			_, fixed := property["const"]
			b.property(m.Argument, offer(property), out.Required && slices.Contains(required, name) && !fixed)
		}
		out.Members = append(out.Members, m)
	}
	switch more := schema["additionalProperties"].(type) {
	case bool:
		out.Open = more
	case map[string]any:
		out.Open = true
	}
	if least, ok := schema["minProperties"].(float64); ok {
		out.Least = int(least)
	}
	if len(properties) == 0 && schema["additionalProperties"] == nil {
		out.Open = true // an object nothing is said about
	}
}

func names(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func binary(schema map[string]any) bool {
	return schema["format"] == "binary" || text(schema["contentMediaType"]) == "application/octet-stream"
}

// binary offers bytes as text or base64.
func (b *builder) binary(name, description string, required, file bool) {
	b.property(name, map[string]any{"type": "string", "description": firstOf(description, "What is sent.") + " Text, or base64 with " + name + "Encoding."}, required)
	for suffix, schema := range map[string]map[string]any{
		"Encoding":    {"type": "string", "enum": []any{"text", "base64"}, "description": "How " + name + " is written; text if absent."},
		"ContentType": {"type": "string", "pattern": `^[!-~]+/[ -~]+$`, "description": "What " + name + " is: application/pdf."},
	} {
		b.taken[name+suffix] = true
		b.property(name+suffix, schema, false)
	}
	if file {
		b.taken[name+"Name"] = true
		b.property(name+"Name", map[string]any{"type": "string", "minLength": 1, "maxLength": 255, "pattern": `^[^\x00-\x1f/\\"]+$`, "description": "Name of the file."}, required)
	}
}

// paging sees that the next page can be asked for as the document says.
func (b *builder) paging() {
	p := b.action.Paging
	switch {
	case p == nil:
	case p.Style == "url":
		if b.from == users && !b.taken[NextPage] {
			b.action.Parameters = append(b.action.Parameters, Parameter{Name: NextPage, Argument: b.name(NextPage, "page"), In: InLocal})
			b.property(NextPage, map[string]any{"type": "string", "minLength": 1, "description": "The next page as the previous answer named it; the other arguments are then ignored."}, false)
		}
	case p.Style == "cursor" || p.Style == "offset" || p.Style == "page":
		p.Argument = firstOf(legal(p.Argument), p.Argument)
		if b.properties[p.Argument] == nil {
			b.fail(b.where, "x-penstock-paging names the argument %q, which the operation does not have", p.Argument)
		}
	default:
		b.fail(b.where, "x-penstock-paging has the style %q; it is cursor, url, offset or page", p.Style)
	}
}

// finish makes the schema of the arguments.
func (b *builder) finish() {
	b.paging()
	schema := map[string]any{
		"type":                 "object",
		"properties":           b.properties,
		"additionalProperties": b.action.Body != nil && b.action.Body.Open,
	}
	if len(b.required) > 0 {
		slices.Sort(b.required)
		schema["required"] = b.required
	}
	if len(b.defs) > 0 {
		schema["$defs"] = b.defs
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		b.fail(b.where, "its schema cannot be written: %v", err)
		return
	}
	b.action.Arguments = raw
	if b.from == users { // ours are compiled when they are needed, and all of them by a test
		if _, err := b.action.compiled(); err != nil {
			b.fail(b.where, "its schema cannot be used: %s", brief(err))
		}
	}
}

var componentSchema = regexp.MustCompile(`^#/components/schemas/([^/]+)$`)

// inline writes a schema as a map without references to the document. A schema that contains itself goes to
// $defs.
func (b *builder) inline(ref *openapi3.SchemaRef) (map[string]any, bool) {
	if ref == nil {
		return nil, false
	}
	raw, err := json.Marshal(ref)
	if err != nil {
		b.fail(b.where, "a schema cannot be read: %v", err)
		return nil, false
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false
	}
	switch s := b.resolve(v, nil).(type) {
	case map[string]any:
		return s, true
	case bool: // true takes anything, false nothing
		if !s {
			return map[string]any{"not": map[string]any{}}, true
		}
	}
	return map[string]any{}, true
}

// maxNodes bounds what schemas of one operation become when references are written out: a small document can
// make them grow without end.
const maxNodes = 20000

// resolve writes a schema without references and without what only OpenAPI has. within names the components it
// is part of.
func (b *builder) resolve(v any, within []string) any {
	if b.nodes++; b.nodes > maxNodes {
		if b.nodes == maxNodes+1 {
			b.fail(b.where, "its schemas are larger than %d parts when references are followed", maxNodes)
		}
		return map[string]any{}
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = b.resolve(v[i], within)
		}
		return out
	case map[string]any:
		if target, ok := v["$ref"].(string); ok {
			return b.refer(target, within)
		}
		out := make(map[string]any, len(v))
		for key, value := range v {
			switch key {
			case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions":
				out[key] = b.each(value, within)
			case "const", "enum", "default", "required", "x-penstock-unwrap":
				out[key] = value
			case "x-amzn-form-display-name":
				out["title"] = value
			case "example", "examples", "xml", "discriminator", "externalDocs", "deprecated", "nullable":
			default:
				if !strings.HasPrefix(key, "x-") {
					out[key] = b.resolve(value, within)
				}
			}
		}
		modernise(v, out)
		return out
	}
	return v
}

// each resolves schemas that stand under names.
func (b *builder) each(v any, within []string) any {
	named, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(named))
	for name, schema := range named {
		out[name] = b.resolve(schema, within)
	}
	return out
}

// modernise writes what OpenAPI 3.0 says in its own way as JSON Schema.
func modernise(old, out map[string]any) {
	if t, ok := out["type"].(string); ok && old["nullable"] == true {
		out["type"] = []any{t, "null"}
		if list, ok := out["enum"].([]any); ok && !slices.Contains(list, nil) {
			out["enum"] = append(slices.Clone(list), nil)
		}
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		if flag, ok := out[exclusive].(bool); ok {
			delete(out, exclusive)
			if value, has := out[bound]; flag && has {
				out[exclusive] = value
				delete(out, bound)
			}
		}
	}
}

func (b *builder) refer(target string, within []string) any {
	m := componentSchema.FindStringSubmatch(target)
	if m == nil || b.doc.Components == nil || b.doc.Components.Schemas[m[1]] == nil {
		b.fail(b.where, "the reference %q leads nowhere; schemas are looked up in #/components/schemas", target)
		return map[string]any{}
	}
	name := legal(m[1])
	if slices.Contains(within, name) {
		if _, ok := b.defs[name]; !ok {
			b.defs[name] = true // holds the place while it is made
			b.defs[name] = b.resolve(b.component(m[1]), slices.Concat(within, []string{name}))
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	}
	return b.resolve(b.component(m[1]), append(slices.Clone(within), name))
}

// component reads a schema of the document once: references to it may be many.
func (p *parser) component(name string) any {
	if v, ok := p.components[name]; ok {
		return v
	}
	raw, err := json.Marshal(p.doc.Components.Schemas[name])
	var v any
	if err != nil || json.Unmarshal(raw, &v) != nil {
		p.fail("components", "the schema %q cannot be read", name)
	}
	p.components[name] = v
	return v
}
