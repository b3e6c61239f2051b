"""A test of a rule alone starts at once: nothing slow is imported for it."""

import subprocess
import sys

from infra.build.packaging import ROOT

SLOW = ("boto3", "fastapi", "moto", "schemathesis")

RUN = f"""
import sys, pytest
code = pytest.main(["-p", "no:cacheprovider", "tests/domain/test_users.py"])
print("imported:", *sorted(set({SLOW}) & set(sys.modules)))
sys.exit(code)
"""


def test_a_file_of_domain_tests_imports_nothing_slow() -> None:
    run = subprocess.run(
        [sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == "imported:"
