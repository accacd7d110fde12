"""Makes every call of AppIntegrations once, and some that must fail."""
import boto3

client = boto3.client("appintegrations")
key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
made = set()


def call(name, **args):
    made.add(name)
    return getattr(client, name)(**args)


def refused(error, name, **args):
    try:
        getattr(client, name)(**args)
    except getattr(client.exceptions, error) as e:
        assert e.response["Error"]["Message"], e.response
        assert e.response["Error"]["Code"] == error, e.response
        return
    raise AssertionError(f"{name} did not raise {error}")


d = call("create_data_integration", Name="boto/3", KmsKey=key, SourceURI="s3://source/in", Tags={"a": "b"},
         FileConfiguration={"Folders": ["x"], "Filters": {"extension": ["csv"]}})
assert d["Name"] == "boto/3" and d["FileConfiguration"]["Folders"] == ["x"]
refused("DuplicateResourceException", "create_data_integration", Name="boto/3", KmsKey=key)
refused("InvalidRequestException", "create_data_integration", Name="bad", KmsKey=key, SourceURI="Salesforce://AppFlow/nobody")
refused("InvalidRequestException", "create_data_integration", Name="bad", KmsKey=key, SourceURI="s3://source/in",
        ScheduleConfig={"ScheduleExpression": "rate(5 minute)"})
for identifier in (d["Id"], d["Arn"], "boto/3"):
    assert call("get_data_integration", Identifier=identifier)["Id"] == d["Id"]
assert call("list_data_integrations", MaxResults=1)["DataIntegrations"][0]["Arn"] == d["Arn"]
call("update_data_integration", Identifier=d["Arn"], Name="boto3", Description="new")
a = call("create_data_integration_association", DataIntegrationIdentifier="boto3", DestinationURI="s3://destination/out",
         ClientAssociationMetadata={"k": "v"},
         ExecutionConfiguration={"ExecutionMode": "SCHEDULED", "ScheduleConfiguration": {"ScheduleExpression": "cron(0 12 * * ? *)"}})
refused("InvalidRequestException", "create_data_integration_association", DataIntegrationIdentifier="boto3")
listed = call("list_data_integration_associations", DataIntegrationIdentifier=d["Arn"])["DataIntegrationAssociations"][0]
assert listed["ExecutionConfiguration"]["ExecutionMode"] == "SCHEDULED" and "LastExecutionStatus" not in listed, listed
call("update_data_integration_association", DataIntegrationIdentifier="boto3",
     DataIntegrationAssociationIdentifier=listed["DataIntegrationAssociationArn"],
     ExecutionConfiguration={"ExecutionMode": "ON_DEMAND", "OnDemandConfiguration": {"StartTime": "0"}})
refused("InvalidRequestException", "delete_data_integration", DataIntegrationIdentifier="boto3")
other = client.create_data_integration(Name="other", KmsKey=key)
call("delete_data_integration", DataIntegrationIdentifier=other["Arn"])
refused("ResourceNotFoundException", "get_data_integration", Identifier="other")

e = call("create_event_integration", Name="crm/events", EventFilter={"Source": "aws.partner/example.com"}, EventBridgeBus="default")
assert call("get_event_integration", Name="crm/events")["EventIntegrationArn"] == e["EventIntegrationArn"]
assert len(call("list_event_integrations")["EventIntegrations"]) == 1
call("update_event_integration", Name="crm/events", Description="new")
assert call("list_event_integration_associations", EventIntegrationName="crm/events")["EventIntegrationAssociations"] == []

app = call("create_application", Name="app", Namespace="ns", ApplicationSourceConfig={"ExternalUrlConfig": {"AccessUrl": "https://app.test"}},
           Publications=[{"Event": "ns::e", "Schema": "{}"}], InitializationTimeout=10)
got = call("get_application", Arn=app["Arn"] + ":$LATEST")
assert got["Id"] == app["Id"] and got["CreatedTime"].year > 2000 and got["ApplicationType"] == "STANDARD", got
assert len(call("list_applications", ApplicationType="STANDARD")["Applications"]) == 1
call("update_application", Arn=app["Id"], Description="new", Subscriptions=[{"Event": "ns::e*"}])
refused("UnsupportedOperationException", "update_application", Arn=app["Id"], ApplicationType="MCP_SERVER")
assert call("list_application_associations", ApplicationId=app["Arn"])["ApplicationAssociations"] == []

for arn in (d["Arn"], e["EventIntegrationArn"], app["Arn"]):
    call("tag_resource", resourceArn=arn, tags={"env": "dev"})
    assert call("list_tags_for_resource", resourceArn=arn)["tags"]["env"] == "dev"
    call("untag_resource", resourceArn=arn, tagKeys=["env"])
call("delete_event_integration", Name="crm/events")
call("delete_application", Arn=app["Arn"])
refused("ResourceNotFoundException", "delete_application", Arn=app["Arn"])

missing = set(boto3.client("appintegrations").meta.method_to_api_mapping) - made
assert not missing, missing
