package dialect

// A query is read into a tree of token ranges. Whatever the parser has no rule for stays a plain token
// between the nodes it knows, and is written out as it was read.

// nodeKind is the kind of an expression.
type nodeKind uint8

const (
	nSeq     nodeKind = iota // kids, and tokens between them that mean nothing to us
	nRef                     // a name with its path, a.b[0]."C"; a path into kids[0] if there is one
	nStar                    // *, t.*
	nString                  // 'text'
	nNumber                  // 1.5
	nNull                    // NULL
	nBool                    // TRUE, FALSE
	nTyped                   // DATE '2024-01-01', INTERVAL '1 day'
	nParen                   // ( kids )
	nSub                     // ( query )
	nExists                  // EXISTS ( query )
	nCall                    // op(kids) and clauses such as OVER, whose expressions are rest
	nCast                    // kids[0]::typ, CAST(kids[0] AS typ), CONVERT(typ, kids[0])
	nBinary                  // kids[0] op kids[1]
	nUnary                   // op kids[0]
	nNot                     // NOT kids[0]
	nIs                      // kids[0] IS [NOT] op; IS [NOT] DISTINCT FROM kids[1]
	nIn                      // kids[0] [NOT] IN kids[1], which is nParen or nSub
	nBetween                 // kids[0] [NOT] BETWEEN kids[1] AND kids[2]
	nLike                    // kids[0] [NOT] op kids[1] [ESCAPE kids[2]]
	nCase                    // CASE [operand] WHEN kids THEN kids ... ELSE kid END
	nSort                    // kids[0] as a key of ORDER BY
	nAtZone                  // kids[0] AT TIME ZONE kids[1]
)

// node is an expression: the tokens from lo up to hi.
type node struct {
	id      int32 // from 0, unique in the statement
	kind    nodeKind
	not     bool // NOT IN, IS NOT, ...
	operand bool // of nCase: kids[0] is compared with the WHENs
	known   bool // of nCast: typ is a Redshift type
	sized   bool // of nCast: typ has arguments
	lo, hi  int32
	mark    int32 // a token of note: the operator, the "(" of a call, the type of a cast
	nulls   int32 // of nCall: where IGNORE NULLS or RESPECT NULLS stands after it, 0 for nowhere
	op      string
	kids    []*node
	rest    []*node
	parts   []part
	query   *query
	typ     *Type
	pair    [2]*node // room for kids
}

// part is one step of a name or path: a name, or a subscript when index is set.
type part struct {
	name   string
	quoted bool
	index  *node
	tok    int32
}

// piece is a part of a block that is not written as it was read.
type piece struct {
	lo, hi int32
	item   *item
	from   *fromItem
	cond   *node // an expression whose value is a truth value
	early  bool  // cond is looked at before rows are grouped
	expr   *node
	query  *query
	name   bool   // tokens that are names
	text   string // written instead, when nothing else is set; may be empty
}

// query is [WITH ...] term {UNION ... term} [ORDER BY ...] [LIMIT ...].
type query struct {
	lo, hi  int32
	recurse bool // WITH RECURSIVE
	ctes    []*cte
	terms   []*term
	orderBy []*node
	pieces  []piece
}

type cte struct {
	name    string
	columns []string
	query   *query
}

// term is one operand of UNION and its like: a select, a parenthesised query, or VALUES.
type term struct {
	lo, hi int32
	sel    *selectCore
	sub    *query
	values [][]*node
}

// selectCore is SELECT without set operations and what follows them.
type selectCore struct {
	id       int // from 0, unique in the statement
	lo, hi   int32
	distinct bool
	items    []*item
	from     []*fromItem
	groupBy  []*node
	pieces   []piece
	top      *node // n of TOP n
	into     *into
}

// into is the INTO clause of a SELECT.
type into struct {
	name Name
	temp bool
}

// item is an entry of a SELECT list.
type item struct {
	lo, hi  int32
	expr    *node
	alias   string // "" for none
	exprEnd int32
}

// fromItem is one relation of a FROM clause.
type fromItem struct {
	lo, hi  int32
	body    int32 // first token of what is read, after LATERAL and UNPIVOT
	bodyEnd int32 // end of what is read, before AS and the alias
	ref     *node // a table's name or a path
	sub     *query
	call    *node // a table function
	unpivot *node // the object of UNPIVOT
	alias   string
	at      string // AT name: index of an array, key of UNPIVOT
	columns []string
}
