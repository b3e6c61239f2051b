"""Stored data is retained, encrypted, and deleted when it expires."""

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
    check,
    of_type,
    properties,
    target_of,
)

claims = Claims([])

DATA = {"ContractsTable", "ReadingsTable", "ExportJobsTable", "UsersTable"}
TABLES = "DynamoDB::Table"


@claims.fails_with(lambda resources: resources["UsersTable"].update(DeletionPolicy="Delete"))
def tables_and_files_outlive_the_stack(template: Expansions) -> None:
    for resources in (template.everything, template.defaults):
        retained = {
            name for name, resource in resources.items() if resource.get("DeletionPolicy") == "Retain"
        }
        assert {*DATA, "ExportBucket"} <= retained
        for name in (*DATA, "ExportBucket"):
            assert resources[name]["UpdateReplacePolicy"] == "Retain"


@claims.fails_with(properties("ReadingsTable", DeletionProtectionEnabled=False))
def data_is_protected_by_default(template: Expansions) -> None:
    for resources in (template.everything, template.defaults):
        tables = of_type(resources, TABLES)
        assert {name for name in tables if tables[name].get("DeletionProtectionEnabled")} == DATA
        recovery = {name: tables[name].get("PointInTimeRecoverySpecification") for name in tables}
        on = {"PointInTimeRecoveryEnabled": True}
        assert {name for name in tables if recovery[name] == on} == DATA


@claims.fails_with(properties("UsersTable", DeletionProtectionEnabled=True))
def a_stage_without_protection_can_be_deleted(template: Expansions) -> None:
    tables = of_type(template.with_(ProtectData="false")["Resources"], TABLES)
    for name in DATA:
        assert tables[name]["DeletionProtectionEnabled"] is False
        assert tables[name]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": False}


def encrypted_with(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the key of each resource that stores data; True for AWS's own key."""
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
        keys |= {name: resource.get(name_of_key, True) for name, resource in of_type(resources, kind).items()}
    return keys


@claims.fails_with(properties("PublisherLogGroup", KmsKeyId=None))
def a_customer_managed_key_encrypts_all_stored_data(template: Expansions) -> None:
    keys = encrypted_with(template.everything)
    assert len(keys) > 25
    assert {name for name in keys if keys[name] != KEY} == set()


@claims.fails_with(properties("PublisherRole", ManagedPolicyArns=None))
def each_function_may_use_a_customer_managed_key_through_services_only(template: Expansions) -> None:
    policy = template.everything["KeyPolicy"]["Properties"]
    functions = of_type(template.everything, "Lambda::Function").values()
    for role in {target_of(resource["Role"]) for resource in functions}:
        attached = template.everything[role]["Properties"]["ManagedPolicyArns"]
        assert "KeyPolicy" in [target_of(one) for one in attached], role
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == KEY
    assert statement["Condition"]["StringEquals"].keys() == {"kms:ViaService"}
    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert {service["Fn::Sub"] for service in services} == {
        f"{name}.${{AWS::Region}}.amazonaws.com" for name in ("dynamodb", "s3", "secretsmanager", "sqs")
    }
    assert "KeyPolicy" not in template.defaults
    assert template.defaults["ApiRole"]["Properties"]["ManagedPolicyArns"] == []


@claims.fails_with(properties("ExportDeadLetterQueue", SqsManagedSseEnabled=False))
def without_a_customer_managed_key_aws_keys_encrypt_all_stored_data(template: Expansions) -> None:
    keys = encrypted_with(template.defaults)
    assert {name for name in keys if keys[name] is not True} == set()


@claims.fails_with(properties("ThrottlesTable", TimeToLiveSpecification=None))
@claims.fails_with(properties("ContractsTable", TimeToLiveSpecification=None))
def short_lived_items_expire(template: Expansions) -> None:
    tables = of_type(template.everything, TABLES)
    expiry = {name: table.get("TimeToLiveSpecification") for name, table in tables.items()}
    assert {name: expiry[name]["AttributeName"] for name in expiry if expiry[name]} == {
        "ContractsTable": "expires_at",
        "ExportJobsTable": "delete_at",
        "IdempotencyTable": "expiration",
        "PortfolioTable": "expires_at",
        "ThrottlesTable": "expires_at",
        "UsersTable": "expires_at",
    }
    assert all(specification["Enabled"] for specification in expiry.values() if specification)


def _files_kept_for_a_year(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] = 365


def _rule_for_another_folder(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["Prefix"] = "files/"


def _disabled_rule(resources: dict[str, Any]) -> None:
    resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][1]["Status"] = "Disabled"


@claims.fails_with(_files_kept_for_a_year)
@claims.fails_with(_rule_for_another_folder)
@claims.fails_with(_disabled_rule)
def files_are_deleted_after_the_lifetime_that_their_jobs_state(template: Expansions) -> None:
    rules = template.everything["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {(rule["Status"], rule["Prefix"]) for rule in rules} == {("Enabled", "exports/")}
    assert folder_of("job").startswith("exports/")
    days = [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule]
    assert [timedelta(days=count) for count in days] == [FILE_LIFETIME]
    assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]


@claims.fails_with(properties("ExportBucket", PublicAccessBlockConfiguration=None))
def the_files_are_not_public(template: Expansions) -> None:
    bucket = template.everything["ExportBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def _password_hash_in_the_listing(resources: dict[str, Any]) -> None:
    (index,) = resources["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]
    index["Projection"]["NonKeyAttributes"].append("password_hash")


@claims.fails_with(
    properties("ContractsTable", LocalSecondaryIndexes=[{"IndexName": "by_day", "KeySchema": []}])
)
def no_trail_is_limited_in_size_and_every_index_can_be_dropped(template: Expansions) -> None:
    """A local index limits a partition to 10 GB, and goes only with its table."""
    tables = of_type(template.everything, TABLES)
    assert {name for name, table in tables.items() if table.get("LocalSecondaryIndexes")} == set()


@claims.fails_with(_password_hash_in_the_listing)
def the_listing_of_users_holds_no_password_hash(template: Expansions) -> None:
    (index,) = template.everything["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    assert "password_hash" not in index["Projection"]["NonKeyAttributes"]


@claims.fails_with(properties("EventBus", Name="other"))
@claims.fails_with(properties("BusArchive", EventPattern={"detail-type": ["component_event"]}))
def the_archive_keeps_the_events_of_publishers(template: Expansions) -> None:
    resources = template.defaults
    archive, rule = resources["BusArchive"]["Properties"], resources["ComponentEventRule"]["Properties"]
    assert archive["EventPattern"] == rule["EventPattern"]
    assert resources["EventBus"]["Properties"]["Name"] == {"Fn::Sub": "${AWS::StackName}-bus"}
    assert "BusArchive" not in template.with_(ArchiveDays="0")["Resources"]


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_data(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
