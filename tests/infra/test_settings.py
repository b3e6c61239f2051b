"""Settings are read strictly from the environment, without pydantic."""

import subprocess
import sys

import pytest

from infra.settings import IngestionSettings, PortfolioSettings, Settings, SettingsError

STAGE = {"STAGE": "dev", "CONTRACTS_TABLE": "contracts"}


def test_variables_become_the_types_of_their_fields() -> None:
    chosen = PortfolioSettings(STAGE | {"PORTFOLIO_TABLE": "p", "EVENT_LOG_DAYS": "0", "OTHER": "x"})
    assert (chosen.stage, chosen.event_log_days, chosen.enable_event_audit) == ("dev", 0, True)


def test_settings_stay_as_the_environment_says() -> None:
    chosen = Settings(STAGE)
    with pytest.raises(AttributeError, match="stage"):
        chosen.stage = "prod"
    assert chosen.stage == "dev"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"STAGE": ""}, "STAGE"),
        ({"READINGS_TABLE": ""}, "READINGS_TABLE"),
        ({"MAX_RECEIVES": "six"}, "MAX_RECEIVES"),
        ({"MAX_RECEIVES": "-1"}, "MAX_RECEIVES"),
        ({"ENABLE_EVENT_AUDIT": "perhaps"}, "ENABLE_EVENT_AUDIT"),
        ({"ENABLE_EVENT_AUDIT": ""}, "ENABLE_EVENT_AUDIT"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(variables: dict[str, str], name: str) -> None:
    valid = STAGE | {"READINGS_TABLE": "r", "INGESTION_QUEUE_URL": "https://q", "MAX_RECEIVES": "6"}
    assert IngestionSettings(valid).max_receives == 6
    with pytest.raises(SettingsError, match=name):
        IngestionSettings(valid | variables)


@pytest.mark.parametrize(
    ("text", "kept"), [("true", True), ("True", True), ("1", True), ("false", False), ("0", False)]
)
def test_a_flag_has_few_spellings(text: str, kept: bool) -> None:
    assert Settings(STAGE | {"ENABLE_EVENT_AUDIT": text}).enable_event_audit is kept


@pytest.mark.parametrize("function", ["publisher", "portfolio", "exporter"])
def test_functions_that_validate_no_input_import_neither_pydantic_nor_boto3(function: str) -> None:
    code = f"import functions.{function}.handler, sys; print({{'pydantic', 'boto3', 's3transfer', 'asyncio'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
