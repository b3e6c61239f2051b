"""What is stored: kept, encrypted, and gone when it should be."""

from datetime import timedelta
from typing import Any

import pytest

from domain.exports import FILE_LIFETIME, folder_of
from tests.template.claims import (
    KEY,
    Claim,
    Claims,
    Defect,
    Expansions,
    holds,
    named,
    of_type,
    properties,
)

claims = Claims([])

DATA = {"ContractsTable", "ReadingsTable", "ExportJobsTable", "UsersTable"}
TABLES = "DynamoDB::Table"


@claims.but_for(lambda resources: resources["UsersTable"].update(DeletionPolicy="Delete"))
def tables_and_files_outlive_the_stack(template: Expansions) -> None:
    for resources in (template.everything, template.defaults):
        kept = {name for name, made in resources.items() if made.get("DeletionPolicy") == "Retain"}
        assert {*DATA, "ExportBucket"} <= kept
        for name in (*DATA, "ExportBucket"):
            assert resources[name]["UpdateReplacePolicy"] == "Retain"


@claims.but_for(properties("ReadingsTable", DeletionProtectionEnabled=False))
def data_is_protected_unless_somebody_gives_that_up(template: Expansions) -> None:
    for resources in (template.everything, template.defaults):
        tables = of_type(resources, TABLES)
        assert {name for name in tables if tables[name].get("DeletionProtectionEnabled")} == DATA
        recovery = {name: tables[name].get("PointInTimeRecoverySpecification") for name in tables}
        on = {"PointInTimeRecoveryEnabled": True}
        assert {name for name in tables if recovery[name] == on} == DATA


@claims.but_for(properties("UsersTable", DeletionProtectionEnabled=True))
def a_stage_that_is_to_be_thrown_away_can_be(template: Expansions) -> None:
    tables = of_type(template.with_(ProtectData="false")["Resources"], TABLES)
    for name in DATA:
        assert tables[name]["DeletionProtectionEnabled"] is False
        assert tables[name]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": False}


def encrypted_with(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the key of each place where something is stored; True where it is AWS's own."""
    keys: dict[str, Any] = {}
    for name, table in of_type(resources, TABLES).items():
        encryption = table.get("SSESpecification", {})
        keys[name] = encryption.get("KMSMasterKeyId", encryption.get("SSEEnabled"))
    for name, queue in of_type(resources, "SQS::Queue").items():
        keys[name] = queue.get("KmsMasterKeyId", queue.get("SqsManagedSseEnabled"))
    for name, bucket in of_type(resources, "S3::Bucket").items():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        default = rule["ServerSideEncryptionByDefault"]
        keys[name] = default.get("KMSMasterKeyID", default["SSEAlgorithm"] == "AES256")
    for kind, name_of_key in [
        ("SecretsManager::Secret", "KmsKeyId"),
        ("Logs::LogGroup", "KmsKeyId"),
        ("Lambda::Function", "KmsKeyArn"),
        ("SNS::Topic", "KmsMasterKeyId"),
    ]:
        keys |= {name: made.get(name_of_key, True) for name, made in of_type(resources, kind).items()}
    return keys


@claims.but_for(properties("PublisherLogGroup", KmsKeyId=None))
def an_own_key_encrypts_all_that_is_stored(template: Expansions) -> None:
    keys = encrypted_with(template.everything)
    assert len(keys) > 25
    assert {name for name in keys if keys[name] != KEY} == set()


@claims.but_for(properties("PublisherRole", ManagedPolicyArns=None))
def each_function_may_use_an_own_key_through_services_only(template: Expansions) -> None:
    policy = template.everything["KeyPolicy"]["Properties"]
    functions = of_type(template.everything, "Lambda::Function").values()
    for role in {named(made["Role"]) for made in functions}:
        attached = template.everything[role]["Properties"]["ManagedPolicyArns"]
        assert [named(one) for one in attached] == ["KeyPolicy"], role
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == KEY
    assert statement["Condition"]["StringEquals"].keys() == {"kms:ViaService"}
    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert {service["Fn::Sub"] for service in services} == {
        f"{name}.${{AWS::Region}}.amazonaws.com" for name in ("dynamodb", "s3", "secretsmanager", "sqs")
    }
    assert "KeyPolicy" not in template.defaults
    assert "ManagedPolicyArns" not in template.defaults["ApiRole"]["Properties"]


@claims.but_for(properties("ExportDeadLetterQueue", SqsManagedSseEnabled=False))
def without_an_own_key_aws_keys_encrypt_it(template: Expansions) -> None:
    keys = encrypted_with(template.defaults)
    assert {name for name in keys if keys[name] is not True} == set()


@claims.but_for(properties("ThrottlesTable", TimeToLiveSpecification=None))
@claims.but_for(properties("ContractsTable", TimeToLiveSpecification=None))
def what_counts_for_a_while_is_forgotten(template: Expansions) -> None:
    tables = of_type(template.everything, TABLES)
    lives = {name: made.get("TimeToLiveSpecification") for name, made in tables.items()}
    assert {name: lives[name]["AttributeName"] for name in lives if lives[name]} == {
        "ContractsTable": "expires_at",
        "ExportJobsTable": "delete_at",
        "IdempotencyTable": "expiration",
        "PortfolioTable": "expires_at",
        "ThrottlesTable": "expires_at",
        "UsersTable": "expires_at",
    }
    assert all(life["Enabled"] for life in lives.values() if life)


def _files_for_ever(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] = 365


def _files_elsewhere(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["Prefix"] = "files/"


def _sleeping_rule(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][1]["Status"] = "Disabled"


@claims.but_for(_files_for_ever)
@claims.but_for(_files_elsewhere)
@claims.but_for(_sleeping_rule)
def files_are_gone_when_their_jobs_say_so(template: Expansions) -> None:
    rules = template.everything["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {(rule["Status"], rule["Prefix"]) for rule in rules} == {("Enabled", "exports/")}
    assert folder_of("job").startswith("exports/")
    days = [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule]
    assert [timedelta(days=count) for count in days] == [FILE_LIFETIME]
    assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]


@claims.but_for(properties("ExportBucket", PublicAccessBlockConfiguration=None))
def the_files_are_nobody_elses(template: Expansions) -> None:
    bucket = template.everything["ExportBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def _hash_in_the_listing(resources: dict[str, Any]) -> None:
    (index,) = resources["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]
    index["Projection"]["NonKeyAttributes"].append("password_hash")


@claims.but_for(
    properties("ContractsTable", LocalSecondaryIndexes=[{"IndexName": "by_day", "KeySchema": []}])
)
def no_trail_is_limited_in_size_and_every_index_can_be_dropped(template: Expansions) -> None:
    """A local index limits a partition to 10 GB, and goes only with its table."""
    tables = of_type(template.everything, TABLES)
    assert {name for name, made in tables.items() if made.get("LocalSecondaryIndexes")} == set()


@claims.but_for(_hash_in_the_listing)
def the_listing_of_users_holds_no_password_hash(template: Expansions) -> None:
    (index,) = template.everything["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    assert "password_hash" not in index["Projection"]["NonKeyAttributes"]


@claims.but_for(properties("EventBus", Name="other"))
@claims.but_for(properties("BusArchive", EventPattern={"detail-type": ["component_event"]}))
def what_publishers_sent_can_be_sent_again(template: Expansions) -> None:
    resources = template.defaults
    archive, rule = resources["BusArchive"]["Properties"], resources["ComponentEventRule"]["Properties"]
    assert archive["EventPattern"] == rule["EventPattern"]
    assert resources["EventBus"]["Properties"]["Name"] == {"Fn::Sub": "${AWS::StackName}-bus"}
    assert "BusArchive" not in template.with_(ArchiveDays="0")["Resources"]


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_data(claim: Claim, defect: Defect) -> None:
    holds(claim, defect)
