package action

import (
	"context"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tag"
)

// AddTags lays add over the tags of a connector or a VPC connection.
func (s *Service) AddTags(ctx context.Context, caller identity.Caller, resourceARN string, add []tag.Tag) error {
	added, err := tag.Set(nil, add)
	if err == nil {
		err = checkTags(added) // those that are there may be of a version that knew others
	}
	if err != nil {
		return err
	}
	return s.retag(ctx, caller, resourceARN, func(tags map[string]string) (map[string]string, error) { return tag.Set(tags, add) })
}

// RemoveTags takes tags away. Keys that are not there are ignored.
func (s *Service) RemoveTags(ctx context.Context, caller identity.Caller, resourceARN string, keys []string) error {
	return s.retag(ctx, caller, resourceARN, func(tags map[string]string) (map[string]string, error) { return tag.Unset(tags, keys), nil })
}

// Tags returns the tags of a connector or a VPC connection.
func (s *Service) Tags(ctx context.Context, caller identity.Caller, resourceARN string) (map[string]string, error) {
	kind, id, err := s.resource(caller, resourceARN)
	if err != nil {
		return nil, err
	}
	if kind == vpcKind {
		v, err := s.VPCs.VPCGet(ctx, id)
		return v.Tags, asResource(err, resourceARN)
	}
	c, err := s.get(ctx, id)
	return c.Tags, asResource(err, resourceARN)
}

func (s *Service) retag(ctx context.Context, caller identity.Caller, resourceARN string, change func(map[string]string) (map[string]string, error)) error {
	kind, id, err := s.resource(caller, resourceARN)
	if err != nil {
		return err
	}
	defer s.changed(id)
	if kind == vpcKind {
		_, err = s.VPCs.VPCUpdate(ctx, id, func(v *VPCConnection) (err error) {
			v.Tags, err = change(v.Tags)
			return err
		})
	} else {
		_, err = s.store.ConnectorUpdate(ctx, id, func(c *Connector) (err error) {
			c.Tags, err = change(c.Tags)
			return err
		})
	}
	return asResource(err, resourceARN)
}

// resource finds out what an ARN is of.
func (s *Service) resource(caller identity.Caller, text string) (kind, id string, err error) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "quicksight" {
		return "", "", fault.New(fault.Invalid, SubjectResource, "%.200q is not an ARN of QuickSight; the form is %s", text, s.arn("action-connector/id"))
	}
	if err := s.home(caller, a.Account); err != nil {
		return "", "", err
	}
	kind, id = a.Split()
	if kind != "action-connector" && kind != vpcKind || s.arn(kind+"/"+id) != text {
		return "", "", fault.New(fault.NotFound, SubjectResource, "there is no resource %s; action connectors and VPC connections can be tagged", text)
	}
	return kind, id, nil
}

// asResource turns what is missing into what the tag calls say of it.
func asResource(err error, resourceARN string) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.Wrap(err, fault.NotFound, SubjectResource, "there is no resource %s", resourceARN)
	}
	return err
}
