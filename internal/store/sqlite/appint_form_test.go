package sqlite

import (
	"testing"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

// TestStoredForm for what AppIntegrations keeps.
func TestStoredFormOfAppIntegrations(t *testing.T) {
	db := open(t, t.TempDir())
	s := db.AppIntegrations()
	token := appint.Token{Operation: "operation", Value: "token", Digest: "digest"}
	d, a, e := storetest.Full[appint.DataIntegration](0), storetest.Full[appint.Association](100), storetest.Full[appint.Execution](200)
	a.IntegrationID, e.AssociationID = d.ID, a.ID
	ev, ea := storetest.Full[appint.EventIntegration](300), storetest.Full[appint.EventAssociation](400)
	ea.Integration = ev.Name
	ap, aa := storetest.Full[appint.Application](500), storetest.Full[appint.ApplicationAssociation](600)
	aa.ApplicationID = ap.ID
	ctx := t.Context()
	for _, write := range []func() error{
		func() error { _, _, err := s.DataIntegrations.Create(ctx, d, token, 9); return err },
		func() error {
			_, _, err := s.Associations.Create(ctx, a, &e, appint.Token{}, appint.Rules{Max: 9})
			return err
		},
		func() error { _, _, err := s.EventIntegrations.Create(ctx, ev, appint.Token{}, 9); return err },
		func() error { _, _, err := s.EventAssociations.Create(ctx, ea, appint.Token{}, 9); return err },
		func() error { _, _, err := s.Applications.Create(ctx, ap, appint.Token{}, 9); return err },
		func() error { _, _, err := s.ApplicationAssociations.Create(ctx, aa, appint.Token{}, 9); return err },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	compareForm(t, dump(t, db), "testdata/form_appint.txt")
}
