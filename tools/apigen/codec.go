package main

import "fmt"

// runtime is the package whose decoders and encoders the protocol uses.
func (m *model) runtime() string {
	if m.protocol == awsQuery {
		return "awsquery"
	}
	return "awsjson"
}

// writeDecoders writes a function for each structure that can arrive, which decodes it and returns it
// by value.
func writeDecoders(p *printer, m *model) {
	p.use(module + "internal/wire/" + m.runtime())
	for _, s := range m.shapes {
		if !s.in || s.goName == "" {
			continue
		}
		if m.protocol == awsQuery {
			queryDecoder(p, s)
		} else {
			jsonDecoder(p, s)
		}
	}
	if m.protocol == restJSON {
		p.use(module + "internal/wire/restjson")
		for _, op := range m.operations {
			restDecoder(p, op)
		}
	}
}

func queryDecoder(p *printer, s *shape) {
	p.f("func decode%s(d *awsquery.Decoder, in awsquery.Value) %s {", s.goName, s.goName)
	p.f("var v %s", s.goName)
	if len(s.members) == 0 {
		p.f("for _, f := range d.Members(in) {\nd.Unknown(f)\n}\nreturn v\n}\n")
		return
	}
	p.f("for name, f := range d.Members(in) {")
	p.f("switch name {")
	for _, mb := range s.members {
		p.f("case %q:", mb.wire)
		switch mb.shape.kind {
		case "list", "map":
			p.f("v.%s = %s", mb.goName, queryValue(mb.shape, "d", "f"))
		default:
			p.f("v.%s = awsquery.Ptr(d, f, %s)", mb.goName, queryFunc(mb.shape))
		}
	}
	p.f("default:\nd.Unknown(f)\n}\n}\nreturn v\n}\n")
}

// queryValue is an expression that decodes the value in with the decoder d.
func queryValue(s *shape, d, in string) string {
	switch s.kind {
	case "list":
		return fmt.Sprintf("awsquery.List(%s, %s, %q, %s)", d, in, s.elem.wire, queryFunc(s.elem.shape))
	case "map":
		return fmt.Sprintf("awsquery.Map(%s, %s, %q, %q, %s)", d, in, s.key.wire, s.val.wire, queryFunc(s.val.shape))
	}
	return fmt.Sprintf("%s(%s, %s)", queryFunc(s), d, in)
}

// scalars names the methods of the decoders, and the functions of the encoders, for the simple kinds.
var scalars = map[string]string{
	"string": "String", "enum": "String", "boolean": "Bool", "integer": "Int32", "long": "Int64",
	"double": "Float64", "timestamp": "Time", "blob": "Blob", kindRaw: "Raw",
}

// queryFunc is a function that decodes one value of the shape.
func queryFunc(s *shape) string {
	switch s.kind {
	case "structure", "union":
		return "decode" + s.goName
	case "list", "map":
		return fmt.Sprintf("func(d *awsquery.Decoder, in awsquery.Value) %s { return %s }", elemType(s), queryValue(s, "d", "in"))
	}
	return "(*awsquery.Decoder)." + scalars[s.kind]
}

func jsonDecoder(p *printer, s *shape) {
	p.f("func decode%s(d *awsjson.Decoder) %s {", s.goName, s.goName)
	p.f("var v %s", s.goName)
	p.f("if !d.Object() {\nreturn v\n}")
	var cases int
	for _, mb := range s.members {
		if mb.inBody() {
			cases++
		}
	}
	if cases == 0 {
		p.f("for name := d.Member(); name != nil; name = d.Member() {\nd.Unknown()\n}\nreturn v\n}\n")
		return
	}
	p.f("for name := d.Member(); name != nil; name = d.Member() {")
	p.f("switch string(name) {")
	for _, mb := range s.members {
		if !mb.inBody() {
			continue
		}
		p.f("case %q:", mb.name)
		switch mb.shape.kind {
		case "list", "map":
			p.f("v.%s = %s", mb.goName, jsonValue(mb.shape, "d"))
		case "blob":
			p.f("if !d.Null() {\nv.%s = d.Blob()\n}", mb.goName)
		case kindRaw:
			p.f("if !d.Null() {\nv.%s = d.Raw()\n}", mb.goName)
		default:
			p.f("v.%s = awsjson.Ptr(d, %s)", mb.goName, jsonFunc(mb.shape))
		}
	}
	p.f("default:\nd.Unknown()\n}\n}\nreturn v\n}\n")
}

func jsonValue(s *shape, d string) string {
	switch s.kind {
	case "list":
		return fmt.Sprintf("awsjson.List(%s, %s)", d, jsonFunc(s.elem.shape))
	case "map":
		return fmt.Sprintf("awsjson.Map(%s, %s)", d, jsonFunc(s.val.shape))
	}
	return fmt.Sprintf("%s(%s)", jsonFunc(s), d)
}

func jsonFunc(s *shape) string {
	switch s.kind {
	case "structure", "union":
		return "decode" + s.goName
	case "list", "map":
		return fmt.Sprintf("func(d *awsjson.Decoder) %s { return %s }", elemType(s), jsonValue(s, "d"))
	case "timestamp":
		if s.isoTime {
			return "(*awsjson.Decoder).TimeISO"
		}
	}
	return "(*awsjson.Decoder)." + scalars[s.kind]
}

// restDecoder writes the function that puts an operation's input together from path, query and body.
func restDecoder(p *printer, op *operation) {
	s := op.input
	p.f("func request%s(r *restjson.Request) %s {", op.name, s.goName)
	p.f("v := restjson.Body(r, decode%s)", s.goName)
	for _, mb := range s.members {
		switch {
		case mb.label != "":
			p.f("v.%s = r.Label(%q)", mb.goName, mb.label)
		case mb.query != "" && mb.shape.kind == "list":
			p.f("v.%s = r.QueryStrings(%q)", mb.goName, mb.query)
		case mb.query != "" && mb.shape.kind == "integer":
			p.f("v.%s = r.QueryInt32(%q)", mb.goName, mb.query)
		case mb.query != "":
			p.f("v.%s = r.QueryString(%q)", mb.goName, mb.query)
		}
	}
	p.f("return v\n}\n")
}

// writeEncoders writes a function for each shape that can go out, which appends it.
func writeEncoders(p *printer, m *model) {
	p.use(module + "internal/wire/" + m.runtime())
	for _, s := range m.shapes {
		if s.out || s.asErr {
			switch {
			case s.isError && hasStruct(s):
				errorEncoder(p, m, s)
			case s.isError:
			case m.protocol == awsQuery:
				xmlEncoder(p, s)
			default:
				jsonEncoder(p, s)
			}
		}
	}
}

func xmlEncoder(p *printer, s *shape) {
	switch s.kind {
	case "structure", "union":
		p.f("func append%s(b []byte, v *%s) []byte {", s.goName, s.goName)
		for _, mb := range s.members {
			value := "v." + mb.goName
			p.f("if %s != nil {", value)
			if pointer(mb.shape) {
				value = "*" + value
			}
			p.f("b = append(b, \"<%s>\"...)", mb.wire)
			xmlValue(p, mb.shape, value)
			p.f("b = append(b, \"</%s>\"...)\n}", mb.wire)
		}
		p.f("return b\n}\n")
	case "list":
		p.f("func append%s(b []byte, v %s) []byte {", exported(s.name), elemType(s))
		p.f("for i := range v {")
		p.f("b = append(b, \"<%s>\"...)", s.elem.wire)
		xmlValue(p, s.elem.shape, "v[i]")
		p.f("b = append(b, \"</%s>\"...)\n}\nreturn b\n}\n", s.elem.wire)
	case "map":
		p.f("func append%s(b []byte, v %s) []byte {", exported(s.name), elemType(s))
		p.f("for _, k := range awsquery.SortedKeys(v) {")
		p.f("b = append(b, \"<entry><%s>\"...)", s.key.wire)
		p.f("b = awsquery.AppendText(b, k)")
		p.f("b = append(b, \"</%s><%s>\"...)", s.key.wire, s.val.wire)
		p.f("e := v[k]")
		xmlValue(p, s.val.shape, "e")
		p.f("b = append(b, \"</%s></entry>\"...)\n}\nreturn b\n}\n", s.val.wire)
	}
}

// pointer reports whether a member of the shape is a pointer.
func pointer(s *shape) bool {
	return s.kind != "list" && s.kind != "map" && s.kind != "blob" && s.kind != kindRaw
}

// addressOf is the expression for a pointer to value: taking the address of a dereference is undone.
func addressOf(value string) string {
	if value[0] == '*' {
		return value[1:]
	}
	return "&" + value
}

// xmlValue writes the statement that appends value, an expression of the shape's element type.
func xmlValue(p *printer, s *shape, value string) {
	switch s.kind {
	case "string", "enum":
		p.f("b = awsquery.AppendText(b, %s)", value)
	case "boolean":
		p.use("strconv")
		p.f("b = strconv.AppendBool(b, %s)", value)
	case "integer", "long":
		p.use("strconv")
		p.f("b = strconv.AppendInt(b, int64(%s), 10)", value)
	case "double":
		p.f("b = awsquery.AppendFloat(b, %s)", value)
	case "timestamp":
		p.f("b = awsquery.AppendTime(b, %s)", value)
	case "structure", "union":
		p.f("b = append%s(b, %s)", s.goName, addressOf(value))
	default:
		p.f("b = append%s(b, %s)", exported(s.name), value)
	}
}

func jsonEncoder(p *printer, s *shape) {
	switch s.kind {
	case "structure", "union":
		p.f("func append%s(b []byte, v *%s) []byte {", s.goName, s.goName)
		p.f("start := len(b)")
		jsonMembers(p, s.members)
		p.f("return awsjson.Close(b, start)\n}\n")
	case "list":
		p.f("func append%s(b []byte, v %s) []byte {", exported(s.name), elemType(s))
		p.f("b = append(b, '[')\nfor i := range v {\nif i > 0 {\nb = append(b, ',')\n}")
		jsonAppend(p, s.elem.shape, "v[i]")
		p.f("}\nreturn append(b, ']')\n}\n")
	case "map":
		p.f("func append%s(b []byte, v %s) []byte {", exported(s.name), elemType(s))
		p.f("start := len(b)")
		p.f("for _, k := range awsjson.SortedKeys(v) {")
		p.f("b = append(b, ',')\nb = awsjson.AppendString(b, k)\nb = append(b, ':')")
		p.f("e := v[k]")
		jsonAppend(p, s.val.shape, "e")
		p.f("}\nreturn awsjson.Close(b, start)\n}\n")
	}
}

func jsonMembers(p *printer, members []*member) {
	for _, mb := range members {
		if !mb.inBody() {
			continue
		}
		value := "v." + mb.goName
		p.f("if %s != nil {", value)
		if pointer(mb.shape) {
			value = "*" + value
		}
		p.f("b = append(b, `,%q:`...)", mb.name)
		jsonAppend(p, mb.shape, value)
		p.f("}")
	}
}

// errorEncoder writes the method that makes an error's structure a wire.ErrorMembers.
func errorEncoder(p *printer, m *model, s *shape) {
	if m.protocol == awsQuery {
		return // no error of a query service has members; render refuses one that does
	}
	p.f("// AppendErrorMembers implements wire.ErrorMembers.")
	p.f("func (v *%s) AppendErrorMembers(b []byte) []byte {", s.goName)
	jsonMembers(p, errorMembers(s))
	p.f("return b\n}\n")
}

func jsonAppend(p *printer, s *shape, value string) {
	switch s.kind {
	case "string", "enum":
		p.f("b = awsjson.AppendString(b, %s)", value)
	case "boolean":
		p.use("strconv")
		p.f("b = strconv.AppendBool(b, %s)", value)
	case "integer", "long":
		p.use("strconv")
		p.f("b = strconv.AppendInt(b, int64(%s), 10)", value)
	case "double":
		p.f("b = awsjson.AppendFloat(b, %s)", value)
	case "timestamp":
		if s.isoTime {
			p.f("b = awsjson.AppendTimeISO(b, %s)", value)
		} else {
			p.f("b = awsjson.AppendTime(b, %s)", value)
		}
	case "blob":
		p.f("b = awsjson.AppendBlob(b, %s)", value)
	case kindRaw:
		p.f("b = append(b, %s...)", value)
	case "structure", "union":
		p.f("b = append%s(b, %s)", s.goName, addressOf(value))
	default:
		p.f("b = append%s(b, %s)", exported(s.name), value)
	}
}
