package appintegrations

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) tagResource(ctx context.Context, _ identity.Caller, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	return &api.TagResourceResponse{}, f.service.AddTags(ctx, member.Text(in.ResourceArn), in.Tags)
}

func (f *Front) untagResource(ctx context.Context, _ identity.Caller, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return &api.UntagResourceResponse{}, f.service.RemoveTags(ctx, member.Text(in.ResourceArn), in.TagKeys)
}

func (f *Front) listTagsForResource(ctx context.Context, _ identity.Caller, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	found, err := f.service.Tags(ctx, member.Text(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceResponse{Tags: tags(found)}, nil
}
