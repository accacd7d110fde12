package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

// memoryAppint is what Memory keeps of package appint.
type memoryAppint struct {
	number     int64 // last given
	tokens     map[appint.Token]string
	data       []appint.DataIntegration
	links      []appint.Association
	executions []appint.Execution
	events     []appint.EventIntegration
	eventLinks []appint.EventAssociation
	apps       []appint.Application
	appLinks   []appint.ApplicationAssociation
}

// AppIntegrations returns the stores of package appint in m.
func (m *Memory) AppIntegrations() appint.Stores {
	type ( // to keep the lines below short
		data      = appint.DataIntegration
		event     = appint.EventIntegration
		eventLink = appint.EventAssociation
		app       = appint.Application
		appLink   = appint.ApplicationAssociation
	)
	s := &m.appint
	return appint.Stores{
		DataIntegrations: &memoryResources[data]{
			m: m, list: &s.data, subject: appint.SubjectDataIntegration, number: func(v *data) *int64 { return &v.Number },
			ids:    func(v *data) []string { return []string{v.ID, v.Name} },
			unique: func(v *data) []string { return []string{"id " + v.ID, "name " + v.Name} },
			keep:   func(old, v *data) { v.Number, v.ID, v.ARN, v.Created = old.Number, old.ID, old.ARN, old.Created },
			used: func(id string) bool {
				return slices.ContainsFunc(s.links, func(a appint.Association) bool { return a.IntegrationID == id })
			},
		},
		Associations: memoryAssociations{m.associations()},
		Queue:        memoryExecutions{m},
		History:      memoryExecutions{m},
		EventIntegrations: &memoryResources[event]{
			m: m, list: &s.events, subject: appint.SubjectEventIntegration, number: func(v *event) *int64 { return &v.Number },
			ids:    func(v *event) []string { return []string{v.Name} },
			unique: func(v *event) []string { return []string{"name " + v.Name} },
			keep:   func(old, v *event) { v.Number, v.Name, v.ARN, v.Created = old.Number, old.Name, old.ARN, old.Created },
			used: func(id string) bool {
				return slices.ContainsFunc(s.eventLinks, func(a eventLink) bool { return a.Integration == id })
			},
		},
		EventAssociations: &memoryResources[eventLink]{
			m: m, list: &s.eventLinks, subject: appint.SubjectEventAssociation, number: func(v *eventLink) *int64 { return &v.Number },
			ids:    func(v *eventLink) []string { return []string{v.ID} },
			unique: func(v *eventLink) []string { return []string{"id " + v.ID} },
			parent: func(v *eventLink) string { return v.Integration },
			adopt: func(name string) error {
				if !slices.ContainsFunc(s.events, func(e event) bool { return e.Name == name }) {
					return missing(appint.SubjectEventIntegration, name)
				}
				return nil
			},
			keep: func(old, v *eventLink) {
				v.Number, v.ID, v.ARN, v.Integration, v.Created = old.Number, old.ID, old.ARN, old.Integration, old.Created
			},
		},
		Applications: &memoryResources[app]{
			m: m, list: &s.apps, subject: appint.SubjectApplication, number: func(v *app) *int64 { return &v.Number },
			ids:    func(v *app) []string { return []string{v.ID} },
			unique: func(v *app) []string { return []string{"id " + v.ID, "name " + v.Name, "namespace " + v.Namespace} },
			typed:  func(v *app) string { return string(v.Type) },
			keep: func(old, v *app) {
				v.Number, v.ID, v.ARN, v.Namespace, v.Created = old.Number, old.ID, old.ARN, old.Namespace, old.Created
			},
			used: func(id string) bool {
				return slices.ContainsFunc(s.appLinks, func(a appLink) bool { return a.ApplicationID == id })
			},
		},
		ApplicationAssociations: &memoryResources[appLink]{
			m: m, list: &s.appLinks, subject: appint.SubjectApplicationAssociation, number: func(v *appLink) *int64 { return &v.Number },
			ids:    func(v *appLink) []string { return []string{v.ID} },
			unique: func(v *appLink) []string { return []string{"id " + v.ID} },
			parent: func(v *appLink) string { return v.ApplicationID },
			adopt: func(id string) error {
				if !slices.ContainsFunc(s.apps, func(a app) bool { return a.ID == id }) {
					return missing(appint.SubjectApplication, id)
				}
				return nil
			},
			keep: func(old, v *appLink) {
				v.Number, v.ID, v.ARN, v.ApplicationID, v.Created = old.Number, old.ID, old.ARN, old.ApplicationID, old.Created
			},
		},
	}
}

func (m *Memory) associations() *memoryResources[appint.Association] {
	type link = appint.Association
	return &memoryResources[link]{
		m: m, list: &m.appint.links, subject: appint.SubjectAssociation, number: func(v *link) *int64 { return &v.Number },
		ids:    func(v *link) []string { return []string{v.ID} },
		unique: func(v *link) []string { return []string{"id " + v.ID} },
		parent: func(v *link) string { return v.IntegrationID },
		adopt: func(id string) error {
			if !slices.ContainsFunc(m.appint.data, func(d appint.DataIntegration) bool { return d.ID == id }) {
				return missing(appint.SubjectDataIntegration, id)
			}
			return nil
		},
		keep: func(old, v *link) {
			v.Number, v.ID, v.ARN, v.IntegrationID, v.Created = old.Number, old.ID, old.ARN, old.IntegrationID, old.Created
		},
	}
}

// memoryResources is an appint.Store. Functions that are nil stand for what the kind does not have.
type memoryResources[T any] struct {
	m       *Memory
	list    *[]T
	subject string
	number  func(*T) *int64
	ids     func(*T) []string // the ID, and a name that is as good
	unique  func(*T) []string
	parent  func(*T) string
	adopt   func(parent string) error // whether the parent is there
	typed   func(*T) string
	keep    func(old, v *T)
	used    func(id string) bool
}

func (s *memoryResources[T]) find(id string) (int, error) {
	n := slices.IndexFunc(*s.list, func(v T) bool { return s.ids(&v)[0] == id })
	if n < 0 {
		return n, missing(s.subject, id)
	}
	return n, nil
}

// Create implements appint.Store.
func (s *memoryResources[T]) Create(ctx context.Context, v T, t appint.Token, max int) (stored T, created bool, err error) {
	err = s.m.do(ctx, func() error {
		stored, created, err = s.create(v, t, max, nil)
		return err
	})
	return stored, created, err
}

func (s *memoryResources[T]) create(v T, t appint.Token, max int, admit func() error) (stored T, created bool, err error) {
	for known, id := range s.m.appint.tokens {
		if t.Value == "" || known.Operation != t.Operation || known.Value != t.Value {
			continue
		}
		if known.Digest != t.Digest {
			return stored, false, fault.New(fault.Invalid, appint.SubjectToken, "the client token was used before")
		}
		n, err := s.find(id)
		if err != nil {
			return stored, false, err
		}
		return (*s.list)[n], false, nil
	}
	if s.parent != nil {
		if err := s.adopt(s.parent(&v)); err != nil {
			return stored, false, err
		}
	}
	if admit != nil {
		if err := admit(); err != nil {
			return stored, false, err
		}
	}
	if err := s.distinct(&v, 0); err != nil {
		return stored, false, err
	}
	count := 0
	for n := range *s.list {
		if s.parent == nil || s.parent(&(*s.list)[n]) == s.parent(&v) {
			count++
		}
	}
	if count >= max {
		return stored, false, fault.New(fault.Limit, s.subject, "there are %d of them", count)
	}
	s.m.appint.number++
	*s.number(&v) = s.m.appint.number
	*s.list = append(*s.list, v)
	if t.Value != "" {
		s.m.appint.tokens[t] = s.ids(&v)[0]
	}
	return v, true, nil
}

func (s *memoryResources[T]) distinct(v *T, number int64) error {
	for n := range *s.list {
		other := &(*s.list)[n]
		for k, u := range s.unique(v) {
			if *s.number(other) != number && s.unique(other)[k] == u {
				return taken(s.subject, u)
			}
		}
	}
	return nil
}

// Get implements appint.Store.
func (s *memoryResources[T]) Get(ctx context.Context, key string) (v T, err error) {
	err = s.m.do(ctx, func() error {
		n, err := s.find(key)
		if err != nil {
			n = slices.IndexFunc(*s.list, func(v T) bool { return slices.Contains(s.ids(&v), key) })
		}
		if n < 0 {
			return err
		}
		v = (*s.list)[n]
		return nil
	})
	return v, err
}

// List implements appint.Store.
func (s *memoryResources[T]) List(ctx context.Context, q appint.Query) (list []T, err error) {
	err = s.m.do(ctx, func() error {
		for n := range *s.list {
			v := &(*s.list)[n]
			if *s.number(v) > q.After && len(list) < q.Limit && (s.parent == nil || s.parent(v) == q.Parent) && (s.typed == nil || q.Type == "" || s.typed(v) == q.Type) {
				list = append(list, *v)
			}
		}
		return nil
	})
	return list, err
}

// Update implements appint.Store.
func (s *memoryResources[T]) Update(ctx context.Context, id string, change func(*T) error) (v T, err error) {
	err = s.m.do(ctx, func() error {
		v, err = s.update(id, change)
		return err
	})
	return v, err
}

func (s *memoryResources[T]) update(id string, change func(*T) error) (T, error) {
	n, err := s.find(id)
	if err != nil {
		var none T
		return none, err
	}
	old := (*s.list)[n]
	v := old
	if err := change(&v); err != nil {
		return old, err
	}
	s.keep(&old, &v)
	if err := s.distinct(&v, *s.number(&v)); err != nil {
		return old, err
	}
	*s.list = slices.Clone(*s.list)
	(*s.list)[n] = v
	return v, nil
}

// Delete implements appint.Store.
func (s *memoryResources[T]) Delete(ctx context.Context, id string) error {
	return s.m.do(ctx, func() error { return s.delete(id) })
}

func (s *memoryResources[T]) delete(id string) error {
	n, err := s.find(id)
	if err != nil {
		return err
	}
	if s.used != nil && s.used(id) {
		return fault.New(fault.State, s.subject, "the %s %q has associations", s.subject, id)
	}
	*s.list = slices.Delete(slices.Clone(*s.list), n, n+1)
	for t, of := range s.m.appint.tokens {
		if of == id {
			delete(s.m.appint.tokens, t)
		}
	}
	return nil
}

// memoryAssociations is an appint.AssociationStore.
type memoryAssociations struct {
	*memoryResources[appint.Association]
}

// Create implements appint.AssociationStore.
func (s memoryAssociations) Create(ctx context.Context, a appint.Association, first *appint.Execution, t appint.Token, r appint.Rules) (stored appint.Association, created bool, err error) {
	err = s.m.do(ctx, func() error {
		if first != nil {
			a.Last = appint.Last{ExecutionID: first.ID, Status: first.Status}
		}
		of := func() *appint.DataIntegration {
			return &s.m.appint.data[slices.IndexFunc(s.m.appint.data, func(d appint.DataIntegration) bool { return d.ID == a.IntegrationID })]
		}
		stored, created, err = s.create(a, t, r.Max, func() error {
			if r.Once && of().Associated {
				return fault.New(fault.State, appint.SubjectDataIntegration, "it was associated before")
			}
			return nil
		})
		if err == nil && created {
			of().Associated = true
			s.m.addExecution(first)
		}
		return err
	})
	return stored, created, err
}

func (m *Memory) addExecution(e *appint.Execution) {
	if e != nil {
		v := *e
		m.appint.number++
		v.Number = m.appint.number
		m.appint.executions = append(m.appint.executions, v)
	}
}

// Update implements appint.AssociationStore.
func (s memoryAssociations) Update(ctx context.Context, id string, change func(*appint.Association) (*appint.Execution, error)) (a appint.Association, err error) {
	err = s.m.do(ctx, func() error {
		waiting := 0
		for _, e := range s.m.appint.executions {
			if e.AssociationID == id && e.Status == appint.Waiting {
				waiting++
			}
		}
		var added *appint.Execution
		a, err = s.update(id, func(a *appint.Association) error {
			if added, err = change(a); err != nil || added == nil {
				return err
			}
			if waiting >= appint.MaxWaiting {
				return fault.New(fault.Limit, appint.SubjectExecution, "%d executions are waiting", waiting)
			}
			a.Last = appint.Last{ExecutionID: added.ID, Status: added.Status}
			return nil
		})
		if err == nil {
			s.m.addExecution(added)
		}
		return err
	})
	return a, err
}

// Delete implements appint.AssociationStore.
func (s memoryAssociations) Delete(ctx context.Context, id string) error {
	return s.m.do(ctx, func() error {
		if err := s.delete(id); err != nil {
			return err
		}
		var left []appint.Execution
		for _, e := range s.m.appint.executions {
			if e.AssociationID == id {
				e.Cancel = true
			}
			if e.AssociationID != id || e.Status == appint.Running {
				left = append(left, e)
			}
		}
		s.m.appint.executions = left
		return nil
	})
}

// memoryExecutions is an appint.ExecutionQueue and an appint.ExecutionHistory.
type memoryExecutions struct{ m *Memory }

func (s memoryExecutions) association(id string) *appint.Association {
	for n := range s.m.appint.links {
		if a := &s.m.appint.links[n]; a.ID == id {
			return a
		}
	}
	return nil
}

// Schedule implements appint.ExecutionQueue.
func (s memoryExecutions) Schedule(ctx context.Context, now time.Time, limit int, plan func(appint.Association) (time.Time, appint.Execution)) (n int, err error) {
	err = s.m.do(ctx, func() error {
		var due []*appint.Association
		for n := range s.m.appint.links {
			if a := &s.m.appint.links[n]; !a.NextDue.IsZero() && !a.NextDue.After(now) {
				due = append(due, a)
			}
		}
		slices.SortStableFunc(due, func(a, b *appint.Association) int { return a.NextDue.Compare(b.NextDue) })
		due = due[:min(limit, len(due))]
		for _, a := range due {
			next, e := plan(*a)
			a.NextDue = next
			var newest *appint.Execution
			for n := range s.m.appint.executions {
				if e := &s.m.appint.executions[n]; e.AssociationID == a.ID {
					newest = e
				}
			}
			if newest != nil && newest.Status == appint.Waiting && newest.Trigger == appint.BySchedule {
				newest.To, newest.NotBefore = e.To, e.NotBefore
				continue
			}
			a.Last = appint.Last{ExecutionID: e.ID, Status: e.Status}
			s.m.addExecution(&e)
		}
		n = len(due)
		return nil
	})
	return n, err
}

// Claim implements appint.ExecutionQueue.
func (s memoryExecutions) Claim(ctx context.Context, now time.Time, limit int) (list []appint.Execution, err error) {
	err = s.m.do(ctx, func() error {
		busy := map[string]bool{}
		for _, e := range s.m.appint.executions {
			busy[e.AssociationID] = busy[e.AssociationID] || e.Status == appint.Running
		}
		for n := range s.m.appint.executions {
			e := &s.m.appint.executions[n]
			if e.Status != appint.Waiting || busy[e.AssociationID] || len(list) == limit {
				continue
			}
			busy[e.AssociationID] = true // the oldest only, whether its time has come or not
			if e.NotBefore.After(now) {
				continue
			}
			a := s.association(e.AssociationID)
			e.Status, e.Started, e.Attempts = appint.Running, now, e.Attempts+1
			if e.Incremental {
				if e.From = a.Since; e.From.After(e.To) {
					e.From = e.To
				}
			}
			if a.Last.ExecutionID == e.ID {
				a.Last.Status = appint.Running
			}
			list = append(list, *e)
		}
		return nil
	})
	return list, err
}

// Running implements appint.ExecutionQueue.
func (s memoryExecutions) Running(ctx context.Context, canceled bool) (list []appint.Execution, err error) {
	err = s.m.do(ctx, func() error {
		for _, e := range s.m.appint.executions {
			if e.Status == appint.Running && (e.Cancel || !canceled) {
				list = append(list, e)
			}
		}
		return nil
	})
	return list, err
}

// Next implements appint.ExecutionQueue.
func (s memoryExecutions) Next(ctx context.Context, after time.Time) (at time.Time, err error) {
	err = s.m.do(ctx, func() error {
		sooner := func(t time.Time) {
			if t.After(after) && !t.IsZero() && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
		for _, a := range s.m.appint.links {
			sooner(a.NextDue)
		}
		for _, e := range s.m.appint.executions {
			if e.Status == appint.Waiting {
				sooner(e.NotBefore)
			}
		}
		return nil
	})
	return at, err
}

// Change implements appint.ExecutionQueue.
func (s memoryExecutions) Change(ctx context.Context, id string, change func(*appint.Execution, *appint.Association) error) (e appint.Execution, err error) {
	err = s.m.do(ctx, func() error {
		n := slices.IndexFunc(s.m.appint.executions, func(e appint.Execution) bool { return e.ID == id })
		if n < 0 {
			return missing(appint.SubjectExecution, id)
		}
		old := s.m.appint.executions[n]
		e = old
		stored := s.association(e.AssociationID)
		var a *appint.Association
		if stored != nil {
			a = new(*stored)
		}
		if err := change(&e, a); err != nil {
			return err
		}
		e.Number, e.ID, e.AssociationID, e.IntegrationID, e.Requested = old.Number, old.ID, old.AssociationID, old.IntegrationID, old.Requested
		if a == nil && e.Status.Done() {
			s.m.appint.executions = slices.Delete(slices.Clone(s.m.appint.executions), n, n+1)
			return nil
		}
		s.m.appint.executions[n] = e
		if a != nil {
			s.m.associations().keep(stored, a)
			*stored = *a
			s.forget(a.ID)
		}
		return nil
	})
	return e, err
}

// forget drops what is beyond the history of an association.
func (s memoryExecutions) forget(association string) {
	done := 0
	for n := len(s.m.appint.executions) - 1; n >= 0; n-- {
		if e := &s.m.appint.executions[n]; e.AssociationID == association && e.Status.Done() {
			if done++; done > appint.MaxHistory {
				s.m.appint.executions = slices.Delete(s.m.appint.executions, n, n+1)
			}
		}
	}
}

// Get implements appint.ExecutionHistory.
func (s memoryExecutions) Get(ctx context.Context, id string) (e appint.Execution, err error) {
	err = s.m.do(ctx, func() error {
		n := slices.IndexFunc(s.m.appint.executions, func(e appint.Execution) bool { return e.ID == id })
		if n < 0 {
			return missing(appint.SubjectExecution, id)
		}
		e = s.m.appint.executions[n]
		return nil
	})
	return e, err
}

// List implements appint.ExecutionHistory.
func (s memoryExecutions) List(ctx context.Context, q appint.Query) (list []appint.Execution, err error) {
	err = s.m.do(ctx, func() error {
		for _, e := range slices.Backward(s.m.appint.executions) {
			if e.AssociationID == q.Parent && (q.After == 0 || e.Number < q.After) && len(list) < q.Limit {
				list = append(list, e)
			}
		}
		return nil
	})
	return list, err
}
