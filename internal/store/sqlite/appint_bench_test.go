package sqlite

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
)

type noProfiles struct{}

func (noProfiles) Profiles(string) []string { return nil }

func counter() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
	}
}

func makeIntegration(b *testing.B, s *appint.Service) appint.DataIntegration {
	b.Helper()
	d, err := s.CreateDataIntegration(b.Context(), appint.DataIntegrationParams{Name: "d", KMSKey: "alias/key", SourceURI: "s3://source/in"})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func appintService(db *DB, now func() time.Time) *appint.Service {
	return appint.NewService(appint.Config{
		Partition: "aws", Region: "us-east-1", Account: "123456789012", Stores: db.AppIntegrations(), Profiles: noProfiles{}, Now: now,
		NewID: counter(), Notify: func() {}, Quotas: appint.Quotas{DataIntegrations: 9, AssociationsPerIntegration: 1 << 20}, Reassociate: true,
	})
}

// A page of 50 of 10,000 associations, wherever in the list it is. The figure that counts is p99.
func BenchmarkAssociationPages(b *testing.B) {
	now := time.Unix(1_800_000_000, 0).UTC()
	s := appintService(openBench(b), func() time.Time { return now })
	d := makeIntegration(b, s)
	for range 10_000 {
		if _, _, err := s.CreateAssociation(b.Context(), appint.AssociationParams{
			Integration: d.ID, DestinationURI: "s3://destination/out", ClientID: "client",
			Run: appint.Run{Mode: appint.Scheduled, Schedule: appint.Schedule{Expression: "rate(1 hour)", FirstExecutionFrom: "1715278292014", Object: "Account"}},
		}); err != nil {
			b.Fatal(err)
		}
	}
	var took []time.Duration
	token := ""
	for b.Loop() {
		began := time.Now()
		list, _, next, err := s.Associations(b.Context(), d.Name, appint.Page{Token: token})
		took = append(took, time.Since(began))
		if err != nil || len(list) != 50 {
			b.Fatal(len(list), err)
		}
		token = next
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// A thousand schedules that come due at once are asked for and taken within one turn of whoever runs them.
func BenchmarkSchedules(b *testing.B) {
	now := time.Unix(1_800_000_000, 0).UTC()
	s := appintService(openBench(b), func() time.Time { return now })
	d := makeIntegration(b, s)
	for range 1000 {
		if _, _, err := s.CreateAssociation(b.Context(), appint.AssociationParams{
			Integration: d.ID, DestinationURI: "s3://destination/out", Run: appint.Run{Mode: appint.Scheduled, Schedule: appint.Schedule{Expression: "rate(1 minute)"}},
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		now = now.Add(time.Minute)
		list, err := s.Claim(b.Context(), 1000)
		if err != nil || len(list) != 1000 {
			b.Fatal(len(list), err)
		}
		b.StopTimer()
		for _, e := range list {
			if _, err := s.Finish(b.Context(), e.ID, appint.Outcome{Status: appint.Completed}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
