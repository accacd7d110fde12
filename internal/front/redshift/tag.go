package redshift

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/arn"
	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/warehouses"
)

// Bounds of DescribeTags' MaxRecords, which are not those of the other calls. The default is the upper one.
const (
	minTagRecords = 10
	maxTagRecords = 50
)

// tagged keeps the tags of some kinds of resources.
type tagged interface {
	AddTags(ctx context.Context, resourceARN string, add []tag.Tag) error
	RemoveTags(ctx context.Context, resourceARN string, keys []string) error
	Tags(ctx context.Context, resourceARN string) (map[string]string, error)
}

// owner returns who keeps the tags of a resource, and its type as DescribeTags says it. What is no
// integration, known or not, is the business of the warehouses.
func (f *Front) owner(resourceARN string) (tagged, string) {
	a, err := arn.Parse(resourceARN)
	if err != nil {
		return f.warehouses, ""
	}
	if kind, _ := a.Split(); kind != typeIntegration {
		return f.warehouses, kind
	}
	return f.integrations, typeIntegration
}

// Types of resources that have tags here.
const (
	typeCluster     = "cluster"
	typeIntegration = "integration"
)

// otherTypes are the rest of AWS's. There is nothing of them here.
var otherTypes = [...]string{
	"cidr/ip", "ec2 security group", "snapshot", "cluster security group", "subnet group", "hsm connection",
	"hsm certificate", "parameter group", "snapshot copy grant",
}

func (f *Front) createTags(ctx context.Context, _ identity.Caller, in *api.CreateTagsMessage) error {
	if len(in.Tags) == 0 {
		return fault.New(fault.Invalid, tag.Subject, "no tags were given; give at least one")
	}
	owner, _ := f.owner(member.Text(in.ResourceName))
	return owner.AddTags(ctx, member.Text(in.ResourceName), tagsIn(in.Tags))
}

func (f *Front) deleteTags(ctx context.Context, _ identity.Caller, in *api.DeleteTagsMessage) error {
	if len(in.TagKeys) == 0 {
		return fault.New(fault.Invalid, tag.Subject, "no tag keys were given; give at least one")
	}
	if err := checkKeys(in.TagKeys); err != nil {
		return err
	}
	owner, _ := f.owner(member.Text(in.ResourceName))
	return owner.RemoveTags(ctx, member.Text(in.ResourceName), in.TagKeys)
}

// checkKeys refuses what cannot be the key of a tag.
func checkKeys(keys []string) error {
	for _, k := range keys {
		if n := utf8.RuneCountInString(k); n < 1 || n > 128 {
			return fault.New(fault.Invalid, tag.Subject, "%.40q is no tag key; keys have 1 to 128 characters", k)
		}
	}
	return nil
}

// entry is a line of DescribeTags.
type entry struct {
	resource, kind string
	tag.Tag
}

func (e entry) compare(o entry) int {
	return cmp.Or(cmp.Compare(e.resource, o.resource), cmp.Compare(e.Key, o.Key))
}

func (f *Front) describeTags(ctx context.Context, _ identity.Caller, in *api.DescribeTagsMessage) (*api.TaggedResourceListMessage, error) {
	if err := checkKeys(in.TagKeys); err != nil {
		return nil, err
	}
	resource, kind := member.Text(in.ResourceName), strings.ToLower(member.Text(in.ResourceType))
	var after entry
	size := -1 // no limit
	switch {
	case resource != "" && kind != "":
		return nil, fault.New(fault.Invalid, subjectTags, "a resource and a resource type were given; give one of the two, and for an integration its ARN")
	case resource != "" && (member.Text(in.Marker) != "" || in.MaxRecords != nil):
		return nil, fault.New(fault.Invalid, subjectTags, "MaxRecords and Marker do not go together with a resource, whose tags all come at once; leave them out")
	case resource == "":
		var err error
		if size, err = page.Size(member.Number(in.MaxRecords), minTagRecords, maxTagRecords); err != nil {
			return nil, err
		}
		if after, err = tagMarker(member.Text(in.Marker)); err != nil {
			return nil, err
		}
	}
	all, err := f.entries(ctx, resource, kind)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e entry) bool {
		return e.compare(after) <= 0 || !tag.Match(map[string]string{e.Key: e.Value}, in.TagKeys, in.TagValues)
	})
	out := &api.TaggedResourceListMessage{TaggedResources: []api.TaggedResource{}}
	for n := range all {
		e := &all[n]
		if n == size {
			last := all[n-1]
			out.Marker = new(page.Marker("tags", last.resource, last.Key))
			break
		}
		out.TaggedResources = append(out.TaggedResources, api.TaggedResource{
			Tag: &api.Tag{Key: &e.Key, Value: &e.Value}, ResourceName: &e.resource, ResourceType: &e.kind,
		})
	}
	return out, nil
}

func tagMarker(marker string) (entry, error) {
	if marker == "" {
		return entry{}, nil
	}
	parts, err := page.Parse("tags", marker, 2)
	if err != nil {
		return entry{}, err
	}
	return entry{resource: parts[0], Tag: tag.Tag{Key: parts[1]}}, nil
}

// entries returns the tags of a resource, of all resources of a type, or of all, in order.
func (f *Front) entries(ctx context.Context, resource, kind string) ([]entry, error) {
	var all []entry
	add := func(resource, kind string, tags map[string]string) {
		for key, value := range tags {
			all = append(all, entry{resource, kind, tag.Tag{Key: key, Value: value}})
		}
	}
	switch {
	case resource != "":
		owner, kind := f.owner(resource)
		tags, err := owner.Tags(ctx, resource)
		if err != nil {
			return nil, err
		}
		add(resource, kind, tags)
	case kind != "" && kind != typeCluster && kind != typeIntegration:
		if !slices.Contains(otherTypes[:], kind) {
			return nil, fault.New(fault.Invalid, subjectTags, "there is no resource type %.60q; cluster and integration are types that have tags here", kind)
		}
	default:
		if kind == "" || kind == typeIntegration {
			integrations, err := f.integrations.All(ctx)
			if err != nil {
				return nil, err
			}
			for _, i := range integrations {
				add(i.ARN, typeIntegration, i.Tags)
			}
		}
		if kind == "" || kind == typeCluster {
			if err := f.eachCluster(ctx, func(c warehouses.ClusterInfo) { add(c.ARN, typeCluster, c.Tags) }); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(all, entry.compare)
	return all, nil
}

func (f *Front) eachCluster(ctx context.Context, do func(warehouses.ClusterInfo)) error {
	var p warehouses.ListClustersParams
	for {
		page, err := f.warehouses.Clusters(ctx, p)
		if err != nil {
			return err
		}
		for _, c := range page.Clusters {
			do(c)
		}
		if page.Marker == "" {
			return nil
		}
		p.Marker = page.Marker
	}
}

func tagsIn(list []api.Tag) []tag.Tag {
	out := make([]tag.Tag, len(list))
	for n, t := range list {
		out[n] = tag.Tag{Key: member.Text(t.Key), Value: member.Text(t.Value)}
	}
	return out
}

// tagsOut lists tags by key. It is never nil, so that the element is there even when it is empty.
func tagsOut(tags map[string]string) []api.Tag {
	var room tagRoom
	return room.list(tags)
}

// tagRoom is the memory for the tags of many resources in one answer, in few pieces.
type tagRoom struct {
	tags   []tag.Tag
	shapes []api.Tag
}

func newTagRoom(n int) *tagRoom { return &tagRoom{make([]tag.Tag, 0, n), make([]api.Tag, 0, n)} }

// list is tagsOut.
func (r *tagRoom) list(tags map[string]string) []api.Tag {
	if len(tags) == 0 {
		return []api.Tag{}
	}
	start := len(r.tags)
	for key, value := range tags {
		r.tags = append(r.tags, tag.Tag{Key: key, Value: value})
	}
	mine := r.tags[start:]
	slices.SortFunc(mine, func(a, b tag.Tag) int { return strings.Compare(a.Key, b.Key) })
	start = len(r.shapes)
	for n := range mine {
		r.shapes = append(r.shapes, api.Tag{Key: &mine[n].Key, Value: &mine[n].Value})
	}
	return slices.Clip(r.shapes[start:])
}
