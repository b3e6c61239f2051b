import pytest

from infra.operate.command import snake_case


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("ContractsTableName", "contracts_table_name"),
        ("ApiUrl", "api_url"),
        ("HttpApiId", "http_api_id"),
        ("SigningSecretArn", "signing_secret_arn"),
        ("DeadLetterQueueURL", "dead_letter_queue_url"),
        ("HTTPApi", "http_api"),
        ("Bus2Name", "bus2_name"),
    ],
)
def test_outputs_get_snake_case_names(output: str, name: str) -> None:
    assert snake_case(output) == name
