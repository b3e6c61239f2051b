from pathlib import Path

import pytest

from infra.local.artifacts import problems


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What `sam build` makes of a checkout whose only file is domain/rules.py."""
    for name in (
        "checkout/domain/rules.py",
        "build/ApiFunction/domain/rules.py",
        "build/DependencyLayer/python/fastapi/__init__.py",
        "build/DependencyLayer/python/mangum/__init__.py",
        "build/DependencyLayer/python/pydantic/__init__.py",
        "build/DependencyLayer/python/pydantic_core/core.cpython-313-x86_64-linux-gnu.so",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return tmp_path / "build"


def found(build: Path) -> list[str]:
    return list(problems(build, build.parent / "checkout"))


def test_a_good_build_has_no_problems(build: Path) -> None:
    assert found(build) == []


@pytest.mark.parametrize(
    "name", ["tests/test_rules.py", "domain/__pycache__/rules.pyc", "infra/local/run.py"]
)
def test_a_function_with_more_than_the_code_is_found(build: Path, name: str) -> None:
    extra = build / "ApiFunction" / name
    extra.parent.mkdir(parents=True, exist_ok=True)
    extra.write_text("")
    assert found(build) == [f"ApiFunction has {name}"]


def test_a_function_without_a_part_of_the_code_is_found(build: Path) -> None:
    (build / "ApiFunction/domain/rules.py").unlink()
    assert found(build) == ["ApiFunction lacks domain/rules.py"]


def test_a_layer_for_another_python_is_found(build: Path) -> None:
    module = build / "DependencyLayer/python/pydantic_core/core.cpython-311-x86_64-linux-gnu.so"
    module.write_text("")
    assert found(build) == [
        "python/pydantic_core/core.cpython-311-x86_64-linux-gnu.so is not for Lambda's Python 3.13 on x86_64"
    ]


def test_a_layer_without_a_dependency_is_found(build: Path) -> None:
    (build / "DependencyLayer/python/mangum/__init__.py").unlink()
    (build / "DependencyLayer/python/mangum").rmdir()
    assert found(build) == ["the layer lacks mangum"]


def test_an_empty_build_is_found(tmp_path: Path) -> None:
    assert f"{tmp_path} holds no function" in list(problems(tmp_path, tmp_path))
