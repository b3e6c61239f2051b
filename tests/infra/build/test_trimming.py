import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from infra.build.packaging import ROOT, code_files
from infra.build.trimming import AWS_SERVICES, is_needed, trim

# Functions of Powertools that create a client.
_POWERTOOLS_SERVICES = {"get_secret": "secretsmanager", "get_parameter": "ssm", "get_parameters": "ssm"}


def services_called() -> Iterator[str]:
    """Find the names of the services for which the deployed code creates clients."""
    modules = (file for file in code_files() if file.suffix == ".py")
    trees = (ast.parse((ROOT / file).read_text()) for file in modules)
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if method in ("client", "resource", "create_client"):
            (service,) = (value.value for value in call.args[:1] if isinstance(value, ast.Constant))
            yield str(service)
        elif method in _POWERTOOLS_SERVICES:
            yield _POWERTOOLS_SERVICES[method]


def test_the_services_that_botocore_may_describe_are_those_that_the_code_calls() -> None:
    assert set(AWS_SERVICES) == set(services_called())


@pytest.mark.parametrize(
    "name",
    [
        "six.py",
        "bcrypt/_bcrypt.abi3.so",
        "botocore/client.py",
        "botocore/cacert.pem",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/data/s3/2006-03-01/endpoint-rule-set-1.json.gz",
        "fastapi/testclient.py",
        "anyio-4.16.0.dist-info/METADATA",
        "opentelemetry_api-1.45.2.dist-info/entry_points.txt",
        "boto3-1.43.106.dist-info/NOTICE",
        "s3transfer-0.19.3.dist-info/LICENSE.txt",
        "pyjwt-2.15.1.dist-info/licenses/AUTHORS.rst",
    ],
)
def test_modules_data_and_licences_are_needed(name: str) -> None:
    assert is_needed(PurePosixPath(name))


@pytest.mark.parametrize(
    "name",
    [
        "bin/fastapi",
        "pydantic_core/core_schema.pyi",
        "jmespath/tests/test_parser.py",
        "six/test/__init__.py",
        "six/__pycache__/six.cpython-311.pyc",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/s3/2006-03-01/examples-1.json",
        "botocore/data/dynamodb/2012-08-10/endpoint-rule-set-1.json.gz",
        "boto3/data/ec2/2016-11-15/resources-1.json",
        "anyio-4.16.0.dist-info/RECORD",
        "anyio-4.16.0.dist-info/INSTALLER",
        "pydantic_core-2.46.5.dist-info/sboms/pydantic-core.cyclonedx.json",
    ],
)
def test_files_that_are_not_read_on_lambda_are_not_needed(name: str) -> None:
    assert not is_needed(PurePosixPath(name))


def test_trimming_keeps_needed_files_and_leaves_no_empty_folder(tmp_path: Path) -> None:
    for name in ("jwt/api.py", "jwt/tests/deep/test_api.py", "bin/jwt", "botocore/data/ec2/1/service-2.json"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    trim(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "jwt",
        "jwt/api.py",
    ]
