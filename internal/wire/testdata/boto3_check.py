"""Calls a bench of the wire tests with boto3 and prints what does not hold. Usage: boto3_check.py URL"""
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url = sys.argv[1]
session = boto3.Session(aws_access_key_id="penstock", aws_secret_access_key="penstock", region_name="us-east-1")
config = Config(retries={"max_attempts": 1}, parameter_validation=False)
failed = 0


def client(name):
    return session.client(name, endpoint_url=url, config=config)


def same(what, got, want):
    global failed
    if got != want:
        failed += 1
        print(f"{what}: got {got!r}, want {want!r}")


def error(what, call, code, status):
    try:
        call()
        same(what, "no error", code)
    except ClientError as e:
        same(what, (e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        return e.response["Error"].get("Message", "")


redshift = client("redshift")
made = redshift.create_integration(
    IntegrationName="orders", SourceArn="arn:aws:s3:::orders", KMSKeyId="k", AdditionalEncryptionContext={"a": "1", "b": "ü"},
    TargetArn="arn:aws:redshift:us-east-1:123456789012:namespace:abc", TagList=[{"Key": "k", "Value": ""}])
same("status", made["Status"], "creating")
same("errors", made["Errors"], [])
same("context", made["AdditionalEncryptionContext"], {"a": "1", "b": "ü"})
same("tags", made["Tags"], [{"Key": "k", "Value": ""}])
same("time", made["CreateTime"].isoformat(), "2026-03-04T12:00:00+00:00")
same("request id", len(made["ResponseMetadata"]["RequestId"]), 36)
same("filters", len(redshift.describe_integrations(
    Filters=[{"Name": "status", "Values": ["active", "failed"]}])["Integrations"]), 2)
error("validation", lambda: redshift.create_integration(IntegrationName="a--b"), "ValidationError", 400)
error("not served", lambda: redshift.create_cluster(ClusterIdentifier="c", NodeType="n", MasterUsername="m"), "UnsupportedOperation", 400)
redshift.delete_tags(ResourceName="x", TagKeys=["a", "b"])

data = client("redshift-data")
same("created", data.execute_statement(Sql="select 1", Database="dev")["CreatedAt"].timestamp(), 1772625600.123)
error("statement", lambda: data.describe_statement(Id="4c2f3a1e-7a58-4a0e-9d3c-2f6b8f0a1b2c"), "ResourceNotFoundException", 400)

kms = client("kms")
same("bytes", kms.encrypt(KeyId="k", Plaintext=b"\x00\xff")["CiphertextBlob"], b"\x00\xff")
kms.enable_key(KeyId="k")

apps = client("appintegrations")
same("label", apps.create_data_integration_association(
    DataIntegrationIdentifier="a/b c+ü", ClientId="c", ObjectConfiguration={"o": {"f": ["x"]}})["DataIntegrationArn"], "a/b c+ü")
apps.untag_resource(resourceArn="arn:aws:app-integrations:us-east-1:123456789012:application/x", tagKeys=["a", "b"])
same("query", apps.list_applications(NextToken="a&b=c d", MaxResults=5)["NextToken"], "a&b=c d")
error("range", lambda: apps.list_applications(MaxResults=51), "InvalidRequestException", 400)
error("pattern", lambda: apps.untag_resource(resourceArn="x", tagKeys=["a"]), "InvalidRequestException", 400)
error("not served", lambda: apps.get_application(Arn="x"), "UnknownOperationException", 400)

quicksight = client("quicksight")
auth = {"AuthenticationType": "NONE", "AuthenticationMetadata": {"NoneConnectionMetadata": {"BaseEndpoint": "https://e"}}}
made = quicksight.create_action_connector(
    AwsAccountId="123456789012", ActionConnectorId="c", Name="n", Type="GENERIC_HTTP", AuthenticationConfig=auth)
same("connector", (made["Status"], made["CreationStatus"]), (202, "CREATION_IN_PROGRESS"))
error("denied", lambda: quicksight.update_action_connector(
    AwsAccountId="123456789012", ActionConnectorId="c", Name="n", AuthenticationConfig=auth), "AccessDeniedException", 401)

same("times in ISO form", client("redshift-serverless").get_namespace(namespaceName="default")["namespace"]["creationDate"].isoformat(),
     "2026-03-04T12:00:00+00:00")
same("item", client("dynamodb").put_item(TableName="orders", Item={"a": {"L": [{"N": "1"}, {"NULL": True}]}})["Attributes"],
     {"a": {"L": [{"N": "1"}, {"NULL": True}]}})

# A presigned URL, as cluster authenticators use it.
presigned = client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
with urllib.request.urlopen(presigned) as answer:
    same("presigned", b"<Account>123456789012</Account>" in answer.read(), True)
try:
    urllib.request.urlopen(presigned.replace("Version=", "Versio="))
    same("changed presigned URL", "accepted", "refused")
except urllib.error.HTTPError as e:
    same("changed presigned URL", e.code, 403)

sys.exit(1 if failed else 0)
