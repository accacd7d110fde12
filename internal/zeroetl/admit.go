package zeroetl

import "github.com/penstock-io/penstock/internal/fault"

// Admit says whether i may stand beside others, which may hold an older version of i itself. A taken name,
// and a second integration from the same source to the same warehouse, are AlreadyExists; a warehouse that
// has max integrations of the kind is Limit. Integrations being deleted count. Stores ask it inside the
// transaction that makes the change; max 0 means no limit.
func Admit(others []Integration, i Integration, max int) error {
	if err := duplicate(others, i); err != nil {
		return err
	}
	count := 0
	for _, o := range others {
		if o.ID != i.ID && o.WarehouseID == i.WarehouseID && o.Kind == i.Kind {
			count++
		}
	}
	if max > 0 && count >= max {
		return fault.New(fault.Limit, SubjectIntegration,
			"the data warehouse has %d integrations of the type %s and at most %d are allowed; delete one, or use another data warehouse", count, i.Kind, max)
	}
	return nil
}

func duplicate(others []Integration, i Integration) error {
	for _, o := range others {
		switch {
		case o.ID == i.ID:
		case o.Name == i.Name:
			return fault.New(fault.AlreadyExists, SubjectIntegration,
				"the integration %s (%s) has the name %q already; choose another name", o.ARN, o.Status, o.Name)
		case o.SourceARN == i.SourceARN && o.WarehouseID == i.WarehouseID:
			return fault.New(fault.AlreadyExists, SubjectIntegration,
				"the integration %q (%s, %s) joins %s to this data warehouse already; use it, or delete it first", o.Name, o.ARN, o.Status, o.SourceARN)
		}
	}
	return nil
}
