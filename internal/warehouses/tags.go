package warehouses

import (
	"context"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tag"
)

type retag func(map[string]string) (map[string]string, error)

// AddTags lays add over the tags of a cluster, a serverless namespace or a workgroup. An ARN that is none of
// these is NotFound about SubjectResource.
func (s *Service) AddTags(ctx context.Context, resourceARN string, add []tag.Tag) error {
	_, err := s.tags(ctx, resourceARN, func(tags map[string]string) (map[string]string, error) { return tag.Set(tags, add) })
	return err
}

// RemoveTags takes tags away. Keys that are not there are ignored.
func (s *Service) RemoveTags(ctx context.Context, resourceARN string, keys []string) error {
	_, err := s.tags(ctx, resourceARN, func(tags map[string]string) (map[string]string, error) { return tag.Unset(tags, keys), nil })
	return err
}

// Tags returns the tags of a resource.
func (s *Service) Tags(ctx context.Context, resourceARN string) (map[string]string, error) {
	return s.tags(ctx, resourceARN, nil)
}

// tags finds a resource, runs change on its tags unless it is nil, and returns what they are then.
func (s *Service) tags(ctx context.Context, resourceARN string, change retag) (map[string]string, error) {
	unknown := fault.New(fault.NotFound, SubjectResource, "there is no cluster, namespace or workgroup %s", resourceARN)
	a, err := arn.Parse(resourceARN)
	if err != nil || a.Partition != s.c.Partition || a.Region != s.c.Region || a.Account != s.c.Account {
		return nil, unknown
	}
	kind, id := a.Split()
	var tags map[string]string
	switch {
	case a.Service == "redshift" && kind == "cluster":
		tags, err = s.clusterTags(ctx, id, change)
	case a.Service == "redshift-serverless" && kind == "namespace":
		tags, err = s.namespaceTags(ctx, resourceARN, change)
	case a.Service == "redshift-serverless" && kind == "workgroup":
		tags, err = s.workgroupTags(ctx, resourceARN, change)
	default:
		return nil, unknown
	}
	if fault.KindOf(err) == fault.NotFound {
		return nil, unknown
	}
	return tags, err
}

func (s *Service) clusterTags(ctx context.Context, identifier string, change retag) (map[string]string, error) {
	if change == nil {
		c, err := s.c.Clusters.ClusterGet(ctx, identifier)
		return c.Tags, err
	}
	c, err := s.c.Clusters.ClusterUpdate(ctx, identifier, func(c *Cluster) (err error) {
		c.Tags, err = change(c.Tags)
		return err
	})
	return c.Tags, err
}

func (s *Service) namespaceTags(ctx context.Context, namespaceARN string, change retag) (map[string]string, error) {
	w, err := s.Resolve(ctx, namespaceARN)
	if err != nil {
		return nil, err
	}
	all, err := s.c.Namespaces.NamespaceList(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		switch {
		case n.WarehouseID != w.ID:
		case change == nil:
			return n.Tags, nil
		default:
			n, err = s.c.Namespaces.NamespaceUpdate(ctx, n.Name, func(n *Namespace) (err error) {
				n.Tags, err = change(n.Tags)
				return err
			})
			return n.Tags, err
		}
	}
	return nil, fault.New(fault.NotFound, SubjectNamespace, "there is no serverless namespace %s", namespaceARN)
}

func (s *Service) workgroupTags(ctx context.Context, workgroupARN string, change retag) (map[string]string, error) {
	g, err := s.workgroup(ctx, workgroupARN)
	if err != nil || change == nil {
		return g.Tags, err
	}
	g, err = s.c.Workgroups.WorkgroupUpdate(ctx, g.Name, func(g *Workgroup) (err error) {
		g.Tags, err = change(g.Tags)
		return err
	})
	return g.Tags, err
}
