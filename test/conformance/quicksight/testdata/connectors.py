"""A connector's life through boto3, and the errors its callers handle."""
import time

import boto3

ACCOUNT = "123456789012"
qs = boto3.client("quicksight")


def auth(password):
    return {
        "AuthenticationType": "API_KEY",
        "AuthenticationMetadata": {
            "ApiKeyConnectionMetadata": {"BaseEndpoint": "https://127.0.0.1:1", "ApiKey": password, "Email": "a@example.com"}
        },
    }


made = qs.create_action_connector(
    AwsAccountId=ACCOUNT, ActionConnectorId="jira", Name="Jira", Type="JIRA_CLOUD", AuthenticationConfig=auth("S3CRET")
)
assert made["ResponseMetadata"]["HTTPStatusCode"] == 200 and made["Status"] == 200, made
for _ in range(600):
    connector = qs.describe_action_connector(AwsAccountId=ACCOUNT, ActionConnectorId="jira")["ActionConnector"]
    if not connector["Status"].endswith("IN_PROGRESS"):
        break
    time.sleep(0.05)
assert connector["Status"] == "CREATION_SUCCESSFUL", connector
assert "S3CRET" not in str(connector), connector
assert connector["AuthenticationConfig"]["AuthenticationMetadata"]["ApiKeyConnectionMetadata"]["Email"] == "a@example.com"

for n in range(5):
    qs.create_action_connector(
        AwsAccountId=ACCOUNT,
        ActionConnectorId=f"c{n}",
        Name=f"Number {n}",
        Type="GENERIC_HTTP",
        AuthenticationConfig={
            "AuthenticationType": "NONE",
            "AuthenticationMetadata": {"NoneConnectionMetadata": {"BaseEndpoint": "https://api.example.com"}},
        },
    )
listed = [
    s["ActionConnectorId"]
    for page in qs.get_paginator("list_action_connectors").paginate(AwsAccountId=ACCOUNT, PaginationConfig={"PageSize": 2})
    for s in page["ActionConnectorSummaries"]
]
assert listed == ["c0", "c1", "c2", "c3", "c4", "jira"], listed
found = qs.search_action_connectors(
    AwsAccountId=ACCOUNT, Filters=[{"Name": "ACTION_CONNECTOR_NAME", "Operator": "StringLike", "Value": "number"}]
)
assert len(found["ActionConnectorSummaries"]) == 5, found


def refused(code, status, call, **arguments):
    try:
        call(AwsAccountId=arguments.pop("account", ACCOUNT), **arguments)
    except qs.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == status, e.response
        assert e.response["Error"]["Message"] and e.response["RequestId"], e.response
    else:
        raise AssertionError(f"{code} was not raised")


refused("ResourceNotFoundException", 404, qs.describe_action_connector, ActionConnectorId="nothing")
refused("AccessDeniedException", 401, qs.describe_action_connector, account="999999999999", ActionConnectorId="jira")
refused("InvalidNextTokenException", 400, qs.list_action_connectors, NextToken="nonsense")
refused("ResourceExistsException", 409, qs.create_action_connector, ActionConnectorId="jira", Name="Other", Type="JIRA_CLOUD", AuthenticationConfig=auth("x"))
refused("ConflictException", 409, qs.create_action_connector, ActionConnectorId="other", Name="Jira", Type="JIRA_CLOUD", AuthenticationConfig=auth("x"))
refused("InvalidParameterValueException", 400, qs.create_action_connector, ActionConnectorId="quicksuite-x", Name="Other", Type="JIRA_CLOUD", AuthenticationConfig=auth("x"))
refused("InvalidParameterValueException", 400, qs.create_action_connector, ActionConnectorId="x", Name="Other", Type="AMAZON_S3", AuthenticationConfig=auth("x"))
