package statements

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
)

// Config is what a Service needs. Every field is required.
type Config struct {
	Store   Store
	Results ResultStore
	Now     func() time.Time
	NewID   func() string // a random UUID in lower case
	Notify  func()        // called when there is work for the executor: a statement to run or to cancel; must not block
}

// Service is the API of this domain. It is safe for concurrent use.
type Service struct{ c Config }

// NewService returns a Service over c.
func NewService(c Config) *Service { return &Service{c} }

// Limits of a request.
const (
	MaxSQL   = 100 << 10 // bytes of one SQL text
	MaxParts = 40        // SQL texts of a batch
)

// SubmitParams are the members of ExecuteStatement and BatchExecuteStatement. With a SessionID the warehouse, the
// database and the user are the session's and must be empty here.
type SubmitParams struct {
	WarehouseID      string
	Cluster          string
	Workgroup        string
	Database         string
	User             string
	DbUser           string
	SecretARN        string
	Name             string
	Owner            string
	ClientToken      string
	SessionID        string
	SessionKeepAlive int // seconds
	Batch            bool
	Format           string // "JSON", the default, or "CSV"
	Parameters       []Parameter
	SQLs             []string
}

// Submit stores a statement to be run. The same owner's ClientToken given again returns the statement that it
// was first given with.
func (s *Service) Submit(ctx context.Context, p SubmitParams) (Statement, error) {
	if err := checkSubmit(p); err != nil {
		return Statement{}, err
	}
	now := s.c.Now()
	st := Statement{
		ID: s.c.NewID(), WarehouseID: p.WarehouseID, Cluster: p.Cluster, Workgroup: p.Workgroup, Database: p.Database, User: p.User,
		DbUser: p.DbUser, SecretARN: p.SecretARN, Name: p.Name, Owner: p.Owner, ClientToken: p.ClientToken, SessionID: p.SessionID,
		SessionKeepAlive: p.SessionKeepAlive, Batch: p.Batch, Format: p.Format, Parameters: p.Parameters,
		Status: Submitted, Created: now, Updated: now,
	}
	if st.Format == "" {
		st.Format = "JSON"
	}
	for _, sql := range p.SQLs {
		st.Subs = append(st.Subs, Sub{SQL: sql, Status: Submitted, Created: now, Updated: now, Rows: -1, Size: -1})
	}
	switch {
	case p.SessionID != "":
		if err := s.join(ctx, &st); err != nil {
			return Statement{}, err
		}
	case p.SessionKeepAlive > 0:
		st.SessionID = s.c.NewID()
	}
	st, created, err := s.c.Store.StatementCreate(ctx, st, MaxActive)
	if err != nil {
		return Statement{}, err
	}
	if created {
		s.c.Notify()
	}
	return st, nil
}

func checkSubmit(p SubmitParams) error {
	switch n := len(p.SQLs); {
	case n == 0 || n > MaxParts:
		return fault.New(fault.Invalid, SubjectStatement, "%d SQL statements were given; 1 to %d are allowed", n, MaxParts)
	case n > 1 && !p.Batch:
		return fault.New(fault.Invalid, SubjectStatement, "%d SQL statements were given where one is allowed; hand them in as a batch", n)
	}
	for n, sql := range p.SQLs {
		if strings.TrimSpace(sql) == "" {
			return fault.New(fault.Invalid, SubjectStatement, "the SQL statement %d is empty", n+1)
		}
		if len(sql) > MaxSQL {
			return fault.New(fault.Invalid, SubjectStatement, "the SQL statement %d has %d bytes; at most %d are allowed", n+1, len(sql), MaxSQL)
		}
	}
	if p.Format != "" && p.Format != "JSON" && p.Format != "CSV" {
		return fault.New(fault.Invalid, SubjectStatement, "the result format %q is neither JSON nor CSV", p.Format)
	}
	seen := make(map[string]bool, len(p.Parameters))
	for _, param := range p.Parameters {
		if seen[param.Name] {
			return fault.New(fault.Invalid, SubjectStatement, "the parameter %q is given twice", param.Name)
		}
		seen[param.Name] = true
	}
	if p.SessionID != "" && (p.WarehouseID != "" || p.Database != "" || p.DbUser != "" || p.SecretARN != "") {
		return fault.New(fault.Invalid, SubjectSession, "a statement in a session runs where the session does; leave out the cluster or workgroup, the database and the user")
	}
	return nil
}

// join puts st in the session that an earlier statement of the same owner opened. A session runs one statement
// at a time and ends when it has been idle for as long as it was to be kept.
func (s *Service) join(ctx context.Context, st *Statement) error {
	before, err := s.c.Store.StatementList(ctx, Filter{SessionID: st.SessionID, Owner: st.Owner}, Cursor{}, 1)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return fault.New(fault.NotFound, SubjectSession, "there is no session %s; open one with SessionKeepAliveSeconds", st.SessionID)
	}
	last := before[0]
	// A retry of the call that made the last statement must find it, though it is still running.
	if !last.Status.Done() && (st.ClientToken == "" || st.ClientToken != last.ClientToken) {
		return fault.New(fault.State, SubjectSession, "the session %s is busy with the statement %s; wait until that is done", st.SessionID, last.ID)
	}
	end := last.Updated.Add(time.Duration(last.SessionKeepAlive) * time.Second)
	if last.Status.Done() && !s.c.Now().Before(end) {
		return fault.New(fault.Expired, SubjectSession, "the session %s has expired after %d; open another", st.SessionID, end.Unix())
	}
	st.WarehouseID, st.Cluster, st.Workgroup, st.Database = last.WarehouseID, last.Cluster, last.Workgroup, last.Database
	st.User, st.DbUser, st.SecretARN = last.User, last.DbUser, last.SecretARN
	if st.SessionKeepAlive == 0 {
		st.SessionKeepAlive = last.SessionKeepAlive
	}
	return nil
}

// Get returns a statement by its id or the id of one of its parts, and the number of that part, from 1; 0 means
// the whole. An id that nobody was given is NotFound, one whose statement was forgotten Expired.
func (s *Service) Get(ctx context.Context, id string) (Statement, int, error) {
	whole, suffix, isPart := strings.Cut(id, ":")
	part := 0
	if isPart {
		n, err := strconv.Atoi(suffix)
		if err != nil || n < 1 {
			return Statement{}, 0, unknown(id)
		}
		part = n
	}
	st, err := s.c.Store.StatementGet(ctx, whole)
	switch {
	case fault.Is(err, fault.NotFound, SubjectStatement):
		return Statement{}, 0, unknown(id)
	case err != nil:
		return Statement{}, 0, err
	case part > len(st.Subs):
		return Statement{}, 0, unknown(id)
	}
	// What Expire has yet to delete is gone for callers already.
	if end := st.Updated.Add(Retention); st.Status.Done() && !s.c.Now().Before(end) {
		return Statement{}, 0, ExpiredAt(end)
	}
	return st, part, nil
}

// Bounds of MaxResults. The default is the upper one; AWS takes 0 for the default as well.
const (
	MinResults = 0
	MaxResults = 100
)

// ListPage is a part of the list of statements, newest first. Token is empty on the last one.
type ListPage struct {
	Statements []Statement
	Token      string
}

// List returns the statements that match f after token, at most limit of them.
func (s *Service) List(ctx context.Context, f Filter, token string, limit *int) (ListPage, error) {
	size, err := page.Size(limit, MinResults, MaxResults)
	if err != nil {
		return ListPage{}, err
	}
	if size == 0 {
		size = MaxResults
	}
	var after Cursor
	if token != "" {
		if after, err = parseCursor(token); err != nil {
			return ListPage{}, err
		}
	}
	list, err := s.c.Store.StatementList(ctx, f, after, size+1)
	if err != nil || len(list) <= size {
		return ListPage{Statements: list}, err
	}
	last := list[size-1]
	return ListPage{list[:size], page.Marker("statements", strconv.FormatInt(last.Created.UnixNano(), 36), last.ID)}, nil
}

func parseCursor(token string) (Cursor, error) {
	parts, err := page.Parse("statements", token, 2)
	if err != nil {
		return Cursor{}, err
	}
	nanos, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil {
		return Cursor{}, fault.New(fault.Invalid, page.SubjectMarker, "the token %.60q is not one that this call returned; start again without it", token)
	}
	return Cursor{time.Unix(0, nanos).UTC(), parts[1]}, nil
}

// Cancel stops a statement: at once when it has not begun, otherwise as soon as the executor has stopped it or
// found that a restart was too late for that. One that is done is State.
func (s *Service) Cancel(ctx context.Context, id string) (Statement, error) {
	st, _, err := s.Get(ctx, id)
	if err != nil {
		return Statement{}, err
	}
	st, err = s.c.Store.StatementUpdate(ctx, st.ID, func(st *Statement) error {
		if st.Status.Done() {
			return fault.New(fault.State, SubjectStatement, "Could not cancel a query that is already in %s state with ID: %s", st.Status, st.ID)
		}
		st.CancelRequested = true
		if st.Status == Submitted && !st.MayHaveRun() {
			return st.move(abort, s.c.Now())
		}
		return nil
	})
	if err != nil {
		return Statement{}, err
	}
	s.c.Notify()
	return st, nil
}

// ResultPage is a run of rows of one part. Token is empty on the last page.
type ResultPage struct {
	Columns []Column
	Rows    [][]Value
	Total   int64 // rows of all pages
	Token   string
}

// Result returns the page of a result that token points at, the first without one. The id of a batch must name a
// part. A statement without a result, or not finished, is NotFound about SubjectResult.
func (s *Service) Result(ctx context.Context, id, token string) (ResultPage, error) {
	st, part, err := s.Get(ctx, id)
	if err != nil {
		return ResultPage{}, err
	}
	if part == 0 {
		if st.Batch {
			return ResultPage{}, fault.New(fault.NotFound, SubjectResult, "The statement %s is a batch; ask for the result of one part, %s:1 to %s:%d.", st.ID, st.ID, st.ID, len(st.Subs))
		}
		part = 1
	}
	sub := st.Subs[part-1]
	if st.Status != Finished || !sub.HasResultSet {
		return ResultPage{}, fault.New(fault.NotFound, SubjectResult, "Query does not have result. Please check query status with DescribeStatement.")
	}
	at := place{part: part}
	if token != "" {
		if at, err = parsePlace(st.ID, part, token); err != nil {
			return ResultPage{}, err
		}
	}
	p, err := s.c.Results.PageGet(ctx, st.ID, part-1, at.page)
	if fault.Is(err, fault.NotFound, SubjectResult) && sub.Rows == 0 {
		err = nil // no rows, no page
	}
	if err != nil {
		return ResultPage{}, err
	}
	out := ResultPage{Columns: sub.Columns, Rows: p.Rows, Total: sub.Rows}
	at.page, at.before = at.page+1, at.before+int64(len(p.Rows))
	if len(p.Rows) > 0 && at.before < sub.Rows {
		out.Token = at.token(st.ID)
	}
	return out, nil
}

// place is where a page begins in the result of a part.
type place struct {
	part, page int
	before     int64 // rows of the pages before it
}

func (p place) token(id string) string {
	return page.Marker("result", id, strconv.Itoa(p.part), strconv.Itoa(p.page), strconv.FormatInt(p.before, 10))
}

func parsePlace(id string, part int, token string) (place, error) {
	parts, err := page.Parse("result", token, 4)
	if err != nil {
		return place{}, err
	}
	p := place{part: part}
	number, pageErr := strconv.Atoi(parts[2])
	before, rowsErr := strconv.ParseInt(parts[3], 10, 64)
	p.page, p.before = number, before
	if pageErr != nil || rowsErr != nil || parts[0] != id || parts[1] != strconv.Itoa(part) || number < 1 || before < 1 {
		return place{}, fault.New(fault.Invalid, page.SubjectMarker, "the token %.60q does not belong to this result; start again without it", token)
	}
	return p, nil
}

// Expire forgets statements, with their results, that were done Retention ago, and reports how many.
func (s *Service) Expire(ctx context.Context) (int, error) {
	return s.c.Store.StatementExpire(ctx, s.c.Now().Add(-Retention))
}
