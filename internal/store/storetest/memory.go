package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Memory implements every Store interface of the domains in the simplest way, for tests. It keeps nothing on
// disk; that apart it passes the suites of this package, so what a domain's test shows on it holds on any store.
type Memory struct {
	mu     sync.Mutex
	closed bool

	integrations map[string]zeroetl.Integration
	policies     map[string]zeroetl.Policy
	warehouses   map[string]warehouses.Warehouse
	clusters     map[string]warehouses.Cluster
	namespaces   map[string]warehouses.Namespace
	workgroups   map[string]warehouses.Workgroup
	partners     map[warehouses.PartnerKey]warehouses.Partner
	jobs         map[copyjob.Key]copyjob.Job
	lastJob      int64
	messages     []copyjob.Message
	statements   map[string]statements.Statement
	forgotten    map[string]forgotten
	pages        map[pageKey]statements.Page
	appint       memoryAppint
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		integrations: map[string]zeroetl.Integration{}, policies: map[string]zeroetl.Policy{}, warehouses: map[string]warehouses.Warehouse{},
		clusters: map[string]warehouses.Cluster{}, namespaces: map[string]warehouses.Namespace{}, workgroups: map[string]warehouses.Workgroup{},
		partners: map[warehouses.PartnerKey]warehouses.Partner{}, jobs: map[copyjob.Key]copyjob.Job{},
		statements: map[string]statements.Statement{}, forgotten: map[string]forgotten{}, pages: map[pageKey]statements.Page{},
		appint: memoryAppint{tokens: map[appint.Token]string{}},
	}
}

// Close makes every later call fail.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// do runs f as one transaction.
func (m *Memory) do(ctx context.Context, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fault.New(fault.Unavailable, "store", "the store is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

func missing(subject, name string) error {
	return fault.New(fault.NotFound, subject, "there is no %s %q", subject, name)
}

func taken(subject, name string) error {
	return fault.New(fault.AlreadyExists, subject, "there is a %s %q already", subject, name)
}

// get returns m[key], or NotFound.
func get[K comparable, V any](m map[K]V, key K, subject, name string) (V, error) {
	v, ok := m[key]
	if !ok {
		return v, missing(subject, name)
	}
	return v, nil
}

// update changes m[key], but for what keep puts back, and returns it.
func update[K comparable, V any](m map[K]V, key K, subject, name string, change func(*V) error, keep func(next, old *V)) (V, error) {
	old, err := get(m, key, subject, name)
	if err != nil {
		return old, err
	}
	next := old
	if err := change(&next); err != nil {
		return *new(V), err
	}
	keep(&next, &old)
	m[key] = next
	return next, nil
}

// remove deletes m[key] and returns it, or NotFound.
func remove[K comparable, V any](m map[K]V, key K, subject, name string) (V, error) {
	v, err := get(m, key, subject, name)
	delete(m, key)
	return v, err
}

// IntegrationCreate implements zeroetl.Store.
func (m *Memory) IntegrationCreate(ctx context.Context, i zeroetl.Integration, max int) error {
	return m.do(ctx, func() error {
		if _, ok := m.integrations[i.ID]; ok {
			return taken(zeroetl.SubjectIntegration, i.ID)
		}
		if err := zeroetl.Admit(m.integrationList(), i, max); err != nil {
			return err
		}
		m.integrations[i.ID] = i
		return nil
	})
}

func (m *Memory) integrationList() []zeroetl.Integration {
	return slices.SortedFunc(maps.Values(m.integrations), zeroetl.Compare)
}

// IntegrationGet implements zeroetl.Store.
func (m *Memory) IntegrationGet(ctx context.Context, id string) (i zeroetl.Integration, err error) {
	err = m.do(ctx, func() error {
		i, err = get(m.integrations, id, zeroetl.SubjectIntegration, id)
		return err
	})
	return i, err
}

// IntegrationList implements zeroetl.Store.
func (m *Memory) IntegrationList(ctx context.Context) (list []zeroetl.Integration, err error) {
	err = m.do(ctx, func() error {
		list = m.integrationList()
		return nil
	})
	return list, err
}

// IntegrationUpdate implements zeroetl.Store.
func (m *Memory) IntegrationUpdate(ctx context.Context, id string, change func(*zeroetl.Integration) error) (i zeroetl.Integration, err error) {
	err = m.do(ctx, func() error {
		old, err := get(m.integrations, id, zeroetl.SubjectIntegration, id)
		if err != nil {
			return err
		}
		next := old
		if err := change(&next); err != nil {
			return err
		}
		next.ID, next.ARN, next.Created = old.ID, old.ARN, old.Created
		if err := zeroetl.Admit(m.integrationList(), next, 0); err != nil {
			return err
		}
		m.integrations[id], i = next, next
		return nil
	})
	return i, err
}

// IntegrationDelete implements zeroetl.Store.
func (m *Memory) IntegrationDelete(ctx context.Context, id string) error {
	return m.do(ctx, func() error {
		_, err := remove(m.integrations, id, zeroetl.SubjectIntegration, id)
		return err
	})
}

// PolicyPut implements zeroetl.PolicyStore.
func (m *Memory) PolicyPut(ctx context.Context, p zeroetl.Policy) error {
	return m.do(ctx, func() error {
		m.policies[p.WarehouseID] = p
		return nil
	})
}

// PolicyGet implements zeroetl.PolicyStore.
func (m *Memory) PolicyGet(ctx context.Context, warehouseID string) (p zeroetl.Policy, err error) {
	err = m.do(ctx, func() error {
		p, err = get(m.policies, warehouseID, zeroetl.SubjectPolicy, warehouseID)
		return err
	})
	return p, err
}

// PolicyDelete implements zeroetl.PolicyStore.
func (m *Memory) PolicyDelete(ctx context.Context, warehouseID string) error {
	return m.do(ctx, func() error {
		_, err := remove(m.policies, warehouseID, zeroetl.SubjectPolicy, warehouseID)
		return err
	})
}

// JobCreate implements copyjob.Store.
func (m *Memory) JobCreate(ctx context.Context, j copyjob.Job, max int) (copyjob.Job, error) {
	err := m.do(ctx, func() error {
		if _, ok := m.jobs[j.Key()]; ok {
			return taken(copyjob.SubjectJob, j.Name)
		}
		if n := len(m.jobList(j.WarehouseID)); n >= max {
			return fault.New(fault.Limit, copyjob.SubjectJob, "there are %d COPY jobs", n)
		}
		m.lastJob++
		j.ID = m.lastJob
		m.jobs[j.Key()] = j
		return nil
	})
	if err != nil {
		return copyjob.Job{}, err
	}
	return j, nil
}

func (m *Memory) jobList(warehouseID string) []copyjob.Job {
	var list []copyjob.Job
	for _, j := range m.jobs {
		if warehouseID == "" || j.WarehouseID == warehouseID {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b copyjob.Job) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// JobList implements copyjob.Store.
func (m *Memory) JobList(ctx context.Context, warehouseID string) (list []copyjob.Job, err error) {
	err = m.do(ctx, func() error {
		list = m.jobList(warehouseID)
		return nil
	})
	return list, err
}

// JobUpdate implements copyjob.Store.
func (m *Memory) JobUpdate(ctx context.Context, key copyjob.Key, change func(*copyjob.Job) error) (j copyjob.Job, err error) {
	err = m.do(ctx, func() error {
		j, err = update(m.jobs, key, copyjob.SubjectJob, key.Name, change, func(next, old *copyjob.Job) {
			next.ID, next.Created, next.WarehouseID, next.Name, next.Table.Database = old.ID, old.Created, old.WarehouseID, old.Name, old.Table.Database
		})
		return err
	})
	return j, err
}

// JobDelete implements copyjob.Store.
func (m *Memory) JobDelete(ctx context.Context, key copyjob.Key) (j copyjob.Job, err error) {
	err = m.do(ctx, func() error {
		if j, err = get(m.jobs, key, copyjob.SubjectJob, key.Name); err != nil {
			return err
		}
		delete(m.jobs, key)
		m.messages = slices.DeleteFunc(m.messages, func(s copyjob.Message) bool { return s.JobID == j.ID })
		return nil
	})
	return j, err
}

// MessageAdd implements copyjob.MessageStore.
func (m *Memory) MessageAdd(ctx context.Context, s copyjob.Message) error {
	return m.do(ctx, func() error {
		if !slices.ContainsFunc(m.jobList(""), func(j copyjob.Job) bool { return j.ID == s.JobID }) {
			return missing(copyjob.SubjectJob, s.JobName)
		}
		m.messages = append(m.messages, s)
		older := 0
		for n := len(m.messages) - 1; n >= 0; n-- {
			if m.messages[n].JobID != s.JobID {
				continue
			}
			if older++; older > copyjob.MaxMessages {
				m.messages = slices.Delete(m.messages, n, n+1)
			}
		}
		return nil
	})
}

// MessageList implements copyjob.MessageStore.
func (m *Memory) MessageList(ctx context.Context, warehouseID string) (list []copyjob.Message, err error) {
	err = m.do(ctx, func() error {
		here := map[int64]bool{}
		for _, j := range m.jobList(warehouseID) {
			here[j.ID] = true
		}
		for _, s := range m.messages {
			if here[s.JobID] {
				list = append(list, s)
			}
		}
		return nil
	})
	return list, err
}
