package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/mcp"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// serveMCP serves MCP to a caller.
func (s *server) serveMCP(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	s.mcp.ServeHTTP(w, r.WithContext(mcp.WithCaller(r.Context(), caller)))
}

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
