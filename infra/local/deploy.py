"""Deploys template.yaml into the emulated AWS: archives to S3, a change set, and the functions' code."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.build import packaging, template
from infra.commands.command_error import CommandError
from infra.local.emulator import Emulator
from infra.operate.command import snake_case

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

STACK = "energy-operations-local"
_BUCKET = f"{STACK}-artifacts"
# The same key for any code: a change of code alone does not change the stack; `update_code` applies it.
_CODE_KEY = "code.zip"
_DEPLOY_SECONDS = 120
_PARAMETERS = {"ArchiveDays": "0"}  # the emulated AWS has no archives


def deploy(
    cloud: Emulator, layers: Path, parameters: Mapping[str, str], root: Path = packaging.ROOT
) -> dict[str, str]:
    """Deploy the template and the code of `root` to the emulated AWS, and return the outputs in snake_case.

    Built layers are stored in `layers`. Raises CommandError if the template is refused.
    """
    given = template.read(root / "template.yaml")
    code, layer = packaging.zip_code(root), packaging.zip_layer(layers, root)
    _upload(cloud.client("s3"), code, layer)
    wanted = template.for_emulator(given, _BUCKET, _CODE_KEY, layer.name)
    _apply(cloud, wanted, template.parameters_for(wanted, {**_PARAMETERS, **parameters}))
    update_code(cloud, code)
    return outputs_of(cloud)


def update_code(cloud: Emulator, code: bytes) -> None:
    """Update each function of the stack to the archive `code`, and its aliases to a version with that code."""
    functions: LambdaClient = cloud.client("lambda")
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    for name in functions_of(cloud).values():
        if functions.get_function_configuration(FunctionName=name)["CodeSha256"] != digest:
            functions.update_function_code(FunctionName=name, ZipFile=code)
        for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
            live = functions.get_function_configuration(FunctionName=name, Qualifier=alias["Name"])
            if live["CodeSha256"] != digest:
                version = functions.publish_version(FunctionName=name)["Version"]
                functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=version)


def environment_of(cloud: Emulator, function: str) -> dict[str, str]:
    """Return the environment variables of a deployed function."""
    configuration = cloud.client("lambda").get_function_configuration(FunctionName=function)
    variables: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables


def functions_of(cloud: Emulator) -> dict[str, str]:
    """Return the names of the stack's functions by their logical ids."""
    stacks: CloudFormationClient = cloud.client("cloudformation")
    pages = stacks.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def outputs_of(cloud: Emulator) -> dict[str, str]:
    """Return the stack's outputs with names in snake_case, and the API's `gateway_url`."""
    stacks: CloudFormationClient = cloud.client("cloudformation")
    outputs = stacks.describe_stacks(StackName=STACK)["Stacks"][0].get("Outputs", [])
    named = {snake_case(output["OutputKey"]): output["OutputValue"] for output in outputs}
    return {**named, "gateway_url": f"{cloud.url}/_aws/execute-api/{template.API_ID}/$default"}


def _upload(s3: "S3Client", code: bytes, layer: Path) -> None:
    if _BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        location: Any = {"LocationConstraint": s3.meta.region_name}
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration=location)
    s3.put_object(Bucket=_BUCKET, Key=_CODE_KEY, Body=code)
    stored = s3.list_objects_v2(Bucket=_BUCKET, Prefix=layer.name)
    if not stored["KeyCount"]:
        s3.put_object(Bucket=_BUCKET, Key=layer.name, Body=layer.read_bytes())


def _apply(cloud: Emulator, wanted: template.Template, parameters: Mapping[str, str]) -> None:
    """Update the stack to the template `wanted` with a change set, unless nothing differs."""
    stacks: CloudFormationClient = cloud.client("cloudformation")
    s3: S3Client = cloud.client("s3")
    s3.put_object(Bucket=_BUCKET, Key="template.json", Body=json.dumps(wanted).encode())
    change_set = f"local-{time.time_ns()}"
    try:
        arn = stacks.create_change_set(
            StackName=STACK,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if _exists(stacks) else "CREATE",
            TemplateURL=f"{cloud.url}/{_BUCKET}/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": parameters[name]} for name in parameters],
        )["Id"]
        created = stacks.describe_change_set(ChangeSetName=arn)
        if created["Status"] == "FAILED":
            if "didn't contain changes" in created.get("StatusReason", ""):
                return
            raise CommandError(f"template.yaml is refused: {created.get('StatusReason')}")
        stacks.execute_change_set(ChangeSetName=arn)
    except ClientError as error:
        raise CommandError(f"template.yaml is refused: {error.response['Error']['Message']}") from error
    _await(stacks)


def _exists(stacks: "CloudFormationClient") -> bool:
    """Return whether there is a stack that can be updated."""
    try:
        status = stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    except ClientError:
        return False
    return status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE", "ROLLBACK_COMPLETE")


def _await(stacks: "CloudFormationClient") -> None:
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while (status := stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]).endswith(
        "_PROGRESS"
    ):
        if time.monotonic() > deadline:
            raise CommandError(f"template.yaml is not deployed after {_DEPLOY_SECONDS} s ({status})")
        time.sleep(0.05)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise CommandError(f"template.yaml cannot be deployed: {_first_failure(stacks) or status}")


def _first_failure(stacks: "CloudFormationClient") -> str:
    """Return which resource failed first in the latest attempt, and why."""
    failure = ""
    pages = stacks.get_paginator("describe_stack_events").paginate(StackName=STACK)
    for event in (event for page in pages for event in page["StackEvents"]):  # newest first
        status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
        if status.endswith("_FAILED") and reason and "cancelled" not in reason:
            failure = f"{event.get('LogicalResourceId')}: {reason}"
        if reason == "User Initiated" and event.get("LogicalResourceId") == STACK:
            break
    return failure
