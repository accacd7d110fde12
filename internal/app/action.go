package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/action"
	catalogue "github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/action/mcp"
	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/mcpauth"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
)

// openActions makes the service of action connectors, what makes their calls, and what offers them to MCP clients. own
// is the address of this server.
func (s *server) openActions(ctx context.Context, box *secret.Box, own string) error {
	c := s.config.Actions
	out := ways{}
	ways := map[string]config.Egress{"": c.Egress}
	for id, e := range c.VPCConnections {
		ways[s.vpcARN(id)] = e
	}
	for arn, e := range ways {
		way, err := egress.New(egress.Policy{AllowHTTP: e.AllowHTTP, AllowedNetworks: e.AllowedNetworks, AllowedHosts: e.AllowedHosts, Proxy: e.Proxy, RootCAs: e.RootCAs})
		if err != nil {
			return fmt.Errorf("egress of connectors: %w", err)
		}
		s.closers = append(s.closers, func() error { way.Close(); return nil })
		out[arn] = way.Transport()
	}
	own, err := localURL(own)
	if err != nil {
		return err
	}
	services, err := s.connectedAWS(ctx, own)
	if err != nil {
		return err
	}
	engine, err := invoke.New(invoke.Config{Catalogues: catalogue.NewSet(), Egress: out, AWS: services, Remote: mcp.Client{Version: s.build.Version}, Log: s.log, Now: s.now})
	if err != nil {
		return err
	}
	public := c.PublicURL
	if host, _, err := net.SplitHostPort(s.config.Listen); public == "" && err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
		public = own
	}
	connectors, calls, v := s.store.Connectors(), s.store.Calls(), invoker{engine}
	s.actions = action.NewService(action.Config{
		Stores: action.Stores{
			Connectors: connectors, VPCs: connectors, Grants: connectors, SignIns: connectors, Documents: connectors, Calls: calls, Records: calls, Approvals: calls,
		},
		Partition: partition, Region: s.config.Region, Account: s.config.AccountID, Box: box, Egress: out, Checker: v, Checks: action.CheckMode(c.Checks), Invoker: v,
		PublicURL: public, ApproveWrites: c.ApproveWrites, Changed: func() { s.mcp.Changed() }, Observe: s.observeCalls(),
		Now: s.now, NewID: uuid.NewString, Log: s.log,
	})
	s.mcp = mcp.New(mcp.Config{Toolbox: toolbox{s}, Log: s.log, Version: s.build.Version})
	if s.tokens, err = mcpauth.New(ctx, mcpauth.Config{
		Serve: s.serveMCP, Box: box, Keys: s.accounts, Generations: connectors, AccessKeyID: s.config.AccessKeyID, PublicURL: public, Now: s.now, Log: s.log,
	}); err != nil {
		return err
	}
	s.watchActions(engine)
	return s.actions.Recover(ctx)
}

// vpcARN is the ARN of a VPC connection.
func (s *server) vpcARN(id string) string {
	return "arn:" + partition + ":quicksight:" + s.config.Region + ":" + s.config.AccountID + ":vpcConnection/" + id
}

// localURL is where this server reaches itself at the address it listens on.
func localURL(own string) (string, error) {
	host, port, err := net.SplitHostPort(own)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// connectedAWS says where connectors of AWS's types find AWS: S3 where the source buckets are, the rest at AWS unless
// the settings say otherwise. The embedded buckets know the root credential; elsewhere it is AWS's own that count.
func (s *server) connectedAWS(ctx context.Context, own string) (invoke.AWS, error) {
	out := invoke.AWS{Region: s.config.Region, Endpoints: map[string]string{}, STS: s.config.Actions.STS, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	for service, endpoint := range s.config.Actions.AWSEndpoints {
		out.Endpoints[service] = endpoint
	}
	embedded := s.config.S3Endpoint == config.Embedded
	if out.Endpoints["s3"] == "" {
		if embedded {
			out.Endpoints["s3"] = own
			out.Local = map[string]invoke.Local{"s3": {Region: s.config.Region, Credentials: invoke.AWSCredentials{AccessKeyID: s.config.AccessKeyID, SecretAccessKey: s.config.SecretAccessKey}}}
		} else if endpoint := endpointURL(s.config.S3Endpoint); endpoint != "" {
			out.Endpoints["s3"] = endpoint
		}
	}
	chain, err := access.Load(ctx, s.config.Region, nil)
	if err != nil && !embedded {
		return invoke.AWS{}, err
	}
	if err == nil {
		out.Region = chain.Region
	}
	out.Credentials = func(ctx context.Context) (invoke.AWSCredentials, error) {
		if err != nil { // nobody may need them here, so the server has started all the same
			return invoke.AWSCredentials{}, err
		}
		c, err := chain.Credentials(ctx)
		return invoke.AWSCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken.Reveal()}, err
	}
	return out, nil
}

// ways are the ways out by the ARN of the VPC connection, "" for none.
type ways map[string]http.RoundTripper

// Client is action.Egress.
func (w ways) Client(vpcConnectionARN string) (*http.Client, error) {
	t := w[vpcConnectionARN]
	if t == nil {
		return nil, fault.New(fault.Denied, action.SubjectAddress, "the VPC connection %s has no way out in this server's settings; add it to vpc-connections, or take it from the connector", vpcConnectionARN)
	}
	return &http.Client{Transport: t, Timeout: 30 * time.Second}, nil
}

// invoker is invoke.Engine as the service of connectors wants it: its Invoker and its Checker.
type invoker struct{ engine *invoke.Engine }

// connectorOf is a connector as the engine sees it. credentials may be nil where none are needed.
func connectorOf(ctx context.Context, c *action.Connector, document []byte, credentials *action.Credentials) (invoke.Connector, error) {
	out := invoke.Connector{
		ID: c.ID, Type: string(c.Type), BaseURL: c.Auth.BaseEndpoint, Restricted: c.Restricted, Enabled: c.EnabledActions, Document: document, Egress: c.VPCConnectionARN,
		Auth: invoke.Auth{Kind: invoke.AuthKind(c.Auth.Type), Username: c.Auth.Username, Email: c.Auth.Email, RoleARN: c.Auth.RoleARN},
	}
	if credentials == nil {
		return out, nil
	}
	switch c.Auth.Type {
	case action.Basic, action.APIKey:
		auth, err := credentials.Authorization(ctx)
		if err != nil {
			return out, err
		}
		out.Auth.Password, out.Auth.Key = auth.Secret, auth.Secret
	case action.ClientCredentials, action.AuthorizationCode:
		out.Auth.Tokens = tokens{credentials}
	}
	return out, nil
}

// targetOf is the connector of a call as the engine sees it.
func targetOf(ctx context.Context, t action.Target) (invoke.Connector, error) {
	c, err := connectorOf(ctx, t.Connector, t.Document, t.Credentials)
	if t.Connector.Identity() == action.PerUser {
		c.User = t.User
	}
	return c, err
}

// tokens are action.Credentials as the engine wants them.
type tokens struct{ credentials *action.Credentials }

func (t tokens) Token(ctx context.Context) (invoke.Token, error) {
	a, err := t.credentials.Authorization(ctx)
	return invoke.Token{Value: a.Token, InstanceURL: a.InstanceURL}, err
}

func (t tokens) Refresh(ctx context.Context, refused invoke.Token) (invoke.Token, error) {
	a, err := t.credentials.Refresh(ctx, action.Authorization{Token: refused.Value})
	return invoke.Token{Value: a.Token, InstanceURL: a.InstanceURL}, err
}

// Actions is action.Invoker.
func (v invoker) Actions(ctx context.Context, t action.Target) ([]action.Action, error) {
	c, err := targetOf(ctx, t)
	if err != nil {
		return nil, err
	}
	known, err := v.engine.Catalogue(ctx, c)
	if err != nil {
		return nil, asCallError(err)
	}
	out := make([]action.Action, len(known.Actions))
	for n, a := range known.Actions {
		out[n] = actionOf(a, &c)
	}
	return out, nil
}

func actionOf(a *catalogue.Action, c *invoke.Connector) action.Action {
	out := action.Action{ID: a.ID, Name: a.Name, Description: a.Description, Write: a.Write, Destructive: a.Destructive, Input: a.Arguments, Origin: "vendor"}
	switch {
	case a.Named:
		out.Origin = "aws"
	case len(c.Document) > 0:
		out.Origin = "document"
	case c.Type == invoke.TypeMCP:
		out.Origin = "server"
	}
	return out
}

// Prepare is action.Invoker.
func (v invoker) Prepare(ctx context.Context, t action.Target, actionID string, arguments json.RawMessage) (action.Prepared, error) {
	c, err := targetOf(ctx, t)
	if err != nil {
		return action.Prepared{}, err
	}
	a, err := v.engine.Action(ctx, c, actionID)
	if err != nil {
		return action.Prepared{}, asCallError(err)
	}
	call := invoke.Call{Connector: c, Action: actionID, Arguments: arguments}
	if err := v.engine.Validate(ctx, call); err != nil {
		return action.Prepared{}, asCallError(err)
	}
	return action.Prepared{
		Action: actionOf(a, &c), Opaque: call,
		Request: func(ctx context.Context) (action.Request, error) {
			r, err := v.engine.Render(ctx, call)
			if err != nil {
				return action.Request{}, asCallError(err)
			}
			body, _ := jsonOf(r.Body, json.Valid(r.Body))
			return action.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Notes: r.Notes}, nil
		},
	}, nil
}

// jsonOf is a body as JSON: as it is, or as a string, of base64 where it is no text.
func jsonOf(body []byte, isJSON bool) (out json.RawMessage, encoding string) {
	switch {
	case len(body) == 0:
		return nil, ""
	case isJSON:
		return body, ""
	case !utf8.Valid(body):
		body, encoding = []byte(base64.StdEncoding.EncodeToString(body)), "base64"
	}
	out, err := json.Marshal(string(body))
	if err != nil {
		return nil, "" // a string always marshals
	}
	return out, encoding
}

// Send is action.Invoker.
func (v invoker) Send(ctx context.Context, _ action.Target, p action.Prepared, _ *action.Credentials) (action.Answer, error) {
	call, ok := p.Opaque.(invoke.Call)
	if !ok {
		return action.Answer{}, errors.New("a call was prepared by somebody else")
	}
	call.IdempotencyKey = p.Key
	r, err := v.engine.Invoke(ctx, call)
	out := action.Answer{Status: r.Status, ContentType: r.ContentType, Location: r.Location, Attempts: r.Attempts}
	if err != nil {
		var failed *invoke.Error
		if errors.As(err, &failed) {
			out.Status, out.Attempts, out.Unknown = failed.Status, failed.Attempts, failed.Unknown
			out.Body, _ = jsonOf([]byte(failed.Vendor), false)
		}
		return out, asCallError(err)
	}
	out.Body, out.Encoding = jsonOf(r.Body, r.JSON)
	if r.Next != nil {
		if out.Next, err = json.Marshal(map[string]any{r.Next.Argument: r.Next.Value}); err != nil {
			return out, err
		}
	}
	if r.Truncated != nil {
		if out.Truncated, err = json.Marshal(r.Truncated); err != nil {
			return out, err
		}
	}
	return out, nil
}

// CheckDocument is action.Invoker.
func (v invoker) CheckDocument(_ context.Context, content []byte) error {
	_, err := catalogue.Parse(content)
	var f *fault.Error
	if err != nil && !errors.As(err, &f) {
		return fault.Wrap(err, fault.Invalid, action.SubjectDocument, "the document cannot be used: %v", err)
	}
	return err
}

// Checks is action.Checker.
func (v invoker) Checks(t action.Type, a action.AuthType) bool {
	return v.engine.Checks(string(t), invoke.AuthKind(a))
}

// Check is action.Checker.
func (v invoker) Check(ctx context.Context, c *action.Connector, credentials *action.Credentials) error {
	connector, err := connectorOf(ctx, c, nil, credentials)
	if err != nil {
		return err
	}
	return asCallError(v.engine.Check(ctx, connector))
}

// callError is an error of the engine with the details that clients are told.
type callError struct{ cause *invoke.Error }

func (e callError) Error() string { return e.cause.Error() }
func (e callError) Unwrap() error { return e.cause }

// Details are what a front may show besides.
func (e callError) Details() (retryAfter time.Duration, violations any) {
	if len(e.cause.Violations) > 0 {
		violations = e.cause.Violations
	}
	return e.cause.RetryAfter, violations
}

func asCallError(err error) error {
	var failed *invoke.Error
	if errors.As(err, &failed) {
		return callError{failed}
	}
	return err
}
