"""Chromium, and the service as `make run` starts it: open to everybody, and with logins."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from playwright.sync_api import Browser, sync_playwright

from infra.build.packaging import ROOT
from infra.local.stack import Stack
from tests.console.console import Console
from tests.console.filling import fill
from tests.e2e.conftest import LocalRun

PASSWORD = "correct horse battery"  # noqa: S105 - only of users in these tests
PEOPLE = ("viewer", "operator", "admin")
PICTURES = ROOT / ".screenshots"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            # Two workers, each with a browser and one of the services, which so run side by side.
            service = "closed" if "closed" in getattr(item, "fixturenames", ()) else "opened"
            item.add_marker(pytest.mark.xdist_group(service))


class Service(NamedTuple):
    """A running service."""

    url: str
    outputs: dict[str, str]
    api: httpx2.Client

    @property
    def stack(self) -> Stack:
        return Stack(self.outputs)


@contextmanager
def run(folder: Path, **variables: str) -> Iterator[Service]:
    started = LocalRun(folder / "run", variables)
    try:
        outputs = started.start()
        started.drain_output()
        with httpx2.Client(base_url=outputs["api_url"], timeout=30) as api:
            yield Service(outputs["api_url"], outputs, api)
    finally:
        process = started.process
        if process is not None:
            process.terminate()
            process.wait(timeout=60)
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()


@pytest.fixture(scope="session")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is open to everybody, with contracts, events, meters, exports and dead letters."""
    with run(tmp_path_factory.mktemp("open")) as service:
        fill(service.api, service.stack)
        yield service


@pytest.fixture(scope="session")
def closed(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks for logins, with a user of each role, filled like the other.

    `auditor` is a second admin, as one account may log in only so often.
    """
    admin = {"ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": PASSWORD, "ADMIN_EMAIL": "admin@example.com"}
    with run(tmp_path_factory.mktemp("closed"), AUTH_MODE="required", **admin) as service:
        answer = service.api.post("/token", data={"username": "admin", "password": PASSWORD})
        service.api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for name, role in {"viewer": "viewer", "operator": "operator", "auditor": "admin"}.items():
            user = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "role": role}
            assert service.api.post("/api/v1/users", json=user).status_code == 201
        fill(service.api, service.stack)
        yield service


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium of this machine."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"there is no Chromium here: none of {', '.join(_NAMES)}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with one
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


OpenConsole = Callable[..., Console]


@pytest.fixture
def console(chromium: Browser) -> Iterator[OpenConsole]:
    """Return a function that opens the console of a service; in the end nothing went wrong in any page."""
    opened_here: list[Console] = []

    def start(service: Service, **options: Any) -> Console:
        context = chromium.new_context(
            locale="en-GB",
            timezone_id="Europe/Berlin",
            **{"viewport": {"width": 1280, "height": 900}, **options},
        )
        context.grant_permissions([])
        made = Console(context.new_page(), service.url)
        opened_here.append(made)
        return made

    yield start
    problems = [problem for made in opened_here for problem in made.unexpected]
    for made in opened_here:
        made.page.context.close()
    assert problems == []
