package redshiftserverless

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tag"
)

func (f *Front) tagResource(ctx context.Context, _ identity.Caller, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	return &api.TagResourceResponse{}, f.warehouses.AddTags(ctx, member.Text(in.ResourceArn), tagsIn(in.Tags))
}

func (f *Front) untagResource(ctx context.Context, _ identity.Caller, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return &api.UntagResourceResponse{}, f.warehouses.RemoveTags(ctx, member.Text(in.ResourceArn), in.TagKeys)
}

func (f *Front) listTagsForResource(ctx context.Context, _ identity.Caller, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	tags, err := f.warehouses.Tags(ctx, member.Text(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	list := tag.List(tags)
	out := &api.ListTagsForResourceResponse{Tags: make([]api.Tag, len(list))}
	for n := range list {
		out.Tags[n] = api.Tag{Key: &list[n].Key, Value: &list[n].Value}
	}
	return out, nil
}

func tagsIn(list []api.Tag) []tag.Tag {
	out := make([]tag.Tag, len(list))
	for n, t := range list {
		out[n] = tag.Tag{Key: member.Text(t.Key), Value: member.Text(t.Value)}
	}
	return out
}
