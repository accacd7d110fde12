package vendortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// Sample makes arguments of an action that are valid by its schema and use all of it but the names in without.
// Where text stands for an object, the object is given. Every text is different from every other and has
// characters that need escaping.
func Sample(a *catalog.Action, without ...string) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(a.Arguments))
	d.UseNumber()
	var schema map[string]any
	if err := d.Decode(&schema); err != nil {
		return nil, err
	}
	g := &generator{}
	out, ok := g.value("", schema, without).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the arguments of %s are no object", a.ID)
	}
	return out, nil
}

type generator struct{ n int }

func (g *generator) value(name string, schema map[string]any, without []string) any {
	if fixed, ok := schema["const"]; ok {
		return fixed
	}
	if list, ok := schema["enum"].([]any); ok {
		return list[0]
	}
	switch kind(schema["type"]) {
	case "object":
		out := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(properties)) {
			if property, ok := properties[key].(map[string]any); ok && !slices.Contains(without, key) {
				out[key] = g.value(key, property, nil)
			}
		}
		if len(properties) == 0 && schema["additionalProperties"] != false {
			out["member"] = g.text(name, 0)
		}
		return out
	case "array":
		items, _ := schema["items"].(map[string]any)
		out := []any{g.value(name, items, nil)}
		if least, ok := schema["minItems"].(json.Number); ok {
			for n, _ := least.Int64(); int64(len(out)) < n; {
				out = append(out, g.value(name, items, nil))
			}
		}
		return out
	case "integer", "number":
		g.n++
		n := g.n
		if low, ok := schema["minimum"].(json.Number); ok {
			least, _ := low.Int64()
			n = max(n, int(least))
		}
		if high, ok := schema["maximum"].(json.Number); ok {
			most, _ := high.Int64()
			n = min(n, int(most))
		}
		return json.Number(fmt.Sprint(n))
	case "boolean":
		return true
	}
	switch {
	case schema["format"] == "date":
		g.n++
		return fmt.Sprintf("2026-%02d-%02d", g.n%12+1, g.n%28+1)
	case schema["pattern"] == `^[0-9]+$`:
		g.n++
		return fmt.Sprint(10000 + g.n)
	case schema["pattern"] == `^[!-~]+/[ -~]+$`:
		return "text/plain"
	case schema["pattern"] != nil:
		g.n++
		return fmt.Sprintf("Name%d", g.n)
	}
	most := 0
	if high, ok := schema["maxLength"].(json.Number); ok {
		n, _ := high.Int64()
		most = int(n)
	}
	return g.text(name, most)
}

// kind is the type of a value to make: of several, the one that is no text.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		for _, t := range v {
			if t != "string" && t != "null" {
				return fmt.Sprint(t)
			}
		}
		return "string"
	}
	return "string"
}

// text is one that has not been used.
func (g *generator) text(name string, most int) string {
	g.n++
	s := fmt.Sprintf("%s %d/ö?&=+%%'\"#", name, g.n)
	if most > 0 && len(s) > most {
		s = fmt.Sprintf("%d", g.n)
		s = s[:min(len(s), most)]
	}
	return s
}
