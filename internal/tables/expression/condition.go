package expression

import (
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/tables/item"
)

// Condition is a parsed condition or filter.
type Condition struct{ root *node }

// The functions of conditions and how many operands they take.
var conditionFunctions = map[string]int{
	"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2, "size": 1,
}

// ParseCondition parses the text of the parameter, a ConditionExpression or a FilterExpression.
func ParseCondition(parameter, text string, terms *Terms) (*Condition, error) {
	p, err := newParser(parameter, text, terms)
	if err != nil {
		return nil, err
	}
	root := p.condition()
	p.finish()
	if p.err == nil {
		p.boolean(root)
	}
	if p.err != nil {
		return nil, p.err
	}
	if root.op == "size" {
		return nil, bad(parameter, textf("The function is not allowed to be used this way in an expression; function: size"))
	}
	for _, check := range []func(*node) error{
		checkParens, checkFunctionNames, checkUses, checkReserved, terms.resolve, checkOperandCount, checkDistinct, checkOperandTypes,
	} {
		if err := root.walk(check); err != nil {
			return nil, bad(parameter, err)
		}
	}
	return &Condition{root}, nil
}

// Paths returns every path the condition looks at.
func (c *Condition) Paths() []Path {
	var paths []Path
	_ = c.root.walk(func(n *node) error {
		if n.op == opPath {
			paths = append(paths, n.path)
		}
		return nil
	})
	return paths
}

func checkParens(n *node) error {
	if n.parens > 1 {
		return textf("The expression has redundant parentheses;")
	}
	return nil
}

func checkFunctionNames(n *node) error {
	if !n.function() {
		return nil
	}
	if _, ok := conditionFunctions[n.op]; !ok {
		return textf("Invalid function name; function: %s", n.op)
	}
	return nil
}

// checkUses refuses conditions as operands, and operands that are no conditions as conditions.
func checkUses(n *node) error {
	for _, a := range n.args {
		connective := n.op == opAnd || n.op == opOr || n.op == opNot
		switch {
		case a.operand():
		case a.function() && (a.op == "size") == connective:
			return textf("The function is not allowed to be used this way in an expression; function: %s", a.op)
		case !a.function() && !connective:
			return textf("Syntax error; token: %q, near: %q", a.op, a.op)
		}
	}
	return nil
}

func checkOperandCount(n *node) error {
	if n.function() && len(n.args) != conditionFunctions[n.op] {
		return textf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.op, len(n.args))
	}
	if n.op == opIn && len(n.args)-1 > maxIn {
		return textf("Incorrect number of operands for operator or function; operator or function: IN, number of operands: %d", len(n.args)-1)
	}
	return nil
}

func checkDistinct(n *node) error {
	if len(n.args) != 2 || n.op == opAnd || n.op == opOr || n.args[0].op != opPath || n.args[1].op != opPath || !slices.Equal(n.args[0].path, n.args[1].path) {
		return nil
	}
	return textf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", n.op, n.args[0].path)
}

func checkOperandTypes(n *node) error {
	wrong := func(t item.Type) error {
		return textf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, t)
	}
	switch n.op {
	case "attribute_exists", "attribute_not_exists":
		if n.args[0].op != opPath {
			return textf("Operator or function requires a document path; operator or function: %s", n.op)
		}
	case "begins_with":
		for _, a := range n.args {
			if t := a.knownType(); t != 0 && t != item.S && t != item.B {
				return wrong(t)
			}
		}
	case "attribute_type":
		if n.args[0].op != opPath {
			return textf("Operator or function requires a document path; operator or function: %s", n.op)
		}
		a := n.args[1]
		switch {
		case a.op != opValue:
			return textf("Incorrect operand type for operator or function; operator or function: %s, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}", n.op)
		case a.value.Type != item.S:
			return wrong(a.value.Type)
		case item.TypeOf(a.value.Text) == 0:
			return textf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", a.value.Text)
		}
	case "size":
		if t := n.args[0].knownType(); t == item.N || t == item.BOOL || t == item.NULL {
			return wrong(t)
		}
	case "<", "<=", ">", ">=":
		for _, a := range n.args {
			if t := a.knownType(); t != 0 && t != item.S && t != item.N && t != item.B {
				return textf("Incorrect operand type for operator or function; operator: %s, operand type: %s", n.op, t)
			}
		}
	case opBetween:
		return checkBounds(n.args[1], n.args[2])
	}
	return nil
}

func checkBounds(low, high *node) error {
	if low.op != opValue || high.op != opValue {
		return nil
	}
	bounds := "; lower bound operand: AttributeValue: " + low.value.Describe() + ", upper bound operand: AttributeValue: " + high.value.Describe()
	for _, v := range []item.Value{low.value, high.value} {
		if v.Type != item.S && v.Type != item.N && v.Type != item.B {
			return textf("Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: %s", v.Type)
		}
	}
	order, same := low.value.Compare(high.value)
	switch {
	case !same:
		return textf("The BETWEEN operator requires same data type for lower and upper bounds%s", bounds)
	case order > 0:
		return textf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound%s", bounds)
	}
	return nil
}

// knownType is the type an operand has whatever the item; 0 if that is not known.
func (n *node) knownType() item.Type {
	switch n.op {
	case opValue:
		return n.value.Type
	case "size":
		return item.N
	}
	return 0
}

// Holds evaluates the condition over an item; the empty item stands for one that does not exist.
func (c *Condition) Holds(m item.Item) bool { return c.root.holds(m) }

func (n *node) holds(m item.Item) bool {
	switch n.op {
	case opAnd:
		return n.args[0].holds(m) && n.args[1].holds(m)
	case opOr:
		return n.args[0].holds(m) || n.args[1].holds(m)
	case opNot:
		return !n.args[0].holds(m)
	}
	left := n.args[0].eval(m)
	switch n.op {
	case "attribute_exists":
		return left.Type != 0
	case "attribute_not_exists":
		return left.Type == 0
	case "attribute_type":
		return left.Type.String() == n.args[1].value.Text && left.Type != 0
	case opIn:
		return left.Type != 0 && slices.ContainsFunc(n.args[1:], func(a *node) bool { return left.Equal(a.eval(m)) })
	case opBetween:
		low, ok1 := left.Compare(n.args[1].eval(m))
		high, ok2 := left.Compare(n.args[2].eval(m))
		return ok1 && ok2 && low >= 0 && high <= 0
	}
	right := n.args[1].eval(m)
	switch n.op {
	case "=":
		return left.Type != 0 && left.Equal(right)
	case "<>":
		return !left.Equal(right)
	case "begins_with":
		return left.Type == right.Type && (left.Type == item.S || left.Type == item.B) && strings.HasPrefix(left.Text, right.Text)
	case "contains":
		return contains(left, right)
	}
	order, ok := left.Compare(right)
	if !ok {
		return false
	}
	switch n.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func contains(in, v item.Value) bool {
	switch {
	case in.Type == item.S || in.Type == item.B:
		return in.Type == v.Type && strings.Contains(in.Text, v.Text)
	case in.Type.Set():
		return in.Contains(v)
	case in.Type == item.L:
		return slices.ContainsFunc(in.List, v.Equal)
	}
	return false
}

// eval returns what an operand stands for; the absent value if nothing.
func (n *node) eval(m item.Item) item.Value {
	switch n.op {
	case opPath:
		return n.path.In(m)
	case opValue:
		return n.value
	}
	length, ok := n.args[0].eval(m).Length() // size is the only function that is an operand
	if !ok {
		return item.Value{}
	}
	return item.Value{Type: item.N, Text: strconv.Itoa(length)}
}
