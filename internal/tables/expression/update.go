package expression

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/tables/item"
)

// Update is a parsed UpdateExpression.
type Update struct{ actions []action }

type action struct {
	section string
	path    Path
	value   *node // SET: an operand, + or -; ADD, DELETE: a value
}

const (
	sectionSet    = "SET"
	sectionRemove = "REMOVE"
	sectionAdd    = "ADD"
	sectionDelete = "DELETE"
)

var updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 2}

// ParseUpdate parses an UpdateExpression.
func ParseUpdate(text string, terms *Terms) (*Update, error) {
	p, err := newParser(UpdateExpression, text, terms)
	if err != nil {
		return nil, err
	}
	var targets, values []*node
	var sections, seen []string
	twice := ""
	for p.err == nil && p.peek().kind != end {
		t := p.take()
		section := strings.ToUpper(p.str(t))
		if t.kind != word || section != sectionSet && section != sectionRemove && section != sectionAdd && section != sectionDelete {
			p.at--
			p.unexpectedHere()
			break
		}
		if slices.Contains(seen, section) && twice == "" {
			twice = section
		}
		seen = append(seen, section)
		for p.err == nil {
			target, value := p.action(section)
			targets, values, sections = append(targets, target), append(values, value), append(sections, section)
			if !p.accept(",") {
				break
			}
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	all := slices.DeleteFunc(slices.Concat(targets, values), func(n *node) bool { return n == nil })
	check := func(f func(*node) error) {
		for _, n := range all {
			if p.err == nil {
				if err := n.walk(f); err != nil {
					p.err = bad(UpdateExpression, err)
				}
			}
		}
	}
	check(checkReserved)
	check(checkUpdateFunctions)
	if twice != "" && p.err == nil {
		p.err = bad(UpdateExpression, textf("The %q section can only be used once in an update expression;", twice))
	}
	check(terms.resolve)
	var u Update
	var paths []Path
	for i, target := range targets {
		u.actions = append(u.actions, action{sections[i], target.path, values[i]})
		paths = append(paths, target.path)
	}
	if p.err == nil {
		if err := checkPaths(paths); err != nil {
			p.err = bad(UpdateExpression, err)
		}
	}
	for _, a := range u.actions {
		if p.err == nil {
			if err := a.checkOperand(); err != nil {
				p.err = bad(UpdateExpression, err)
			}
		}
	}
	check(checkUpdateOperands)
	if p.err != nil {
		return nil, p.err
	}
	return &u, nil
}

// action parses what one section does to one path.
func (p *parser) action(section string) (target, value *node) {
	target = p.path()
	switch {
	case p.err != nil || section == sectionRemove:
	case section == sectionSet:
		p.expect("=")
		if p.err == nil {
			value = p.setValue()
		}
	case p.peek().kind != valueRef:
		p.unexpectedHere()
	default:
		value = p.primary()
	}
	return target, value
}

// setValue parses an operand or a sum or difference of two.
func (p *parser) setValue() *node {
	if p.is("(") { // around the whole sum, or around an operand
		start := p.at
		p.take()
		n := p.sum()
		p.expect(")")
		if p.err == nil && !p.is("+") && !p.is("-") {
			return n
		}
		if p.err != nil {
			return nil
		}
		p.at = start
	}
	return p.sum()
}

func (p *parser) sum() *node {
	left := p.updateOperand()
	for _, op := range []string{opPlus, opMinus} {
		if at := p.peek(); p.err == nil && p.accept(op) {
			return p.node(op, at, left, p.updateOperand())
		}
	}
	return left
}

func (p *parser) updateOperand() *node {
	if p.err == nil && p.accept("(") {
		n := p.updateOperand()
		p.expect(")")
		return n
	}
	t := p.peek()
	if next := p.after(); p.err == nil && t.kind == word && next.kind == mark && p.str(next) == "(" {
		p.take()
		p.take()
		var args []*node
		for p.err == nil {
			args = append(args, p.updateOperand())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
		n := p.node(p.str(t), t, args...)
		n.call = true
		return n
	}
	if p.err == nil && t.kind == valueRef {
		p.take()
		return &node{op: opValue, ref: p.str(t), at: t}
	}
	if p.err != nil {
		return nil
	}
	return p.path()
}

func checkUpdateFunctions(n *node) error {
	if !n.function() {
		return nil
	}
	if _, ok := updateFunctions[n.op]; !ok {
		return textf("Invalid function name; function: %s", n.op)
	}
	return nil
}

func checkUpdateOperands(n *node) error {
	if n.function() && len(n.args) != updateFunctions[n.op] {
		return textf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.op, len(n.args))
	}
	want := item.Type(0)
	switch n.op {
	case "if_not_exists":
		if n.args[0].op != opPath {
			return textf("Operator or function requires a document path; operator or function: %s", n.op)
		}
	case "list_append":
		want = item.L
	case opPlus, opMinus:
		want = item.N
	}
	for _, a := range n.args {
		if want != 0 && a.op == opValue && a.value.Type != want {
			return textf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, a.value.Type)
		}
	}
	return nil
}

var operandNames = map[item.Type]string{
	item.S: "STRING", item.N: "NUMBER", item.B: "BINARY", item.NULL: "NULL", item.BOOL: "BOOLEAN", item.L: "LIST", item.M: "MAP",
}

func (a action) checkOperand() error {
	if a.section != sectionAdd && a.section != sectionDelete {
		return nil
	}
	t := a.value.value.Type
	if t.Set() || t == item.N && a.section == sectionAdd {
		return nil
	}
	return textf("Incorrect operand type for operator or function; operator: %s, operand type: %s", a.section, operandNames[t])
}

// Paths returns the paths that are updated.
func (u *Update) Paths() []Path {
	paths := make([]Path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.path
	}
	return paths
}

// What can be wrong with an update when it meets an item, in the service's words.
func errMissing() error {
	return invalid("The provided expression refers to an attribute that does not exist in the item")
}

func errOperandType() error {
	return invalid("An operand in the update expression has an incorrect data type")
}

func errPath() error {
	return invalid("The document path provided in the update expression is invalid for update")
}

// Apply returns the item as the update makes it. All operands are taken from the item as it was.
func (u *Update) Apply(m item.Item) (item.Item, error) {
	values := make([]item.Value, len(u.actions))
	for i, a := range u.actions {
		var err error
		if values[i], err = a.result(m); err != nil {
			return nil, err
		}
	}
	// Elements are put behind the end of a list in the order of their indexes.
	order := make([]int, len(u.actions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return slices.CompareFunc(u.actions[i].path, u.actions[j].path, compareSteps) })
	root := item.Value{Type: item.M, Map: m}
	for _, i := range order {
		var err error
		if root, err = put(root, u.actions[i].path, values[i]); err != nil {
			return nil, err
		}
	}
	for _, a := range u.actions {
		if top := a.path[0].Name; len(a.path) > 1 {
			root.Map = root.Map.With(top, closeUp(root.Map.Get(top)))
		}
	}
	return root.Map, nil
}

func compareSteps(a, b Step) int {
	if a.Index != b.Index {
		return a.Index - b.Index
	}
	return strings.Compare(a.Name, b.Name)
}

// result is what the action leaves at its path: the absent value for nothing.
func (a action) result(m item.Item) (item.Value, error) {
	switch a.section {
	case sectionRemove:
		return item.Value{}, nil
	case sectionSet:
		return a.value.compute(m)
	}
	old, v := a.path.In(m), a.value.value
	switch {
	case old.Type == 0 && a.section == sectionDelete:
		return item.Value{}, nil
	case old.Type == 0:
		return v, nil
	case old.Type != v.Type:
		return item.Value{}, errOperandType()
	case v.Type == item.N:
		return add(old, v, opPlus)
	case a.section == sectionAdd:
		return item.NewSet(v.Type, slices.Concat(old.List, v.List)), nil
	}
	return item.NewSet(v.Type, slices.DeleteFunc(slices.Clone(old.List), v.Contains)), nil
}

// compute evaluates the right side of SET.
func (n *node) compute(m item.Item) (item.Value, error) {
	switch n.op {
	case opValue:
		return n.value, nil
	case opPath:
		if v := n.path.In(m); v.Type != 0 {
			return v, nil
		}
		return item.Value{}, errMissing()
	case "if_not_exists":
		if v := n.args[0].path.In(m); v.Type != 0 {
			return v, nil
		}
		return n.args[1].compute(m)
	}
	left, err := n.args[0].compute(m)
	if err != nil {
		return item.Value{}, err
	}
	right, err := n.args[1].compute(m)
	if err != nil {
		return item.Value{}, err
	}
	if n.op != "list_append" {
		return add(left, right, n.op)
	}
	if left.Type != item.L || right.Type != item.L {
		return item.Value{}, errOperandType()
	}
	return item.Value{Type: item.L, List: slices.Concat(left.List, right.List)}, nil
}

func add(x, y item.Value, op string) (item.Value, error) {
	if x.Type != item.N || y.Type != item.N {
		return item.Value{}, errOperandType()
	}
	sum, err := x.Number().Add(y.Number())
	if op == opMinus {
		sum, err = x.Number().Sub(y.Number())
	}
	if err != nil {
		return item.Value{}, item.NumberError("", err)
	}
	return item.FromNumber(sum), nil
}

// put returns v with the value at the path. A removed element of a list is left as a gap until closeUp,
// so that the indexes of other actions stay true.
func put(v item.Value, path Path, value item.Value) (item.Value, error) {
	step := path[0]
	last := len(path) == 1
	switch {
	case step.Index < 0 && v.Type == item.M:
		child := value
		if !last {
			var err error
			if child, err = put(v.Map.Get(step.Name), path[1:], value); err != nil {
				return v, err
			}
		}
		v.Map = v.Map.With(step.Name, child)
		return v, nil
	case step.Index >= 0 && v.Type == item.L:
		if step.Index >= len(v.List) {
			if !last {
				return v, errPath()
			}
			if value.Type != 0 {
				v.List = append(slices.Clip(v.List), value)
			}
			return v, nil
		}
		child := value
		if !last {
			var err error
			if child, err = put(v.List[step.Index], path[1:], value); err != nil {
				return v, err
			}
		}
		v.List = slices.Clone(v.List)
		v.List[step.Index] = child
		return v, nil
	}
	return v, errPath()
}

// closeUp removes the gaps in lists.
func closeUp(v item.Value) item.Value {
	switch v.Type {
	case item.L:
		list := make([]item.Value, 0, len(v.List))
		for _, e := range v.List {
			if e.Type != 0 {
				list = append(list, closeUp(e))
			}
		}
		v.List = list
	case item.M:
		v.Map = slices.Clone(v.Map)
		for i := range v.Map {
			v.Map[i].Value = closeUp(v.Map[i].Value)
		}
	}
	return v
}
