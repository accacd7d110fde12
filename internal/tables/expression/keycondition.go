package expression

import (
	"github.com/penstock-io/penstock/internal/tables/item"
)

// KeyCondition is a parsed KeyConditionExpression: one partition, and a range of sort keys in it.
type KeyCondition struct {
	Hash  item.Value
	Op    string       // on the sort key: "", =, <, <=, >, >=, BETWEEN or begins_with
	Range []item.Value // one operand, two for BETWEEN
}

// ParseKeyCondition parses a KeyConditionExpression over a key.
func ParseKeyCondition(text string, schema item.Schema, terms *Terms) (KeyCondition, error) {
	c, err := ParseCondition(KeyConditionExpression, text, terms)
	if err != nil {
		return KeyCondition{}, err
	}
	parts, err := conjuncts(c.root)
	if err != nil {
		return KeyCondition{}, err
	}
	byName := map[string]*node{}
	for _, n := range parts {
		name, err := keyOperand(n)
		if err != nil {
			return KeyCondition{}, err
		}
		if byName[name] != nil {
			return KeyCondition{}, bad(KeyConditionExpression, textf("KeyConditionExpressions must only contain one condition per key"))
		}
		byName[name] = n
	}
	if len(parts) > 2 {
		return KeyCondition{}, invalid("Conditions can be of length 1 or 2 only")
	}
	hash := byName[schema.Hash.Name]
	if hash == nil {
		return KeyCondition{}, invalid("Query condition missed key schema element: %s", schema.Hash.Name)
	}
	if hash.op != "=" {
		return KeyCondition{}, invalid("Query key condition not supported")
	}
	out := KeyCondition{Hash: hash.args[1].value}
	if err := checkKeyOperand(out.Hash, schema.Hash); err != nil {
		return KeyCondition{}, err
	}
	if len(parts) == 1 {
		return out, nil
	}
	sort := byName[schema.Range.Name]
	if !schema.HasRange() {
		return KeyCondition{}, invalid("Query key condition not supported")
	}
	if sort == nil {
		return KeyCondition{}, invalid("Query condition missed key schema element: %s", schema.Range.Name)
	}
	out.Op = sort.op
	for _, a := range sort.args[1:] {
		if err := checkKeyOperand(a.value, schema.Range); err != nil {
			return KeyCondition{}, err
		}
		out.Range = append(out.Range, a.value)
	}
	if out.Op == "begins_with" && schema.Range.Type == item.N {
		return KeyCondition{}, bad(KeyConditionExpression, textf("Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"))
	}
	return out, nil
}

// conjuncts splits a condition at its ANDs.
func conjuncts(n *node) ([]*node, error) {
	switch n.op {
	case opAnd:
		left, err := conjuncts(n.args[0])
		if err != nil {
			return nil, err
		}
		right, err := conjuncts(n.args[1])
		return append(left, right...), err
	case "=", "<", "<=", ">", ">=", opBetween, "begins_with":
		return []*node{n}, nil
	}
	return nil, invalid("Invalid operator used in KeyConditionExpression: %s", n.op)
}

// keyOperand returns the key attribute a condition is about.
func keyOperand(n *node) (string, error) {
	for _, a := range n.args {
		if a.function() {
			return "", invalid("KeyConditionExpressions cannot contain nested operations")
		}
		if a.op == opPath && len(a.path) > 1 {
			return "", invalid("KeyConditionExpressions cannot have conditions on nested attributes")
		}
	}
	if n.args[0].op != opPath && n.op == "=" && n.args[1].op == opPath { // :v = key
		n.args[0], n.args[1] = n.args[1], n.args[0]
	}
	if n.args[0].op != opPath {
		return "", invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", n.op)
	}
	for _, a := range n.args[1:] {
		if a.op == opPath {
			return "", invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		}
	}
	return n.args[0].path[0].Name, nil
}

func checkKeyOperand(v item.Value, d item.Definition) error {
	if v.Type != d.Type {
		return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
	}
	if v.Type != item.N && v.Text == "" {
		kind := "string"
		if v.Type == item.B {
			kind = "binary"
		}
		return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kind, d.Name)
	}
	return nil
}
