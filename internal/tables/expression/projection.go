package expression

import (
	"cmp"
	"slices"

	"github.com/penstock-io/penstock/internal/tables/item"
)

// Projection is a parsed ProjectionExpression.
type Projection struct{ paths []Path }

// ParseProjection parses a ProjectionExpression.
func ParseProjection(text string, terms *Terms) (*Projection, error) {
	p, err := newParser(ProjectionExpression, text, terms)
	if err != nil {
		return nil, err
	}
	var nodes []*node
	for p.err == nil {
		nodes = append(nodes, p.path())
		if !p.accept(",") {
			break
		}
	}
	p.finish()
	if p.err != nil {
		return nil, p.err
	}
	var out Projection
	for _, check := range []func(*node) error{checkReserved, terms.resolve} {
		for _, n := range nodes {
			if err := check(n); err != nil {
				return nil, bad(ProjectionExpression, err)
			}
		}
	}
	for _, n := range nodes {
		out.paths = append(out.paths, n.path)
	}
	if err := checkPaths(out.paths); err != nil {
		return nil, bad(ProjectionExpression, err)
	}
	return &out, nil
}

// ProjectionOf returns a projection of the given paths, none of which leads into another.
func ProjectionOf(paths []Path) *Projection { return &Projection{paths} }

// Paths returns the paths of the projection.
func (p *Projection) Paths() []Path { return p.paths }

// Of returns what the paths lead to, each at its place; elements of lists close up.
func (p *Projection) Of(m item.Item) item.Item {
	return project(item.Value{Type: item.M, Map: m}, p.paths, 0).Map
}

// project returns the parts of v that the paths, all of which agree on the steps before depth, lead to.
func project(v item.Value, paths []Path, depth int) item.Value {
	if len(paths) == 1 && len(paths[0]) == depth {
		return v
	}
	out := item.Value{Type: v.Type}
	paths = slices.Clone(paths)
	slices.SortStableFunc(paths, func(p, q Path) int {
		return cmp.Or(cmp.Compare(p[depth].Index, q[depth].Index), cmp.Compare(p[depth].Name, q[depth].Name))
	})
	for len(paths) > 0 {
		step := paths[0][depth]
		n := 1
		for n < len(paths) && paths[n][depth] == step {
			n++
		}
		var child item.Value
		switch {
		case step.Index < 0 && v.Type == item.M:
			child = v.Map.Get(step.Name)
		case step.Index >= 0 && v.Type == item.L && step.Index < len(v.List):
			child = v.List[step.Index]
		}
		if child.Type != 0 {
			child = project(child, paths[:n], depth+1)
		}
		switch {
		case child.Type == 0:
		case step.Index < 0:
			out.Map = append(out.Map, item.Attribute{Name: step.Name, Value: child})
		default:
			out.List = append(out.List, child)
		}
		paths = paths[n:]
	}
	if depth > 0 && len(out.Map) == 0 && len(out.List) == 0 {
		return item.Value{}
	}
	return out
}
