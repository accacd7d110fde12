package invoke

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

var servicenowField = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*([.][A-Za-z][A-Za-z0-9_]*)*$`)

// servicenowPrepare adds filters to the encoded query. In an encoded query ^ begins the next condition, so it is
// doubled in values, and values that begin with javascript: are programs, so they are refused.
func servicenowPrepare(p *plan) []catalog.Violation {
	filters, _ := p.args["filters"].([]any)
	var conditions []string
	for i, f := range filters {
		filter, _ := f.(map[string]any)
		field, _ := filter["field"].(string)
		operator, _ := filter["operator"].(string)
		at := fmt.Sprintf("/filters/%d", i)
		if !servicenowField.MatchString(field) {
			return violation(at+"/field", "is not the name of a field")
		}
		if operator == "" {
			operator = "="
		}
		value, problem := "", ""
		switch operator {
		case "ISEMPTY", "ISNOTEMPTY":
		case "IN":
			list, ok := filter["value"].([]any)
			if !ok {
				list = []any{filter["value"]}
			}
			var words []string
			for _, item := range list {
				word, bad := servicenowValue(item)
				if strings.Contains(word, ",") {
					bad = "has a comma, which lists of ServiceNow cannot carry"
				}
				problem += bad
				words = append(words, word)
			}
			value = strings.Join(words, ",")
		default:
			value, problem = servicenowValue(filter["value"])
		}
		if problem != "" {
			return violation(at+"/value", problem)
		}
		conditions = append(conditions, field+operator+value)
	}
	if len(conditions) > 0 {
		if given := p.queryValue("sysparm_query"); given != "" {
			conditions = append([]string{given}, conditions...)
		}
		p.setQuery("sysparm_query", strings.Join(conditions, "^"))
	}
	return nil
}

func servicenowValue(v any) (value, problem string) {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(v)), "javascript:") {
			return "", "is a program, which is not run from filters"
		}
		return strings.ReplaceAll(v, "^", "^^"), ""
	case json.Number:
		return v.String(), ""
	case bool:
		return fmt.Sprint(v), ""
	case nil:
		return "", "is missing"
	}
	return "", "must be text, a number or a truth value"
}
