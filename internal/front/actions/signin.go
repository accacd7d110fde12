package actions

import (
	"html/template"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

// userBody is the body of requests that are for a user.
type userBody struct {
	User string `json:"user"` // ARN; empty for the caller
}

func (f *Front) signIn(r *request, id string) (any, error) {
	var in userBody
	if err := r.read(&in, "it takes user"); err != nil {
		return nil, err
	}
	start, err := f.actions.StartSignIn(r.Context(), r.caller, r.caller.Account, id, in.User)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"signInUrl": start.URL, "redirectUrl": start.Redirect, "expires": start.Expires, "identity": start.Identity, "user": start.User}
	if start.Note != "" {
		out["note"] = start.Note
	}
	return out, nil
}

func (f *Front) signOut(r *request, id string) error {
	in := userBody{User: r.URL.Query().Get("user")}
	if err := r.read(&in, "it takes user"); err != nil {
		return err
	}
	return f.actions.SignOut(r.Context(), r.caller, r.caller.Account, id, in.User)
}

func (f *Front) test(r *request, id string) (any, error) {
	var in userBody
	if err := r.read(&in, "it takes user"); err != nil {
		return nil, err
	}
	tried, err := f.actions.Test(r.Context(), r.caller, r.caller.Account, id, in.User)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "vendorAsked": tried}, nil
}

// shownGrant is a grant without its tokens.
type shownGrant struct {
	ID        string            `json:"grantId"`
	User      string            `json:"user"` // empty for the shared one
	State     action.GrantState `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	Scope     string            `json:"scope,omitempty"`
	Created   time.Time         `json:"created"`
	SignedIn  *time.Time        `json:"signedIn,omitempty"`
	Refreshed *time.Time        `json:"refreshed,omitempty"`
	Expires   *time.Time        `json:"accessTokenExpires,omitempty"`
}

func (f *Front) grants(r *request, id string) (any, error) {
	list, next, err := f.actions.ListGrants(r.Context(), r.caller, r.caller.Account, id, r.URL.Query().Get("nextToken"))
	if err != nil {
		return nil, err
	}
	out := make([]shownGrant, len(list))
	for n, g := range list {
		out[n] = shownGrant{
			ID: g.ID, User: g.User, State: g.State, Reason: g.Reason, Scope: g.Scope, Created: g.Created,
			SignedIn: moment(g.SignedIn), Refreshed: moment(g.Refreshed), Expires: moment(g.Expires),
		}
	}
	return page("grants", out, next), nil
}

var callbackPage = template.Must(template.New("callback").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}code{overflow-wrap:anywhere}</style>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Next}}<p>{{.}}</p>
{{end}}{{if .Connector}}<p>Connector <code>{{.Connector}}</code> ({{.Type}}), {{if .User}}for <code>{{.User}}</code>{{else}}shared by all its users{{end}}.</p>
<p>If that is not you, tell the owner of the connector: what you have just allowed can be used in that name.</p>{{end}}
</html>
`))

// shownPage is what the page after a sign-in says.
type shownPage struct{ Title, Text, Next, Connector, Type, User string }

// again is what somebody does whose sign-in has failed: its address is used up, whatever the reason.
const again = "The address of a sign-in works once. For another one, make the call again that asked for it, or ask for one with POST /_penstock/action-connectors/{id}/sign-in; " +
	"GET /_penstock/action-connectors/{id}/grants shows who is signed in. An earlier sign-in that worked still does."

// Callback is where vendors send browsers back to. It asks for no authentication: the state parameter is good once,
// for one user's sign-in.
func (f *Front) Callback(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet {
		h.Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		_ = callbackPage.Execute(w, shownPage{Title: "Not a sign-in", Text: "Vendors come back here with GET."})
		return
	}
	q := r.URL.Query()
	done, err := f.actions.FinishSignIn(r.Context(), action.Callback{
		State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), ErrorDescription: q.Get("error_description"),
	})
	if err != nil {
		w.WriteHeader(statusOf(err))
		_ = callbackPage.Execute(w, shownPage{Title: "Not signed in", Text: sentence(fault.Message(err)), Next: again})
		return
	}
	_ = callbackPage.Execute(w, shownPage{
		Title: "Signed in", Text: "You can close this window, and make the call again if one has sent you here.", Connector: done.Connector.ID, Type: string(done.Connector.Type), User: done.Grant.User,
	})
}

// sentence is a message with a capital letter and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	first := s[:1]
	if first >= "a" && first <= "z" {
		first = string(first[0] - 'a' + 'A')
	}
	s = first + s[1:]
	if last := s[len(s)-1]; last != '.' && last != '?' && last != '!' {
		s += "."
	}
	return s
}
