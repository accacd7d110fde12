package main

import (
	"strings"
	"unicode"
)

// exported is a model name as an exported Go name: its first letter raised, the rest as AWS spells it.
func exported(name string) string {
	return strings.ToUpper(name[:1]) + name[1:]
}

// enumName is the constant for one value of an enum: PAY_PER_REQUEST of BillingMode becomes
// BillingModePayPerRequest.
func enumName(enum, value string) string {
	var b strings.Builder
	b.WriteString(exported(enum))
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if word == strings.ToUpper(word) {
			word = strings.ToLower(word)
		}
		b.WriteString(exported(word))
	}
	return b.String()
}

// goType is the type of a member of the shape: scalars and structures are pointers, so that absent and
// zero are different things.
func goType(s *shape) string {
	switch s.kind {
	case "list", "map", "blob", kindRaw:
		return elemType(s)
	}
	return "*" + elemType(s)
}

// elemType is the type of an element of a list or map of the shape.
func elemType(s *shape) string {
	switch s.kind {
	case "string", "enum":
		return "string"
	case "boolean":
		return "bool"
	case "integer":
		return "int32"
	case "long":
		return "int64"
	case "double":
		return "float64"
	case "timestamp":
		return "time.Time"
	case "blob":
		return "[]byte"
	case kindRaw:
		return "awsjson.Raw"
	case "list":
		return "[]" + elemType(s.elem.shape)
	case "map":
		return "map[string]" + elemType(s.val.shape)
	}
	return s.goName
}
