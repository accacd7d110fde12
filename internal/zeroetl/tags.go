package zeroetl

import (
	"context"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tag"
)

// AddTags lays add over the tags of an integration. An unknown ARN is NotFound about SubjectResource.
func (s *Service) AddTags(ctx context.Context, integrationARN string, add []tag.Tag) error {
	return s.retag(ctx, integrationARN, func(tags map[string]string) (map[string]string, error) { return tag.Set(tags, add) })
}

// RemoveTags takes tags away. Keys that are not there are ignored.
func (s *Service) RemoveTags(ctx context.Context, integrationARN string, keys []string) error {
	return s.retag(ctx, integrationARN, func(tags map[string]string) (map[string]string, error) { return tag.Unset(tags, keys), nil })
}

// Tags returns the tags of an integration.
func (s *Service) Tags(ctx context.Context, integrationARN string) (map[string]string, error) {
	i, err := s.Get(ctx, integrationARN)
	return i.Tags, asResource(err)
}

func (s *Service) retag(ctx context.Context, integrationARN string, change func(map[string]string) (map[string]string, error)) error {
	i, err := s.Get(ctx, integrationARN)
	if err != nil {
		return asResource(err)
	}
	_, err = s.store.IntegrationUpdate(ctx, i.ID, func(i *Integration) error {
		tags, err := change(i.Tags)
		i.Tags = tags
		return err
	})
	return asResource(err)
}

// asResource turns what is missing into what the tag and policy calls say of it.
func asResource(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.Wrap(err, fault.NotFound, SubjectResource, "%s", fault.Message(err))
	}
	return err
}
