package mcpauth

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/actions"
	"github.com/penstock-io/penstock/internal/identity"
)

const (
	tokenPrefix = "penstock_"
	defaultDays = 30
	maxDays     = 366
)

// content is what a token says.
type content struct {
	User       string    `json:"user,omitempty"` // ARN of a user of QuickSight; empty for the root user
	Expires    time.Time `json:"expires"`
	Generation int64     `json:"generation,omitempty"`
}

// caller is whom a request's bearer token stands for, nobody if it has none. problem is what is wrong with the token.
func (f *Front) caller(r *http.Request) (caller identity.Caller, problem string) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return identity.Caller{}, ""
	}
	var c content
	token, ours := strings.CutPrefix(token, tokenPrefix)
	switch {
	case !ours || f.open(f.purpose, token, &c) != nil || c.Expires.IsZero():
		return identity.Caller{}, "The bearer token is not one that this server has made under its present access key."
	case !f.Now().Before(c.Expires):
		return identity.Caller{}, "The bearer token has ended, at " + c.Expires.Format(time.RFC3339) + "."
	case c.Generation != f.generation(c.User):
		return identity.Caller{}, "The bearer token has been revoked."
	}
	caller = f.root
	if c.User != "" {
		caller.ARN, caller.AccessKeyID = c.User, ""
	}
	return caller, ""
}

func (f *Front) generation(user string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.generations[user]
}

// newToken makes a token for a user, the root user if empty.
func (f *Front) newToken(user string, days int) (string, content, error) {
	c := content{User: user, Expires: f.Now().Add(time.Duration(days) * 24 * time.Hour).UTC(), Generation: f.generation(user)}
	token, err := f.seal(f.purpose, c)
	return tokenPrefix + token, c, err
}

// Tokens serves TokensPath to signed requests: POST makes a token, DELETE ends all those of a user.
func (f *Front) Tokens(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	var err error
	switch r.Method {
	case http.MethodPost:
		err = f.give(w, r, caller)
	case http.MethodDelete:
		err = f.revoke(w, r, caller)
	default:
		w.Header().Set("Allow", http.MethodPost+", "+http.MethodDelete)
		err = fault.New(fault.Unsupported, actions.SubjectRequest, "the method %s is not for %s; use POST or DELETE", r.Method, r.URL.Path)
	}
	if err != nil {
		actions.Fail(w, r, err)
	}
}

func (f *Front) give(w http.ResponseWriter, r *http.Request, caller identity.Caller) error {
	in := struct {
		User string `json:"user"`
		Days int    `json:"days"`
	}{Days: defaultDays}
	if err := read(r, &in, "it takes user and days"); err != nil {
		return err
	}
	if in.Days < 1 || in.Days > maxDays {
		return fault.New(fault.Invalid, actions.SubjectRequest, "days is %d; a token is good for 1 to %d days", in.Days, maxDays)
	}
	if in.User != "" {
		if err := action.CheckUser(caller, in.User); err != nil {
			return err
		}
	}
	token, c, err := f.newToken(in.User, in.Days)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"token": token, "expires": c.Expires, "user": c.User})
	return nil
}

func (f *Front) revoke(w http.ResponseWriter, r *http.Request, caller identity.Caller) error {
	in := struct {
		User string `json:"user"`
	}{r.URL.Query().Get("user")} // not every client sends a body with DELETE
	if err := read(r, &in, "it takes user"); err != nil {
		return err
	}
	if in.User != "" {
		if err := action.CheckUser(caller, in.User); err != nil {
			return err
		}
	}
	generation, err := f.Generations.TokensRevoke(r.Context(), in.User)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.generations[in.User] = max(f.generations[in.User], generation)
	f.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func read(r *http.Request, into any, takes string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.New(fault.Invalid, actions.SubjectRequest, "the body cannot be read")
	}
	return actions.Read(body, into, takes)
}

// answer sends JSON that nobody is to keep.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away
}
