package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseFile sets what the YAML text sets. A key that is no setting, a key given twice and a value of the
// wrong shape are refused with the file, the line and the key's path.
func parseFile(path string, text []byte, settings []Setting, set map[string]string) (Sections, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Sections{}, &Error{path, err}
	}
	if len(doc.Content) == 0 {
		return Sections{}, nil // an empty file sets nothing
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return Sections{}, &Error{path, fmt.Errorf("line %d: want keys and values at the top level", root.Line)}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		where := fmt.Sprintf("%s:%d: %s", path, key.Line, key.Value)
		if key.Value == "warehouses" {
			return Sections{}, &Error{where, fmt.Errorf("binding a warehouse to an external engine is not supported yet; every warehouse is embedded")}
		}
		if slices.Contains(sectionNames, key.Value) {
			continue
		}
		at := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == key.Value })
		if at < 0 {
			return Sections{}, &Error{where, fmt.Errorf("unknown key; the keys are %s", strings.Join(append(names(settings), sectionNames...), ", "))}
		}
		if _, twice := set[key.Value]; twice {
			return Sections{}, &Error{where, fmt.Errorf("key given twice")}
		}
		v, err := scalar(value)
		if key.Value == vpcConnections {
			v, err = whole(value)
		}
		if err != nil {
			return Sections{}, &Error{where, err}
		}
		*settings[at].text, set[key.Value] = v, where
	}
	return parseSections(path, text)
}

// scalar is a value as the text a flag would have; a list of scalars becomes its comma-separated form.
func scalar(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				return "", fmt.Errorf("line %d: want a list of plain values", item.Line)
			}
			all = append(all, item.Value)
		}
		return strings.Join(all, ","), nil
	default:
		return "", fmt.Errorf("line %d: want a plain value", n.Line)
	}
}

func names(settings []Setting) []string {
	all := make([]string, len(settings))
	for i, s := range settings {
		all[i] = s.Name
	}
	return all
}
