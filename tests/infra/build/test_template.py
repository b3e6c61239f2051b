from pathlib import Path

import pytest

from infra.build import template
from infra.build.packaging import ROOT
from infra.commands.command_error import CommandError
from infra.local.run_settings import RunSettings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return path


def test_short_forms_become_long_ones(tmp_path: Path) -> None:
    read = template.read(
        written(
            tmp_path,
            """
            Parameters: {Name: {Type: String}}
            Resources:
              Table:
                Type: AWS::DynamoDB::Table
                Properties:
                  A: !Ref Name
                  B: !GetAtt Table.Arn
                  C: !Sub "${AWS::StackName}-x"
                  D: !If [Yes, !Ref Name, !Ref "AWS::NoValue"]
                  E: {Version: 2012-10-17}
            """,
        )
    )
    assert read["Resources"]["Table"]["Properties"] == {
        "A": {"Ref": "Name"},
        "B": {"Fn::GetAtt": ["Table", "Arn"]},
        "C": {"Fn::Sub": "${AWS::StackName}-x"},
        "D": {"Fn::If": [True, {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]},
        "E": {"Version": "2012-10-17"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources:\n  A: [\n", "template.yaml:3: "),
        ("- a list\n", "template.yaml: a template needs Resources"),
        (
            "Resources: {A: {Type: T, Properties: {B: !Ref Unknown}}}",
            "refers to Unknown, which it does not define",
        ),
        ("Resources: {A: {Type: T, Properties: {B: !GetAtt No.Arn}}}", "refers to No, which"),
        ('Resources: {A: {Type: T, Properties: {B: !Sub "${No.Arn}/x"}}}', "refers to No, which"),
    ],
)
def test_the_error_about_a_mistake_in_the_template_is_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(CommandError) as error:
        template.read(written(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_error_about_a_missing_template_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"template\.yaml: No such file"):
        template.read(tmp_path / "template.yaml")


def test_a_sub_may_refer_to_its_own_variables_and_to_resources_that_the_transform_adds(
    tmp_path: Path,
) -> None:
    template.read(
        written(
            tmp_path,
            """
            Resources:
              OneFunction: {Type: AWS::Serverless::Function}
              A:
                Type: T
                Properties:
                  B: !Sub ["${Own} ${!Literal} ${AWS::Region}", {Own: x}]
                  C: !GetAtt OneFunctionRole.Arn
            """,
        )
    )


def test_for_the_emulator_the_real_template_gets_archives_and_a_fixed_api_id() -> None:
    real = template.read(ROOT / "template.yaml")
    emulated = template.for_emulator(real, "bucket", "code.zip", "layer.zip")
    resources = emulated["Resources"]
    assert resources["ApiFunction"]["Properties"]["CodeUri"] == {"Bucket": "bucket", "Key": "code.zip"}
    assert resources["DependencyLayer"]["Properties"]["ContentUri"]["Key"] == "layer.zip"
    assert resources["HttpApi"]["Properties"]["Tags"] == {"ms-custom-id": "energy-operations"}
    assert resources["ContractsTable"]["Properties"] == real["Resources"]["ContractsTable"]["Properties"]
    assert real["Resources"]["ApiFunction"]["Properties"]["CodeUri"] == "."


def test_for_the_emulator_an_alarm_that_computes_watches_its_first_metric_and_searches_are_left_out() -> None:
    real = template.read(ROOT / "template.yaml")
    resources = template.without_unsupported(real)["Resources"]
    alarm = resources["RefusedEventsAlarm"]["Properties"]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == ("EventsRejected", "Sum", 300)
    assert "Metrics" not in alarm
    assert {name for name in real["Resources"] if name not in resources} == {
        name for name in real["Resources"] if name.endswith("Query")
    }
    assert "Metrics" in real["Resources"]["RefusedEventsAlarm"]["Properties"]


def test_only_parameters_that_the_template_has_are_passed() -> None:
    given: template.Template = {"Parameters": {"Stage": {}, "LogLevel": {}}}
    wanted = {"Stage": "local", "AuthMode": "open"}
    assert template.parameters_for(given, wanted) == {"Stage": "local"}


def test_the_real_template_has_every_parameter_of_a_local_run(tmp_path: Path) -> None:
    wanted = dict(RunSettings.from_environment({}, tmp_path).parameters)
    assert template.parameters_for(template.read(ROOT / "template.yaml"), wanted) == wanted


def test_for_the_emulator_a_policy_loses_only_the_statement_that_requires_tls(tmp_path: Path) -> None:
    given = template.read(
        written(
            tmp_path,
            """
            Resources:
              Policy:
                Type: AWS::SQS::QueuePolicy
                Properties:
                  PolicyDocument:
                    Statement:
                      - {Sid: Sends, Effect: Allow, Condition: {ArnEquals: {aws:SourceArn: rule}}}
                      - {Sid: Tls, Effect: Deny, Condition: {Bool: {aws:SecureTransport: "false"}}}
            """,
        )
    )
    emulated = template.for_emulator(given, "bucket", "code", "layer")
    (statement,) = emulated["Resources"]["Policy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Sid"] == "Sends"
    assert len(given["Resources"]["Policy"]["Properties"]["PolicyDocument"]["Statement"]) == 2
