"""`make run`: starts the service, updates it when its code changes, and stops it in order."""

import os
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from infra.build import packaging
from infra.commands import processes
from infra.commands.command_error import CommandError
from infra.commands.processes import REGION
from infra.local import containers, deploy
from infra.local.api_process import ApiProcess, first_syntax_error
from infra.local.emulator import Emulator, emulator, free_port
from infra.local.forward_port import forwarded
from infra.local.run_settings import RunSettings
from infra.local.watch import Changed, changes
from infra.operate.create_admin import ensure_admin
from infra.users.api_key_store import ApiKeyStore
from infra.users.user_store import UserStore

_INTERRUPTED = 130
_SAVE_EVERY_SECONDS = 60
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Terminal:
    """Prints what the run does for the person who started it."""

    started: float = field(default_factory=time.monotonic)

    def step(self, what: str) -> None:
        """Print the next step of the start, with the seconds since its beginning."""
        print(f"{time.monotonic() - self.started:5.1f} s  {what}", flush=True)

    def say(self, what: str) -> None:
        """Print what happened while the service was running, with the time of day."""
        print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


@dataclass
class Service:
    """The API process and the stack behind it."""

    root: Path
    settings: RunSettings
    cloud: Emulator
    api: ApiProcess
    terminal: Terminal
    outputs: dict[str, str] = field(default_factory=dict)

    def deploy(self) -> None:
        """Deploy the template, and give the API process the environment of its function."""
        outputs = deploy.deploy(
            self.cloud, self.settings.directory.layers, self.settings.parameters, self.root
        )
        function = deploy.environment_of(self.cloud, outputs["api_function_name"])
        self.api.environment = {**function, **self.cloud.variables}
        here = {"api_url": self.api.url, "aws_endpoint_url": self.cloud.url, "aws_region": REGION}
        here["aws_session_token"] = self.cloud.secret
        self.outputs = {**outputs, **here}
        self.settings.directory.write_container_environment(
            containers.variables(self.cloud, self.settings.bind_host)
        )

    def follow(self, changed: Changed) -> None:
        """Update the service after a change; an error is printed, and the next change is awaited."""
        try:
            if Changed.TEMPLATE in changed:
                self.terminal.say("template.yaml has changed: deploying it")
                self.deploy()
            problem = self.api.start()
            if problem is None and Changed.CODE in changed:
                deploy.update_code(self.cloud, packaging.zip_code(self.root))
        except (CommandError, ClientError, BotoCoreError) as error:
            problem = str(error)
        self.terminal.say(
            f"{problem}; waiting for the next change" if problem else "up to date with the change"
        )

    def serve(self) -> None:
        """Serve until interrupted."""
        saved = time.monotonic()
        for changed in changes(self.root):
            if self.cloud.process.poll() is not None:
                ending = processes.describe_exit(self.cloud.process)
                raise CommandError(f"the emulated AWS ended unexpectedly ({ending}), see {self.cloud.log}")
            if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                self.cloud.save()
                saved = time.monotonic()
            if changed:
                self.follow(changed)
            self.api.restart_if_ended()
            print(self.api.new_output(), end="", flush=True)


def store_samples(service: Service) -> None:
    """Store the sample meters of a local run."""
    try:
        # Imported only after the service's own code has been checked for syntax errors.
        from infra.local import sample_meters  # noqa: PLC0415

        sample_meters.seed(service.cloud.client("dynamodb"), service.outputs)
    except Exception as error:
        raise CommandError(f"the sample meters cannot be stored: {error}") from error


def bring_up(root: Path, settings: RunSettings, terminal: Terminal, stack: ExitStack) -> Service:
    """Start everything; `stack` stops it again."""
    directory = settings.directory
    lock = stack.enter_context(directory.locked(say=terminal.step))
    cloud_port = settings.cloud_port or directory.cloud_port() or free_port(directory.path)
    processes.require_free(settings.port, "PORT")
    processes.require_free(cloud_port, "GATEWAY_PORT")
    if problem := first_syntax_error(root):
        raise CommandError(problem)
    directory.keep_cloud_port(cloud_port)

    if settings.parameters["AuthMode"] == "open":
        terminal.step("AUTH_MODE=open: callers need no credentials; for local use only")
    terminal.step("starting the emulated AWS")
    cloud = stack.enter_context(emulator(directory.path, cloud_port, hosts=settings.hosts, keep=[lock]))
    api = ApiProcess(settings.port, root, directory.logs / "api.log", lock, terminal.say)
    stack.callback(api.stop)
    service = Service(root, settings, cloud, api, terminal)
    with cloud.saved_only_on_success():
        if settings.bind_host:
            terminal.step(
                f"BIND_HOST={settings.bind_host}: anyone who reaches that address and has the token has your rights here"
            )
            stack.enter_context(forwarded(settings.bind_host, cloud_port, cloud_port))
        if not packaging.layer_archive(directory.layers, root).exists():
            terminal.step("building the layer of dependencies, once for these versions")
            packaging.zip_layer(directory.layers, root)
        terminal.step("deploying template.yaml")
        service.deploy()
        if settings.admin:
            where = cloud.client("dynamodb"), service.outputs["users_table_name"]
            users, api_keys = UserStore(*where), ApiKeyStore(*where)
            terminal.step(ensure_admin(users, api_keys, settings.admin, datetime.now(UTC)))
        store_samples(service)
        terminal.step("starting the API")
        if problem := api.start():
            raise CommandError(problem)
    variables = {**cloud.variables, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    stack.enter_context(directory.announced(service.outputs, variables))
    return service


def _show(service: Service) -> None:
    outputs = service.outputs
    service.terminal.step("ready")
    print(
        f"""
  API            {outputs["api_url"]}
  documentation  {outputs["api_url"]}/docs
  gateway        {outputs["gateway_url"]}
  emulated AWS   {outputs["aws_endpoint_url"]} ({outputs["aws_region"]})
  data and logs  {service.settings.directory.path}
  credentials    . {service.settings.directory.path}/aws.env, for the aws command and other programs

Ctrl-C stops it and keeps the data.
""",
        flush=True,
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Turn the first signal into KeyboardInterrupt; ignore further signals while the run stops in order."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(root: Path = packaging.ROOT) -> int:
    """Run until interrupted; returns the exit code."""
    terminal, service = Terminal(), None
    os.umask(0o077)  # also for all processes that are started from here
    for number in _STOP_SIGNALS:
        signal.signal(number, _interrupt)
    if "MAKELEVEL" in os.environ:
        processes.end_with_parent()
    try:
        with ExitStack() as stack:
            settings = RunSettings.from_environment(os.environ, root)
            service = bring_up(root, settings, terminal, stack)
            _show(service)
            service.serve()
    except KeyboardInterrupt:
        if service is None:
            print("interrupted before the service was ready; nothing is left running", file=sys.stderr)
            return _INTERRUPTED
        terminal.say(f"stopped; the data is kept in {service.settings.directory.path}")
    except (CommandError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
