package action_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// remotes is the vendor, of whose connectors to remote servers one never answers and one fails.
type remotes struct{ *vendor }

func (r remotes) Actions(ctx context.Context, t action.Target) ([]action.Action, error) {
	switch t.Connector.ID {
	case "silent":
		<-ctx.Done()
		return nil, ctx.Err()
	case "broken":
		return nil, errors.New("broken")
	}
	return r.vendor.Actions(ctx, t)
}

func TestEachUsable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *action.Config) { c.Invoker, c.CheckTime = remotes{c.Invoker.(*vendor)}, 50*time.Millisecond })
	remote := func(p *action.CreateParams) { p.Type = action.ModelContextProtocol }
	mine := func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayInvoke}}}
	}
	w.create("broken", noAuth, "", remote)
	w.create("silent", noAuth, "", remote)
	w.create("remote", noAuth, "", remote)
	w.create("mine", noAuth, "", mine)
	w.create("seen", noAuth, "", func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayUpdate}}}
	})
	for n := range 1001 { // more than are read at once
		w.create(fmt.Sprintf("x%04d", n), noAuth, "", nil)
	}
	_, err := w.config.Connectors.ConnectorUpdate(t.Context(), "x0500", func(c *action.Connector) error { c.Status = action.CreationFailed; return nil })
	must(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.EachUsable(ctx, caller, account, func(action.Usable) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a list that was given up: %v", err)
	}

	list := func(who identity.Caller) (ids []string, errs map[string]error) {
		errs = map[string]error{}
		must(t, w.EachUsable(t.Context(), who, account, func(u action.Usable) {
			ids = append(ids, u.Connector.ID)
			if u.Err != nil {
				errs[u.Connector.ID] = u.Err
			} else if len(u.Actions) != 2 || !u.Actions[0].Enabled {
				t.Errorf("%s has %+v", u.Connector.ID, u.Actions)
			}
		}))
		return ids, errs
	}
	ids, errs := list(caller)
	if len(ids) != 1005 || !slices.IsSorted(ids) || slices.Contains(ids, "x0500") {
		t.Errorf("%d connectors", len(ids))
	}
	if len(errs) != 2 || !errors.Is(errs["silent"], context.DeadlineExceeded) {
		t.Errorf("errors %v", errs)
	}
	user := caller
	user.ARN = alice
	if ids, _ := list(user); !slices.Equal(ids, []string{"mine"}) {
		t.Errorf("a user may use %v", ids)
	}
	wants(t, w.EachUsable(t.Context(), caller, "210987654321", func(action.Usable) {}), fault.Denied, action.SubjectAccount)
}
