package appint

import (
	"context"
	"maps"
	"strings"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
)

// MaxTags is how many tags a resource may have.
const MaxTags = 200

// checkTags checks what the model cannot: how many there are in the end. Keys and values have passed its patterns.
func checkTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return fault.New(fault.Invalid, SubjectTag, "the resource would have %d tags; at most %d are allowed", len(tags), MaxTags)
	}
	return nil
}

// Tags returns the tags of the resource with this ARN.
func (s *Service) Tags(ctx context.Context, resourceARN string) (map[string]string, error) {
	return s.tags(ctx, resourceARN, nil)
}

// AddTags lays tags over those of a resource.
func (s *Service) AddTags(ctx context.Context, resourceARN string, tags map[string]string) error {
	_, err := s.tags(ctx, resourceARN, func(now map[string]string) (map[string]string, error) {
		out := make(map[string]string, len(now)+len(tags))
		maps.Copy(out, now)
		maps.Copy(out, tags)
		return out, checkTags(out)
	})
	return err
}

// RemoveTags takes tags from a resource. A key that is not there is no error.
func (s *Service) RemoveTags(ctx context.Context, resourceARN string, keys []string) error {
	_, err := s.tags(ctx, resourceARN, func(now map[string]string) (map[string]string, error) {
		out := maps.Clone(now)
		for _, k := range keys {
			delete(out, k)
		}
		if len(out) == 0 {
			return nil, nil
		}
		return out, nil
	})
	return err
}

// tags reads the tags of a resource, or changes them.
func (s *Service) tags(ctx context.Context, text string, change func(map[string]string) (map[string]string, error)) (map[string]string, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return nil, err
	}
	kind, _ := a.Split()
	id, ok := s.tail(text, kind)
	if !ok {
		return nil, elsewhere(SubjectResource, text)
	}
	last := id[strings.LastIndexByte(id, '/')+1:] // of associations, whose parent is before it
	switch kind {
	case kindDataIntegration:
		return tagsOf(ctx, s.c.Stores.DataIntegrations, id, text, func(d *DataIntegration) (string, *map[string]string) { return d.ARN, &d.Tags }, change)
	case kindEventIntegration:
		return tagsOf(ctx, s.c.Stores.EventIntegrations, id, text, func(e *EventIntegration) (string, *map[string]string) { return e.ARN, &e.Tags }, change)
	case kindApplication:
		id, text = withoutVersion(id), withoutVersion(text)
		return tagsOf(ctx, s.c.Stores.Applications, id, text, func(a *Application) (string, *map[string]string) { return a.ARN, &a.Tags }, change)
	case kindAssociation:
		return tagsOf(ctx, tagged{s.c.Stores.Associations}, last, text, func(a *Association) (string, *map[string]string) { return a.ARN, &a.Tags }, change)
	case kindEventAssociation:
		return tagsOf(ctx, s.c.Stores.EventAssociations, last, text, func(a *EventAssociation) (string, *map[string]string) { return a.ARN, &a.Tags }, change)
	case kindApplicationAssociation:
		return tagsOf(ctx, s.c.Stores.ApplicationAssociations, last, text, func(a *ApplicationAssociation) (string, *map[string]string) { return a.ARN, &a.Tags }, change)
	default:
		return nil, elsewhere(SubjectResource, text)
	}
}

// tagStore is the part of a Store that tags need.
type tagStore[T any] interface {
	Get(ctx context.Context, key string) (T, error)
	Update(ctx context.Context, id string, change func(*T) error) (T, error)
}

// tagged is an AssociationStore as a tagStore.
type tagged struct{ AssociationStore }

// Update implements tagStore.
func (t tagged) Update(ctx context.Context, id string, change func(*Association) error) (Association, error) {
	return t.AssociationStore.Update(ctx, id, func(a *Association) (*Execution, error) { return nil, change(a) })
}

// tagsOf finds a resource by key and makes sure that it is the one with the ARN.
func tagsOf[T any](ctx context.Context, store tagStore[T], key, resourceARN string, fields func(*T) (string, *map[string]string),
	change func(map[string]string) (map[string]string, error)) (map[string]string, error) {
	v, err := store.Get(ctx, key)
	found, tags := fields(&v)
	switch {
	case fault.KindOf(err) == fault.NotFound, err == nil && found != resourceARN:
		return nil, elsewhere(SubjectResource, resourceARN)
	case err != nil:
		return nil, err
	case change == nil:
		return *tags, nil
	}
	_, err = store.Update(ctx, key, func(v *T) error {
		_, tags := fields(v)
		next, err := change(*tags)
		if err == nil {
			*tags = next
		}
		return err
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil, elsewhere(SubjectResource, resourceARN)
	}
	return nil, err
}
