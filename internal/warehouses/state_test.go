package warehouses

import (
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestTransitions(t *testing.T) {
	const refused = State("refused")
	events := []event{created, createFailed, remove, deleted}
	for from, want := range map[State][]State{
		//          created    failed   remove    deleted
		Creating:  {Available, Failed, refused, refused},
		Available: {Available, refused, Deleting, refused},
		Failed:    {refused, Failed, Deleting, refused},
		Deleting:  {refused, refused, refused, gone},
	} {
		for n, e := range events {
			w := Warehouse{State: from}
			err := w.move(e, SubjectCluster, "c")
			if want[n] == refused {
				if !fault.Is(err, fault.State, SubjectCluster) || w.State != from {
					t.Errorf("%s, %s: %s, %v, want it refused", from, e, w.State, err)
				}
			} else if err != nil || w.State != want[n] {
				t.Errorf("%s, %s: %s, %v, want %s", from, e, w.State, err, want[n])
			}
		}
	}
}

func TestReservedWordsAreInOrder(t *testing.T) {
	for _, word := range []string{"aes128", "without", "user", "select", "tag", "default"} {
		if !reserved(word) {
			t.Errorf("%q is not found among the reserved words", word)
		}
	}
	if reserved("orders") {
		t.Error("orders is not reserved")
	}
}
