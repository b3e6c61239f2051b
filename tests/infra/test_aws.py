import pytest

from infra import aws


def url() -> str:
    return aws.s3().generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": "exports/a.csv"})


def test_a_signed_url_uses_the_regional_host() -> None:
    assert url().startswith("https://exports.s3.eu-central-1.amazonaws.com/exports/a.csv?")


def test_an_endpoint_that_is_not_aws_needs_no_host_for_each_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://host.docker.internal:4566")
    assert url().startswith("http://host.docker.internal:4566/exports/exports/a.csv?")
