from collections.abc import Callable
from pathlib import Path

import pytest

from infra.build.artifacts import pin, problems
from infra.build.template import read
from infra.commands.command_error import CommandError

X86, ARM = b"\x3e\x00", b"\xb7\x00"
UNCHECKED, TIMED = b"\x01\x00\x00\x00", b"\x00\x00\x00\x00"
CORE = "python/pydantic_core/core.cpython-313-x86_64-linux-gnu.so"

TEMPLATE = """
Globals: {Function: {Runtime: python3.13, Architectures: [!Ref Architecture]}}
Parameters: {Architecture: {Type: String, Default: x86_64, AllowedValues: [x86_64]}}
Resources:
  DependencyLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {CompatibleArchitectures: [!Ref Architecture]}
  ApiFunction: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt Role.Arn}}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17"}}}
"""
ANY_ARCHITECTURE = TEMPLATE.replace("AllowedValues: [x86_64]", "AllowedValues: [x86_64, arm64]")


def write(file: Path, content: bytes = b"") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def module(machine: bytes) -> bytes:
    """Return the header of a compiled module."""
    return b"\x7fELF" + bytes(14) + machine


def bytecode(flags: bytes = UNCHECKED) -> bytes:
    return b"\xf3\x0d\r\n" + flags + bytes(8)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """The result of `sam build` for a checkout whose only file is domain/rules.py."""
    folder = tmp_path / "build"
    write(folder / "template.yaml", TEMPLATE.encode())
    write(tmp_path / "checkout/domain/rules.py")
    write(folder / "ApiFunction/domain/rules.py")
    write(folder / "ApiFunction/domain/__pycache__/rules.cpython-313.pyc", bytecode())
    for name in ("botocore", "fastapi", "mangum", "pydantic"):
        write(folder / f"DependencyLayer/python/{name}/__init__.py")
        pyc = folder / f"DependencyLayer/python/{name}/__pycache__/__init__.cpython-313.pyc"
        write(pyc, bytecode())
    write(folder / "DependencyLayer" / CORE, module(X86))
    write(folder / "DependencyLayer/python/bcrypt/_bcrypt.abi3.so", module(X86))
    return folder


def found(build: Path) -> list[str]:
    return list(problems(build, build.parent / "checkout"))


def test_a_good_build_has_no_problems(build: Path) -> None:
    assert found(build) == []


def test_a_build_without_any_bytecode_has_no_problems(build: Path) -> None:
    for file in build.rglob("*.pyc"):
        file.unlink()
    assert found(build) == []


@pytest.mark.parametrize("name", ["tests/test_rules.txt", "domain/left.pyc", "infra/local/run.txt"])
def test_a_file_that_is_not_code_of_a_function_is_found(build: Path, name: str) -> None:
    write(build / "ApiFunction" / name)
    assert found(build) == [f"ApiFunction must not contain {name}"]


def test_a_missing_file_of_a_function_is_found(build: Path) -> None:
    write(build.parent / "checkout/domain/more.py")
    assert found(build) == ["ApiFunction lacks domain/more.py"]


@pytest.mark.parametrize(
    "name",
    ["jwt/tests/cases.json", "bin/fastapi", "six.dist-info/RECORD", "botocore/data/ec2/1/service-2.json"],
)
def test_a_file_that_the_layer_does_not_need_is_found(build: Path, name: str) -> None:
    write(build / "DependencyLayer/python" / name)
    assert found(build) == [f"the layer contains {name}, which is not needed"]


def test_a_layer_for_another_python_is_found(build: Path) -> None:
    name = "pydantic_core/core.cpython-311-x86_64-linux-gnu.so"
    write(build / "DependencyLayer/python" / name, module(X86))
    assert found(build) == [f"{name} is not for the template's Python 3.13"]


def test_a_layer_without_a_dependency_is_found(build: Path) -> None:
    (build / "DependencyLayer/python/mangum").rename(build / "DependencyLayer/python/other")
    assert found(build) == ["the layer lacks mangum"]


def test_a_layer_with_our_own_code_is_found(build: Path) -> None:
    write(build / "DependencyLayer/python/domain/rules.txt")
    assert found(build) == ["the layer contains our package domain"]


@pytest.mark.parametrize(
    ("break_build", "message"),
    [
        (lambda build: write(build / "DependencyLayer" / CORE, module(ARM)), "built for arm64 and x86_64, "),
        (
            lambda build: write(build / "DependencyLayer" / CORE, module(b"\0\0")),
            "built for another processor",
        ),
        (lambda build: write(build / "template.yaml", ANY_ARCHITECTURE.encode()), "allows arm64 and x86_64:"),
        (
            lambda build: write(build / "template.yaml", TEMPLATE.replace("[x86_64]", "[arm64]").encode()),
            "allows arm64:",
        ),
        (
            lambda build: write(
                build / "template.yaml", TEMPLATE.replace("[!Ref Architecture]", "[arm64]").encode()
            ),
            "allows arm64:",
        ),
    ],
    ids=["mixed layer", "unknown processor", "not pinned", "pinned to another", "a literal"],
)
def test_a_layer_for_another_processor_than_the_template_allows_is_found(
    build: Path, break_build: Callable[[Path], None], message: str
) -> None:
    break_build(build)
    (problem,) = found(build)
    assert message in problem


def test_bytecode_for_another_python_is_found(build: Path) -> None:
    name = "ApiFunction/domain/__pycache__/rules.cpython-311.pyc"
    write(build / name, bytecode())
    assert found(build) == [f"{name} is not for the template's Python 3.13"]


def test_bytecode_without_its_source_is_found(build: Path) -> None:
    name = "DependencyLayer/python/jwt/__pycache__/gone.cpython-313.pyc"
    write(build / name, bytecode())
    assert found(build) == [f"{name} is not for the template's Python 3.13"]


def test_bytecode_for_some_of_the_modules_is_found(build: Path) -> None:
    name = "ApiFunction/domain/__pycache__/rules.cpython-313.pyc"
    (build / name).unlink()
    assert found(build) == [f"{name} is missing"]


def test_bytecode_that_depends_on_time_stamps_is_found(build: Path) -> None:
    name = "ApiFunction/domain/__pycache__/rules.cpython-313.pyc"
    write(build / name, bytecode(TIMED))
    assert found(build) == [f"{name} depends on the time stamp of its source"]


def test_a_size_above_the_limit_of_lambda_is_found(build: Path) -> None:
    for artifact in ("ApiFunction/domain/rules.py", "DependencyLayer/python/bcrypt/words.txt"):
        write(build / artifact)
        with (build / artifact).open("r+b") as file:
            file.truncate(125 * 2**20)
    (problem,) = found(build)
    assert problem.startswith("ApiFunction and the layer are 262")


def test_an_empty_build_is_found(build: Path) -> None:
    (build / "ApiFunction").rename(build / "other")
    assert f"{build} contains no function" in found(build)


def test_a_build_without_a_template_is_found(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"template\.yaml"):
        list(problems(tmp_path, tmp_path))


@pytest.mark.parametrize(("machine", "architecture"), [(X86, "x86_64"), (ARM, "arm64")])
def test_only_the_architecture_that_was_built_can_be_deployed(
    build: Path, machine: bytes, architecture: str
) -> None:
    write(build / "template.yaml", ANY_ARCHITECTURE.encode())
    before = read(build / "template.yaml")
    for name in (CORE, "python/bcrypt/_bcrypt.abi3.so"):
        write(build / "DependencyLayer" / name, module(machine))
    pin(build)
    assert found(build) == []
    after = read(build / "template.yaml")
    assert after["Parameters"].pop("Architecture") == {
        "Type": "String",
        "Default": architecture,
        "AllowedValues": [architecture],
    }
    before["Parameters"].pop("Architecture")
    assert after == before


def test_a_layer_for_two_processors_cannot_be_deployed(build: Path) -> None:
    write(build / "DependencyLayer" / CORE, module(ARM))
    with pytest.raises(CommandError, match="arm64 and x86_64"):
        pin(build)
