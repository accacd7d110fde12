package app

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/mcp"
	"github.com/penstock-io/penstock/internal/fault"
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

// tokenBox makes and reads bearer tokens for MCP clients. A token is sealed, so nothing is stored; it ends with its
// time, with the root credential it was made under, and with the server's key.
type tokenBox struct {
	*server
	box     *secret.Box
	purpose string
}

func newTokenBox(s *server, box *secret.Box) *tokenBox {
	root := sha256.Sum256([]byte(s.config.AccessKeyID + "\x00" + s.config.SecretAccessKey.Reveal()))
	return &tokenBox{s, box, "mcp-token/" + base64.RawURLEncoding.EncodeToString(root[:])}
}

const (
	tokenPrefix = "penstock_"
	maxDays     = 366
)

// content is what a token says.
type content struct {
	User    string    `json:"user,omitempty"` // ARN of a user of QuickSight; empty for the root user
	Expires time.Time `json:"expires"`
}

// caller is whom a request's bearer token stands for.
func (b *tokenBox) caller(r *http.Request) (identity.Caller, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !strings.EqualFold(scheme, "Bearer") || !ok {
		return identity.Caller{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return identity.Caller{}, false
	}
	plain, err := b.box.Open(b.purpose, sealed)
	var c content
	if err != nil || json.Unmarshal([]byte(plain.Reveal()), &c) != nil || !b.now().Before(c.Expires) {
		return identity.Caller{}, false
	}
	caller := b.accounts.Root()
	if c.User != "" {
		caller.ARN, caller.AccessKeyID = c.User, ""
	}
	return caller, true
}

// issue serves POST /_penstock/mcp-tokens.
func (b *tokenBox) issue(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	fail := func(status int, format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"code": "InvalidParameterValueException", "message": fmt.Sprintf(format, args...)})
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(http.StatusMethodNotAllowed, "ask for a token with POST")
		return
	}
	in := struct {
		User string `json:"user"`
		Days int    `json:"days"`
	}{Days: 30}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		fail(http.StatusBadRequest, "the body is not {\"user\": \"arn:...\", \"days\": 30}: %v", err)
		return
	}
	if in.Days < 1 || in.Days > maxDays {
		fail(http.StatusBadRequest, "days is %d; a token is good for 1 to %d days", in.Days, maxDays)
		return
	}
	if in.User != "" {
		if err := action.CheckUser(caller, in.User); err != nil {
			fail(http.StatusBadRequest, "%s", fault.Message(err))
			return
		}
	}
	c := content{User: in.User, Expires: b.now().Add(time.Duration(in.Days) * 24 * time.Hour).UTC()}
	text, err := json.Marshal(c)
	if err != nil {
		fail(http.StatusInternalServerError, "the token cannot be made")
		return
	}
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(b.box.Seal(b.purpose, secret.NewText(string(text))))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires": c.Expires, "user": in.User})
}

// public serves MCP to requests that are not signed: their bearer token says whose they are, or they are told so.
func (b *tokenBox) public(to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := b.caller(r); ok {
			r = r.WithContext(mcp.WithCaller(r.Context(), caller))
		}
		to.ServeHTTP(w, r)
	})
}
