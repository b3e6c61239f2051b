"""What the template promises about who gets in, and what the API's role may touch."""

from typing import Any

import pytest
import yaml

from tests.conftest import read_template

RESOURCES: dict[str, Any] = read_template()["Resources"]
PARAMETERS: dict[str, Any] = read_template()["Parameters"]


@pytest.mark.parametrize(
    ("parameter", "default"),
    [
        ("AuthMode", "required"),
        ("Registration", "closed"),
        ("AllowedOrigins", ""),
        ("AllowCredentials", "false"),
        ("AllowedHosts", ""),
    ],
)
def test_a_stage_is_closed_unless_somebody_opens_it(parameter: str, default: str) -> None:
    assert PARAMETERS[parameter]["Default"] == default


def test_the_gateway_limits_requests() -> None:
    limits = RESOURCES["HttpApiStage"]["Properties"]["DefaultRouteSettings"]
    assert limits == {"ThrottlingRateLimit": "Ref RateLimit", "ThrottlingBurstLimit": "Ref BurstLimit"}
    assert 0 < PARAMETERS["RateLimit"]["Default"] <= PARAMETERS["BurstLimit"]["Default"]


def test_the_secret_is_generated_with_256_bits_and_more() -> None:
    generated = RESOURCES["SigningSecret"]["Properties"]["GenerateSecretString"]
    assert generated["GenerateStringKey"] == "current"
    # 62 characters to choose from are almost 6 bits each.
    assert generated["PasswordLength"] * 5.9 > 256


def test_users_outlive_the_stack_and_counters_do_not() -> None:
    users, throttles = RESOURCES["UsersTable"], RESOURCES["ThrottlesTable"]
    assert users["DeletionPolicy"] == users["UpdateReplacePolicy"] == "Retain"
    assert users["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert throttles["DeletionPolicy"] == "Delete"
    for table in (users, throttles):
        assert table["Properties"]["TimeToLiveSpecification"] == {
            "AttributeName": "expires_at",
            "Enabled": True,
        }
        assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


def test_the_listing_of_users_holds_no_password_hash() -> None:
    (index,) = RESOURCES["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    assert "password_hash" not in index["Projection"]["NonKeyAttributes"]


def test_only_the_api_reads_users_and_nobody_scans_them() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        text = yaml.safe_dump(resource)
        assert ("UsersTable" in text) is (name == "ApiRole"), name
        assert "dynamodb:Scan" not in text
        assert "dynamodb:*" not in text
