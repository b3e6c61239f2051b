import copy
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.checks.expand import expanded
from infra.commands.processes import CommandError

GIVEN: Template = {
    "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
    "Parameters": {
        "Stage": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"]},
        "Days": {"Type": "Number", "Default": 7},
        "Email": {"Type": "String", "Default": ""},
    },
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "HasEmail": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Email"}, ""]}]},
        "Tells": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "HasEmail"}]},
        "TellsOrIsProd": {"Fn::Or": [{"Condition": "Tells"}, {"Condition": "IsProd"}]},
    },
    "Globals": {
        "Function": {"Runtime": "python3.13", "Environment": {"Variables": {"STAGE": {"Ref": "Stage"}}}}
    },
    "Resources": {
        "Worker": {
            "Type": "AWS::Serverless::Function",
            "DependsOn": ["Topic", "Queue"],
            "Properties": {
                "CodeUri": ".",
                "Handler": "worker.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": {"Fn::If": ["IsProd", "Retain", "Delete"]},
            "Properties": {
                "QueueName": {"Fn::Sub": "${Stage}-queue"},
                "MessageRetentionPeriod": {"Ref": "Days"},
                "KmsMasterKeyId": {"Fn::If": ["IsProd", {"Ref": "Key"}, {"Ref": "AWS::NoValue"}]},
                "Tags": [{"Fn::If": ["IsProd", {"Key": "a", "Value": "b"}, {"Ref": "AWS::NoValue"}]}],
            },
        },
        "Role": {"Type": "AWS::IAM::Role"},
        "Key": {"Type": "AWS::KMS::Key", "Condition": "TellsOrIsProd"},
        "Topic": {"Type": "AWS::SNS::Topic", "Condition": "Tells"},
    },
    "Outputs": {"Topic": {"Condition": "Tells", "Value": {"Fn::Sub": "${Topic}@${Stage}.${AWS::Region}"}}},
}


def changed(**sections: Any) -> Template:
    return {**copy.deepcopy(GIVEN), **sections}


def test_a_condition_that_does_not_hold_takes_its_resources_and_outputs_away() -> None:
    assert {"Key", "Topic"}.isdisjoint(expanded(GIVEN, {})["Resources"])
    assert expanded(GIVEN, {})["Outputs"] == {}
    half = expanded(GIVEN, {"Stage": "prod"})["Resources"]
    assert ("Key" in half, "Topic" in half) == (True, False)
    whole = expanded(GIVEN, {"Stage": "prod", "Email": "ops@example.com"})
    assert whole["Resources"]["Topic"] == {"Type": "AWS::SNS::Topic"}
    assert whole["Outputs"] == {"Topic": {"Value": {"Fn::Sub": "${Topic}@prod.${AWS::Region}"}}}
    assert "Conditions" not in whole


def test_parameters_are_literal_and_what_has_no_value_is_gone() -> None:
    assert expanded(GIVEN, {"Days": "3"})["Resources"]["Queue"] == {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "Properties": {"QueueName": "dev-queue", "MessageRetentionPeriod": "3", "Tags": []},
    }


def test_the_branch_of_a_condition_that_holds_stays() -> None:
    queue = expanded(GIVEN, {"Stage": "prod"})["Resources"]["Queue"]
    assert queue["DeletionPolicy"] == "Retain"
    assert queue["Properties"]["KmsMasterKeyId"] == {"Ref": "Key"}
    assert queue["Properties"]["Tags"] == [{"Key": "a", "Value": "b"}]


def test_functions_become_those_of_lambda_with_what_the_globals_say() -> None:
    function = expanded(GIVEN, {"Stage": "prod"})["Resources"]["Worker"]
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Environment"] == {"Variables": {"STAGE": "prod"}}
    assert function["Properties"]["Role"] == {"Fn::GetAtt": ["Role", "Arn"]}


def test_nothing_waits_for_a_resource_that_is_not_made() -> None:
    assert expanded(GIVEN, {})["Resources"]["Worker"]["DependsOn"] == ["Queue"]


def test_the_template_that_was_given_stays_as_it_was() -> None:
    before = copy.deepcopy(GIVEN)
    expanded(GIVEN, {"Stage": "prod"})
    assert before == GIVEN


RULE = {
    "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
    "Assertions": [
        {"Assert": {"Fn::Equals": [{"Ref": "Days"}, "90"]}, "AssertDescription": "prod needs 90 days"}
    ],
}


def test_a_rule_refuses_what_it_forbids_and_nothing_else() -> None:
    ruled = changed(Rules={"Long": RULE})
    for allowed in ({}, {"Stage": "prod", "Days": "90"}):
        assert expanded(ruled, allowed)["Resources"] == expanded(GIVEN, allowed)["Resources"]
    with pytest.raises(CommandError, match="prod needs 90 days"):
        expanded(ruled, {"Stage": "prod"})
    always = changed(Rules={"Long": {"Assertions": RULE["Assertions"]}})
    with pytest.raises(CommandError, match="prod needs 90 days"):
        expanded(always, {})


@pytest.mark.parametrize(
    ("template", "parameters", "complaint"),
    [
        (GIVEN, {"Stge": "prod"}, "no parameter Stge"),
        (GIVEN, {"Stage": "production"}, "none of dev, prod"),
        (changed(Parameters={**GIVEN["Parameters"], "Key": {"Type": "String"}}), {}, "needs a value for Key"),
        (changed(Conditions={"IsProd": {"Fn::Equals": [{"Ref": "AWS::Region"}, "x"]}}), {}, "cannot be told"),
        (changed(Conditions={}), {}, '"Tells.*" holds cannot be told'),
        (changed(Resources={"Worker": {"Type": "AWS::Serverless::Function"}}), {}, r"\[Worker\] is invalid"),
    ],
)
def test_what_cannot_be_decided_is_told(
    template: Template, parameters: dict[str, str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        expanded(template, parameters)


def test_our_template_expands_to_what_cloudformation_knows_by_itself() -> None:
    for parameters in ({}, {"Stage": "prod"}):
        template = expanded(read(ROOT / "template.yaml"), parameters)
        assert not [name for name, made in template["Resources"].items() if "Serverless" in made["Type"]]
        assert not {"Transform", "Globals", "Conditions"} & template.keys()
        assert "Fn::If" not in str(template["Resources"])
