"""A stage as a new user gets it: built and deployed by SAM CLI, in an emulated AWS that speaks TLS."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import trustme

from infra.build import template
from infra.build.packaging import ROOT
from infra.commands import processes
from infra.commands.processes import REGION
from infra.local.emulator import Emulator, Tls, aws_session
from infra.operate.command import snake_case

SAM = ROOT / ".venv-sam/bin/sam"
STACK = "energy-operations-test"
PARAMETERS = {"Stage": "test", "ArchiveDays": "0", "PublisherSources": "crm,metering"}
WAIT_SECONDS = 90


def emulated(build: Path) -> Path:
    """Write the built template without what the emulated AWS refuses beside it; the paths in it are relative.

    As JSON, since SAM CLI parses YAML several times, for seconds.
    """
    path = build / "template-emulated.json"
    path.write_text(json.dumps(template.without_unsupported(template.read(build / "template.yaml"))))
    return path


def make_tls(folder: Path) -> Tls:
    """Create a temporary certificate authority, and a certificate issued by it for the loopback."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Tls(folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
    issued.private_key_pem.write_to_path(files.key)
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    authority.cert_pem.write_to_path(files.authority)
    return files


@dataclass
class Stage:
    """The stack in an emulated AWS that enforces the IAM roles."""

    cloud: Emulator
    build: Path
    folder: Path
    parameters: dict[str, str] = field(default_factory=lambda: dict(PARAMETERS))
    tokens: dict[str, str] = field(default_factory=dict)
    callers: dict[str | None, httpx2.Client] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment in which a command works on this emulated AWS only."""
        return processes.child_environment(
            {
                "AWS_ENDPOINT_URL": self.cloud.url,
                "AWS_CA_BUNDLE": str(self.cloud.authority),
                "SAM_CLI_TELEMETRY": "0",
                "__SAM_CLI_APP_DIR": str(self.folder / "sam"),
                "TMPDIR": str(self.folder),
                **more,
            }
        )

    def sam_deploy(self, build: Path | None = None, **parameters: str) -> subprocess.CompletedProcess[str]:
        """Deploy as the README describes, without confirmation."""
        overrides = " ".join(f"{name}={value}" for name, value in {**self.parameters, **parameters}.items())
        command = [str(SAM), "deploy", "--template-file", str(emulated(build or self.build))]
        command += ["--stack-name", STACK, "--region", REGION, "--resolve-s3", "--no-progressbar"]
        command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"]
        command += ["--parameter-overrides", overrides]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs, by their names in snake_case."""
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {snake_case(output["OutputKey"]): output["OutputValue"] for output in stack["Outputs"]}

    @property
    def status(self) -> str:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["StackStatus"])

    def client_as(self, role: str, service: str) -> Any:
        """Return a client with the permissions of one of the stack's roles."""
        resource = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=role
        )
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        arn = self.cloud.client("iam").get_role(RoleName=name)["Role"]["Arn"]
        assumed = self.cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="least-privilege")
        return aws_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.cloud.url,
            verify=str(self.cloud.authority),
            aws_access_key_id=assumed["Credentials"]["AccessKeyId"],
            aws_secret_access_key=assumed["Credentials"]["SecretAccessKey"],
            aws_session_token=assumed["Credentials"]["SessionToken"],
        )

    def http(self, user: str | None = None) -> httpx2.Client:
        """Return an HTTP client of the gateway for a user who has logged in, or for an anonymous caller."""
        if user not in self.callers:
            self.callers[user] = httpx2.Client(
                base_url=f"{self.cloud.url}/_aws/execute-api/{self.outputs['http_api_id']}/$default",
                verify=ssl.create_default_context(cafile=str(self.cloud.authority)),
                headers={"Authorization": f"Bearer {self.tokens[user]}"} if user else {},
                timeout=60,
            )
        return self.callers[user]

    def close(self) -> None:
        for caller in self.callers.values():
            caller.close()

    def log_in(self, username: str, password: str) -> None:
        answer = self.http().post("/token", data={"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        self.tokens[username] = answer.json()["access_token"]

    def publish(self, detail: Any, kind: str = "component_event") -> None:
        """Put an event on the bus as a publisher does."""
        sent = self.cloud.client("events").put_events(
            Entries=[
                {
                    "Source": "metering",
                    "DetailType": kind,
                    "EventBusName": self.outputs["event_bus_name"],
                    "Detail": json.dumps(detail),
                }
            ]
        )
        assert sent["FailedEntryCount"] == 0

    def command(self, module: str, *arguments: str) -> str:
        """Run a command on this stage as `make` does; return what it prints."""
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment(STACK=STACK)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dead_letters(self, queue: str) -> list[str]:
        """Return the bodies of the messages in a dead letter queue, and leave them there."""
        sqs, url = self.cloud.client("sqs"), self.outputs[f"{queue}_dead_letter_queue_url"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in found.get("Messages", [])]


Found = TypeVar("Found")


def poll(read: Callable[[], Found], is_done: Callable[[Found], bool]) -> Found:
    """Call `read` until `is_done` accepts the result; return that result."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found
