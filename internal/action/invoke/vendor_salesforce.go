package invoke

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

const salesforceVersion = "/services/data/v60.0"

var (
	salesforceBase = regexp.MustCompile(`/services/data/v[0-9]+\.[0-9]+$`)
	soqlFrom       = regexp.MustCompile(`(?i)\bFROM\s+([A-Za-z][A-Za-z0-9_]*)`)
	soqlSelect     = regexp.MustCompile(`(?i)^\s*SELECT\s`)
	soqlDate       = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2}))?$`)
	soqlText       = regexp.MustCompile(`'(\\.|[^'\\])*'`)
)

// salesforcePrepare writes the query of a list, and leaves the version to the endpoint if that has one.
func salesforcePrepare(p *plan) []catalog.Violation {
	if salesforceBase.MatchString(strings.TrimRight(p.base.Path, "/")) {
		p.path = strings.TrimPrefix(p.path, salesforceVersion)
	}
	if p.action.Object == "" {
		return nil
	}
	if q, given := p.args["q"].(string); given {
		for _, other := range []string{"fields", "filters", "orderBy", "descending", "limit", "offset"} {
			if _, both := p.args[other]; both {
				return violation("/q", "is a whole query, so "+other+" cannot be given beside it")
			}
		}
		// Texts may contain anything, also the word FROM.
		bare := soqlText.ReplaceAllString(q, "''")
		from := soqlFrom.FindAllStringSubmatch(bare, -1)
		if !soqlSelect.MatchString(bare) || len(from) != 1 || !strings.EqualFold(from[0][1], p.action.Object) {
			return violation("/q", "must be one SELECT from "+p.action.Object+", without others within it")
		}
		return nil
	}
	query, wrong := soql(p)
	if wrong == nil {
		p.setQuery("q", query)
	}
	return wrong
}

func soql(p *plan) (string, []catalog.Violation) {
	var out strings.Builder
	out.WriteString("SELECT ")
	fields, _ := p.args["fields"].([]any)
	if len(fields) == 0 {
		fields = soqlFields(p)
	}
	for i, f := range fields {
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprint(&out, f) // names, by the schema
	}
	out.WriteString(" FROM " + p.action.Object)
	filters, _ := p.args["filters"].([]any)
	for i, f := range filters {
		filter, _ := f.(map[string]any)
		operator, _ := filter["operator"].(string)
		if operator == "" {
			operator = "="
		}
		value, problem := soqlValue(filter["value"], operator == "IN" || operator == "NOT IN")
		if problem != "" {
			return "", violation(fmt.Sprintf("/filters/%d/value", i), problem)
		}
		word := " AND "
		if i == 0 {
			word = " WHERE "
		}
		fmt.Fprintf(&out, "%s%s %s %s", word, filter["field"], operator, value)
	}
	if by := p.text("orderBy"); by != "" {
		out.WriteString(" ORDER BY " + by)
		if p.args["descending"] == true {
			out.WriteString(" DESC")
		}
	}
	if n, given := p.args["limit"]; given {
		fmt.Fprintf(&out, " LIMIT %v", n)
	}
	if n, given := p.args["offset"]; given {
		fmt.Fprintf(&out, " OFFSET %v", n)
	}
	return out.String(), nil
}

// soqlFields are the fields that the schema names as default.
func soqlFields(p *plan) []any {
	var schema struct {
		Properties struct {
			Fields struct {
				Default []any `json:"default"`
			} `json:"fields"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(p.action.Arguments, &schema); err != nil || len(schema.Properties.Fields.Default) == 0 {
		return []any{"Id"}
	}
	return schema.Properties.Fields.Default
}

// soqlValue writes a literal. Quotes and backslashes are escaped; dates go without quotes, as SOQL wants them.
func soqlValue(v any, list bool) (literal, problem string) {
	if items, ok := v.([]any); ok || list {
		if !list {
			return "", "is a list, which only IN and NOT IN take"
		}
		if !ok {
			items = []any{v}
		}
		if len(items) == 0 {
			return "", "is an empty list"
		}
		var words []string
		for _, item := range items {
			word, bad := soqlValue(item, false)
			if bad != "" {
				return "", bad
			}
			words = append(words, word)
		}
		return "(" + strings.Join(words, ", ") + ")", ""
	}
	switch v := v.(type) {
	case nil:
		return "null", ""
	case bool:
		return fmt.Sprint(v), ""
	case json.Number:
		return v.String(), ""
	case string:
		if soqlDate.MatchString(v) {
			return v, ""
		}
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`).Replace(v) + "'", ""
	}
	return "", "must be text, a number, a truth value, null or a list"
}
