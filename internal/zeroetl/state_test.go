package zeroetl

import (
	"slices"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

func events() []event {
	return []event{modify, remove, activated, syncing, attention, failed, repaired, removed}
}

// The table is that of doc.go. What is not in it is refused.
func TestTransitions(t *testing.T) {
	const refused = Status("refused")
	for from, want := range map[Status][]Status{
		//               modify     remove    activated syncing  attention       failed  repaired removed
		Creating:       {refused, refused, Active, refused, refused, Failed, refused, refused},
		Active:         {Modifying, Deleting, Active, Syncing, NeedsAttention, Failed, Active, refused},
		Syncing:        {Modifying, Deleting, Active, Syncing, NeedsAttention, Failed, Active, refused},
		Modifying:      {refused, refused, Active, refused, NeedsAttention, Failed, Active, refused},
		NeedsAttention: {Modifying, Deleting, refused, Syncing, NeedsAttention, Failed, Active, refused},
		Failed:         {Modifying, Deleting, refused, refused, NeedsAttention, Failed, Active, refused},
		Deleting:       {refused, refused, refused, refused, refused, refused, refused, gone},
	} {
		for n, e := range events() {
			before := []Problem{{"BEFORE", "as it was"}}
			i := Integration{ARN: "arn", Status: from, Problems: before}
			report := []Problem{{"REPORTED", "what is wrong"}}
			err := i.move(e, report)
			if want[n] == refused {
				if !fault.Is(err, fault.State, SubjectIntegration) || i.Status != from || !slices.Equal(i.Problems, before) {
					t.Errorf("%s, %s: %v, status %s, problems %v; want it refused and nothing changed", from, e, err, i.Status, i.Problems)
				}
				continue
			}
			if err != nil || i.Status != want[n] {
				t.Errorf("%s, %s: status %s, %v, want %s", from, e, i.Status, err, want[n])
			}
			var problems []Problem
			switch want[n] {
			case NeedsAttention, Failed:
				problems = report
			case Modifying, Deleting, gone:
				problems = before
			}
			if !slices.Equal(i.Problems, problems) {
				t.Errorf("%s, %s: problems %v, want %v", from, e, i.Problems, problems)
			}
		}
	}
}

// Terraform waits for the first active and takes anything but creating and modifying for a failure on the way.
func TestNothingButFailedBeforeTheFirstActive(t *testing.T) {
	for _, e := range events() {
		if to, ok := next(Creating, e); ok && to != Active && to != Failed {
			t.Errorf("creating leads to %s when %s", to, e)
		}
	}
	if to, ok := next(Modifying, syncing); ok {
		t.Errorf("modifying leads to %s when syncing is reported; Terraform waits for active", to)
	}
}

// A report may come twice, since its maker may die before it knows that it was heard.
func TestReportsMayComeTwice(t *testing.T) {
	for _, from := range Statuses() {
		for _, e := range []event{activated, attention, failed, repaired} {
			once, ok := next(from, e)
			if !ok {
				continue
			}
			if twice, ok := next(once, e); !ok || twice != once {
				t.Errorf("%s, %s twice: %s, %v, want %s", from, e, twice, ok, once)
			}
		}
	}
}
