import copy
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.checks.expand import expand
from infra.commands.command_error import CommandError

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
        "SendsEmail": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "HasEmail"}]},
        "SendsEmailOrIsProd": {"Fn::Or": [{"Condition": "SendsEmail"}, {"Condition": "IsProd"}]},
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
        "Key": {"Type": "AWS::KMS::Key", "Condition": "SendsEmailOrIsProd"},
        "Topic": {"Type": "AWS::SNS::Topic", "Condition": "SendsEmail"},
    },
    "Outputs": {
        "Topic": {"Condition": "SendsEmail", "Value": {"Fn::Sub": "${Topic}@${Stage}.${AWS::Region}"}}
    },
}


def changed(**sections: Any) -> Template:
    return {**copy.deepcopy(GIVEN), **sections}


def test_resources_and_outputs_whose_condition_does_not_hold_are_removed() -> None:
    assert {"Key", "Topic"}.isdisjoint(expand(GIVEN, {})["Resources"])
    assert expand(GIVEN, {})["Outputs"] == {}
    half = expand(GIVEN, {"Stage": "prod"})["Resources"]
    assert ("Key" in half, "Topic" in half) == (True, False)
    whole = expand(GIVEN, {"Stage": "prod", "Email": "ops@example.com"})
    assert whole["Resources"]["Topic"] == {"Type": "AWS::SNS::Topic"}
    assert whole["Outputs"] == {"Topic": {"Value": {"Fn::Sub": "${Topic}@prod.${AWS::Region}"}}}
    assert "Conditions" not in whole


def test_parameters_are_inserted_and_properties_without_a_value_are_removed() -> None:
    assert expand(GIVEN, {"Days": "3"})["Resources"]["Queue"] == {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "Properties": {"QueueName": "dev-queue", "MessageRetentionPeriod": "3", "Tags": []},
    }


def test_the_branch_of_a_condition_that_holds_is_chosen() -> None:
    queue = expand(GIVEN, {"Stage": "prod"})["Resources"]["Queue"]
    assert queue["DeletionPolicy"] == "Retain"
    assert queue["Properties"]["KmsMasterKeyId"] == {"Ref": "Key"}
    assert queue["Properties"]["Tags"] == [{"Key": "a", "Value": "b"}]


def test_functions_become_those_of_lambda_with_the_global_settings() -> None:
    function = expand(GIVEN, {"Stage": "prod"})["Resources"]["Worker"]
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Environment"] == {"Variables": {"STAGE": "prod"}}
    assert function["Properties"]["Role"] == {"Fn::GetAtt": ["Role", "Arn"]}


def test_dependencies_on_removed_resources_are_removed() -> None:
    assert expand(GIVEN, {})["Resources"]["Worker"]["DependsOn"] == ["Queue"]


def test_the_given_template_is_not_changed() -> None:
    before = copy.deepcopy(GIVEN)
    expand(GIVEN, {"Stage": "prod"})
    assert before == GIVEN


RULE = {
    "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
    "Assertions": [
        {"Assert": {"Fn::Equals": [{"Ref": "Days"}, "90"]}, "AssertDescription": "prod needs 90 days"}
    ],
}


def test_a_rule_refuses_only_the_parameters_that_it_forbids() -> None:
    ruled = changed(Rules={"Long": RULE})
    for allowed in ({}, {"Stage": "prod", "Days": "90"}):
        assert expand(ruled, allowed)["Resources"] == expand(GIVEN, allowed)["Resources"]
    with pytest.raises(CommandError, match="prod needs 90 days"):
        expand(ruled, {"Stage": "prod"})
    always = changed(Rules={"Long": {"Assertions": RULE["Assertions"]}})
    with pytest.raises(CommandError, match="prod needs 90 days"):
        expand(always, {})


@pytest.mark.parametrize(
    ("template", "parameters", "message"),
    [
        (GIVEN, {"Stge": "prod"}, "no parameter Stge"),
        (GIVEN, {"Stage": "production"}, "not one of dev, prod"),
        (changed(Parameters={**GIVEN["Parameters"], "Key": {"Type": "String"}}), {}, "needs a value for Key"),
        (
            changed(Conditions={"IsProd": {"Fn::Equals": [{"Ref": "AWS::Region"}, "x"]}}),
            {},
            "cannot be decided",
        ),
        (changed(Conditions={}), {}, '"SendsEmail.*" holds cannot be decided'),
        (changed(Resources={"Worker": {"Type": "AWS::Serverless::Function"}}), {}, r"\[Worker\] is invalid"),
    ],
)
def test_a_template_that_cannot_be_expanded_is_an_error(
    template: Template, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        expand(template, parameters)


def test_our_template_expands_to_types_that_need_no_transform() -> None:
    for parameters in ({}, {"Stage": "prod"}):
        template = expand(read(ROOT / "template.yaml"), parameters)
        assert not [name for name, one in template["Resources"].items() if "Serverless" in one["Type"]]
        assert not {"Transform", "Globals", "Conditions"} & template.keys()
        assert "Fn::If" not in str(template["Resources"])
