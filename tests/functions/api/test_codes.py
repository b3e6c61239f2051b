"""The tables of codes: the same in the code, in the OpenAPI document and in docs/errors.md."""

import ast
import json
import re
from pathlib import Path
from typing import Any, get_args

from fastapi.testclient import TestClient

from domain.contracts.verdicts import Code
from domain.exports import EXPORT_FAILED, meter_not_found, time_zone_unsupported
from functions.api.code_tables import OTHER_CODES, errors_table, others_table, verdicts_table
from functions.api.contracts.bulk import ContractVerdict
from functions.api.contracts.schemas import UnusableEntry
from functions.api.contracts.verdict_codes import VERDICT_MEANINGS
from functions.api.error_codes import ErrorCode
from functions.api.error_statuses import _CODE_OF
from infra.build.packaging import ROOT
from tests.functions.api.calls import create, event, send

DOCUMENT = (ROOT / "docs/errors.md").read_text()
TABLES = (verdicts_table(), others_table(), errors_table())


def codes_in(text: str) -> list[str]:
    """Return the code at the begin of each row of the tables in `text`."""
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_the_document_has_the_tables_of_the_code_and_no_other() -> None:
    for table in TABLES:
        assert table in DOCUMENT
    assert codes_in(DOCUMENT) == [code for table in TABLES for code in codes_in(table)]
    assert len(codes_in(DOCUMENT)) == len(Code) + len(OTHER_CODES) + len(ErrorCode) > 50


def test_the_tables_are_shown_at_docs(api: TestClient) -> None:
    description = api.get("/openapi.json").json()["info"]["description"]
    for table in TABLES:
        # A blank line before and after it, or it is no table to Markdown.
        assert f"\n{table}\n" in description


def test_every_code_has_a_meaning_and_what_to_do() -> None:
    assert list(VERDICT_MEANINGS) == list(Code)
    for facts in (
        *VERDICT_MEANINGS.values(),
        *OTHER_CODES.values(),
        *((c.meaning, c.remedy) for c in ErrorCode),
    ):
        assert all(text and not text.endswith(".") and "|" not in text for text in facts)


def test_other_codes_are_those_that_lists_and_failed_exports_answer() -> None:
    answered: set[str] = {EXPORT_FAILED.code, meter_not_found("1").code, time_zone_unsupported("").code}
    answered |= set(get_args(UnusableEntry.model_fields["code"].annotation))
    answered |= set(get_args(ContractVerdict.model_fields["code"].annotation))
    assert set(OTHER_CODES) == answered


def test_a_program_knows_every_code_of_an_error_by_an_enum(api: TestClient) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["Error"]["properties"]["code"] == {"$ref": "#/components/schemas/ErrorCode"}
    assert schemas["ErrorCode"]["enum"] == [code.value for code in ErrorCode]


def named_in(source: Path) -> set[str]:
    """Return the members of ErrorCode that a file answers; those it only describes do not count."""
    tree = ast.parse(source.read_text())
    described = {
        id(inner)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "describe"
        for inner in ast.walk(call)
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "ErrorCode"
        and id(node) not in described
    }


def test_every_code_is_answered_somewhere() -> None:
    sources = {*(ROOT / "functions/api").rglob("*.py")} - {ROOT / "functions/api/openapi.py"}
    assert set.union(*map(named_in, sources)) == set(ErrorCode.__members__)
    assert set(_CODE_OF.values()) < set(ErrorCode)


def test_the_answers_of_the_service_have_the_status_of_the_table(api: TestClient) -> None:
    create(api)
    answers = [
        api.get("/contract/9999"),
        api.get("/contract?cursor=x"),
        api.get("/nix"),
        api.patch("/contract"),
        api.post("/contract", json={"contract_number": "1001", "components": ["energy_supply"]}),
        api.post("/event", content=b"x" * 2**21),
        api.get("/api/meters/nix"),
        api.get("/api/v1/users/me"),
    ]
    for answer in answers:
        assert answer.status_code == ErrorCode[answer.json()["code"].upper()].status


def test_the_examples_of_verdicts_are_what_the_service_answers(api: TestClient) -> None:
    document: dict[str, Any] = api.get("/openapi.json").json()
    operation = document["paths"]["/event"]["post"]
    shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
    verdicts = {name: example["value"] for name, example in shown.items()}
    create(api)

    first = {name: verdicts["accepted"][name] for name in ("type", "contract_number", "date", "created_at")}
    second = {name: verdicts["rejected"][name] for name in first}
    assert api.post("/event?dry_run=true", json=first).json() == verdicts["dry_run"]
    assert send(api, **first, id="1") == verdicts["accepted"]
    assert send(api, **first, id="1") == verdicts["repeated"]
    assert send(api, **second) == verdicts["rejected"]

    bulk = document["paths"]["/events"]["post"]["responses"]["200"]["content"]["application/json"]["examples"]
    create(api, "1002")
    entries = [
        event(**first, id="2") | {"contract_number": "1002"},
        second | {"contract_number": "1002"},
        "x",
    ]
    answered = api.post("/events", json={"events": entries}).text.replace("1002", "1001")
    assert json.loads(answered) == bulk["verdicts"]["value"]
