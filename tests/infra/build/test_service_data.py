"""botocore's descriptions of AWS, shortened for the layer."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore
import botocore.session
import pytest

from infra.build.service_data import shorten, with_services, without_documentation
from infra.build.trimming import AWS_SERVICES, trim

DATA = Path(botocore.__file__).parent / "data"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what botocore has of the services, and leave of it what the layer contains."""
    folder = tmp_path_factory.mktemp("packages")
    data = folder / "botocore" / "data"
    for service in AWS_SERVICES:
        shutil.copytree(DATA / service, data / service)
    for file in DATA.glob("*.json"):
        shutil.copy(file, data)
    trim(folder)
    return folder


def session_of(data: Path) -> Any:
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths[:] = [str(data)]
    return session


def client(session: Any, service: str, region: str = "eu-central-1") -> Any:
    return session.create_client(
        service, region, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def differing(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the parts in which two models differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, part in one.items():
            yield from differing(part, other[key], key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for part, whole in zip(one, other, strict=True):
            yield from differing(part, whole, name)
    elif one != other:
        yield name


@pytest.mark.parametrize("service", AWS_SERVICES)
def test_a_shortened_model_lacks_documentation_alone(packages: Path, service: str) -> None:
    for file in (DATA / service).glob("*/service-2.json.gz"):
        whole = json.loads(gzip.decompress(file.read_bytes()))
        shortened = packages / "botocore" / "data" / service / file.parent.name / "service-2.json"
        assert set(differing(json.loads(shortened.read_text()), whole)) == {"documentation"}


@pytest.mark.parametrize("service", AWS_SERVICES)
def test_a_client_from_shortened_data_has_the_same_endpoint(packages: Path, service: str) -> None:
    shortened, whole = (client(session_of(data), service) for data in (packages / "botocore" / "data", DATA))
    assert shortened.meta.endpoint_url == whole.meta.endpoint_url


def address_of(session: Any, region: str) -> tuple[str, str, str]:
    """Return where DynamoDB is called, and for which region and service the call is signed."""
    call = {"TableName": "contracts", "Key": {"pk": {"S": "CONTRACT#1001"}}}
    signed = urlsplit(client(session, "dynamodb", region).generate_presigned_url("get_item", Params=call))
    (credential,) = parse_qs(signed.query)["X-Amz-Credential"]
    return signed.scheme, signed.netloc, credential.split("/", 2)[2]


def test_without_endpoint_rules_dynamodb_is_called_at_the_same_address_in_every_region(
    packages: Path,
) -> None:
    assert not list((packages / "botocore" / "data" / "dynamodb").glob("*/endpoint-rule-set-1.json*"))
    shortened, whole = session_of(packages / "botocore" / "data"), session_of(DATA)
    regions = [
        region
        for partition in whole.get_available_partitions()
        for region in whole.get_available_regions("dynamodb", partition)
    ]
    assert {"eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1"} < set(regions)
    for region in [*regions, "eu-unknown-9"]:
        assert address_of(shortened, region) == address_of(whole, region), region


def test_shortened_data_is_a_tenth_of_what_is_parsed_otherwise(packages: Path) -> None:
    def parsed(data: Path) -> int:
        files = [data / "endpoints.json", *data.glob("dynamodb/2012*/service-2.json*")]
        return sum(
            len(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())
            for file in files
        )

    assert parsed(packages / "botocore" / "data") < parsed(DATA) / 10


def test_members_that_are_called_documentation_stay() -> None:
    model = {"members": {"documentation": {"shape": "Text", "documentation": "A text."}}}
    assert without_documentation(model) == {
        "members": {"documentation": {"shape": "Text", "documentation": ""}}
    }


def test_only_the_named_services_keep_endpoints() -> None:
    endpoints = {"version": 3, "partitions": [{"partition": "aws", "services": {"s3": {"a": 1}, "ec2": {}}}]}
    assert with_services(endpoints, ("s3", "dynamodb")) == {
        "version": 3,
        "partitions": [{"partition": "aws", "services": {"s3": {"a": 1}}}],
    }


def test_shortening_twice_gives_the_same_bytes(packages: Path) -> None:
    file = packages / "botocore" / "data" / "endpoints.json"
    before = file.read_bytes()
    shorten(packages, AWS_SERVICES)
    assert file.read_bytes() == before
    assert json.loads(before)["partitions"]


def test_a_file_that_is_linked_to_another_place_is_not_changed_there(tmp_path: Path) -> None:
    cached, linked = tmp_path / "cached.json", tmp_path / "packages" / "botocore" / "data" / "endpoints.json"
    cached.write_text('{"partitions": [{"services": {"ec2": {}, "sqs": {}}}]}')
    linked.parent.mkdir(parents=True)
    linked.hardlink_to(cached)
    shorten(tmp_path / "packages", ["sqs"])
    assert "ec2" in cached.read_text()
    assert "ec2" not in linked.read_text()
