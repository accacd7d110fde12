package app

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/mcp"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/actions"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

const (
	mcpPath    = "/_penstock/mcp"
	tokensPath = "/_penstock/mcp-tokens"
)

// toolbox offers the actions of connectors as tools.
type toolbox struct{ *server }

// Tools is mcp.Toolbox: every enabled action of every connector that the caller may use.
func (b toolbox) Tools(ctx context.Context, caller identity.Caller) ([]mcp.Offer, error) {
	var offers []mcp.Offer
	err := b.actions.EachUsable(ctx, caller, caller.Account, func(u action.Usable) {
		if u.Err != nil {
			b.log.Info("the tools of an action connector cannot be listed", "connector", u.Connector.ID, "error", fault.Message(u.Err))
		}
		for _, a := range u.Actions {
			if a.Enabled {
				offers = append(offers, mcp.Offer{
					Ref: mcp.Ref{Connector: u.Connector.ID, Action: a.ID}, Title: a.Name, Description: a.Description, Schema: a.Input, ReadOnly: !a.Write, Destructive: a.Destructive,
					Remote: u.Connector.Type == action.ModelContextProtocol,
				})
			}
		}
	})
	return offers, err
}

// Call is mcp.Toolbox.
func (b toolbox) Call(ctx context.Context, caller identity.Caller, tool mcp.Ref, arguments json.RawMessage) (mcp.Outcome, error) {
	r, err := b.actions.Call(ctx, caller, caller.Account, action.Call{ConnectorID: tool.Connector, ActionID: tool.Action, Arguments: arguments})
	if err != nil {
		return mcp.Outcome{}, err
	}
	if r.Outcome == action.OutcomePending {
		return mcp.Outcome{Note: fmt.Sprintf("Nothing was done yet: the call waits for the approval %s by a person. Do not repeat it.", r.ApprovalID)}, nil
	}
	out := mcp.Outcome{}
	var notes []string
	if len(r.Answer.Next) > 0 {
		notes = append(notes, "There are more pages: call the tool again with these arguments added: "+string(r.Answer.Next)+".")
	}
	if len(r.Answer.Truncated) > 0 {
		notes = append(notes, "The answer was cut, since it is large: "+string(r.Answer.Truncated)+".")
	}
	if r.Answer.Encoding != "" {
		notes = append(notes, "The answer is bytes of type "+r.Answer.ContentType+" in "+r.Answer.Encoding+".")
	}
	out.Note = strings.Join(notes, " ")
	if json.Unmarshal(r.Answer.Body, &out.Text) != nil {
		out.JSON = r.Answer.Body
	}
	return out, nil
}

// tokenBox makes and reads bearer tokens for MCP clients. A token is sealed, so it is not stored; it ends with its time,
// with the root credential it was made under, with the server's key, and when those of its user are revoked.
type tokenBox struct {
	*server
	box     *secret.Box
	purpose string

	mu          sync.Mutex
	generations map[string]int64 // of users whose tokens were revoked
}

func newTokenBox(ctx context.Context, s *server, box *secret.Box) (*tokenBox, error) {
	root := sha256.Sum256([]byte(s.config.AccessKeyID + "\x00" + s.config.SecretAccessKey.Reveal()))
	generations, err := s.store.Connectors().TokenGenerations(ctx)
	return &tokenBox{server: s, box: box, purpose: "mcp-token/" + base64.RawURLEncoding.EncodeToString(root[:]), generations: generations}, err
}

func (b *tokenBox) generation(user string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.generations[user]
}

const (
	tokenPrefix = "penstock_"
	maxDays     = 366
)

// content is what a token says.
type content struct {
	User       string    `json:"user,omitempty"` // ARN of a user of QuickSight; empty for the root user
	Expires    time.Time `json:"expires"`
	Generation int64     `json:"generation,omitempty"`
}

// caller is whom a request's bearer token stands for, nobody if it has none. problem is what is wrong with the token.
func (b *tokenBox) caller(r *http.Request) (caller identity.Caller, problem string) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return identity.Caller{}, ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, tokenPrefix))
	var c content
	if err == nil && strings.HasPrefix(token, tokenPrefix) {
		var plain secret.Text
		if plain, err = b.box.Open(b.purpose, sealed); err == nil {
			err = json.Unmarshal([]byte(plain.Reveal()), &c)
		}
	}
	switch {
	case err != nil, c.Expires.IsZero():
		return identity.Caller{}, "The bearer token is not one that this server has made under its present access key."
	case !b.now().Before(c.Expires):
		return identity.Caller{}, "The bearer token has ended, at " + c.Expires.Format(time.RFC3339) + "."
	case c.Generation != b.generation(c.User):
		return identity.Caller{}, "The bearer token has been revoked."
	}
	caller = b.accounts.Root()
	if c.User != "" {
		caller.ARN, caller.AccessKeyID = c.User, ""
	}
	return caller, ""
}

// serve serves POST and DELETE of /_penstock/mcp-tokens.
func (b *tokenBox) serve(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	if r.Method == http.MethodDelete {
		if err := b.revoke(r, caller); err != nil {
			actions.Fail(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	token, c, err := b.newToken(r, caller)
	if err != nil {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost+", "+http.MethodDelete)
		}
		actions.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires": c.Expires, "user": c.User})
}

// revoke ends all tokens of a user, the root user without one.
func (b *tokenBox) revoke(r *http.Request, caller identity.Caller) error {
	in := struct {
		User string `json:"user"`
	}{r.URL.Query().Get("user")} // which curl cannot sign
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.New(fault.Invalid, actions.SubjectRequest, "the body cannot be read")
	}
	if err := actions.Read(body, &in, "it takes user"); err != nil {
		return err
	}
	user := in.User
	if user != "" {
		if err := action.CheckUser(caller, user); err != nil {
			return err
		}
	}
	generation, err := b.store.Connectors().TokensRevoke(r.Context(), user)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generations[user] = max(b.generations[user], generation)
	return nil
}

func (b *tokenBox) newToken(r *http.Request, caller identity.Caller) (string, content, error) {
	if r.Method != http.MethodPost {
		return "", content{}, fault.New(fault.Unsupported, actions.SubjectRequest, "the method %s is not for %s; use POST or DELETE", r.Method, r.URL.Path)
	}
	in := struct {
		User string `json:"user"`
		Days int    `json:"days"`
	}{Days: 30}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", content{}, fault.New(fault.Invalid, actions.SubjectRequest, "the body cannot be read")
	}
	if err := actions.Read(body, &in, "it takes user and days"); err != nil {
		return "", content{}, err
	}
	if in.Days < 1 || in.Days > maxDays {
		return "", content{}, fault.New(fault.Invalid, actions.SubjectRequest, "days is %d; a token is good for 1 to %d days", in.Days, maxDays)
	}
	if in.User != "" {
		if err := action.CheckUser(caller, in.User); err != nil {
			return "", content{}, err
		}
	}
	c := content{User: in.User, Expires: b.now().Add(time.Duration(in.Days) * 24 * time.Hour).UTC(), Generation: b.generation(in.User)}
	text, err := json.Marshal(c)
	if err != nil {
		return "", content{}, err
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b.box.Seal(b.purpose, secret.NewText(string(text)))), c, nil
}

// public serves MCP to requests that are not signed: their bearer token says whose they are, or they are told so.
func (b *tokenBox) public(to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, problem := b.caller(r)
		challenge := `Bearer error="invalid_token"`
		if problem == "" && caller.ARN == "" {
			problem, challenge = "The request is not signed for the service penstock and has no bearer token.", "Bearer"
		}
		if problem != "" {
			w.Header().Set("WWW-Authenticate", challenge)
			http.Error(w, problem+" A signed POST to "+tokensPath+" makes one.", http.StatusUnauthorized)
			return
		}
		to.ServeHTTP(w, r.WithContext(mcp.WithCaller(r.Context(), caller)))
	})
}
