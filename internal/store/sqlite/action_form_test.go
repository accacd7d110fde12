package sqlite

import (
	"testing"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

// TestStoredForm for what action connectors keep.
func TestStoredFormOfActions(t *testing.T) {
	db := open(t, t.TempDir())
	s, calls, ctx := db.Connectors(), db.Calls(), t.Context()
	c, v, g := storetest.Full[action.Connector](0), storetest.Full[action.VPCConnection](100), storetest.Full[action.Grant](200)
	in, d := storetest.Full[action.SignIn](300), storetest.Full[action.Document](400)
	g.ConnectorID, in.ConnectorID, d.ConnectorID = c.ID, c.ID, c.ID
	claim, r, a := storetest.Full[action.Claim](500), storetest.Full[action.Record](600), storetest.Full[action.Approval](700)
	for _, write := range []func() error{
		func() error { return s.ConnectorCreate(ctx, c) },
		func() error { return s.VPCCreate(ctx, v, 9) },
		func() error {
			_, err := s.GrantUpdate(ctx, g.ConnectorID, g.User, func(stored *action.Grant) error { *stored = g; return nil })
			return err
		},
		func() error { return s.SignInPut(ctx, in) },
		func() error { return s.DocumentPut(ctx, d) },
		func() error { _, _, err := calls.CallBegin(ctx, &claim, r); return err },
		func() error { return calls.ApprovalCreate(ctx, a) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	compareForm(t, dump(t, db), "testdata/form_action.txt")
}
