PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Universal and without a header: the files name no host and fit every platform.
LOCK_FLAGS := -q --generate-hashes --universal --python-version 3.11 --no-header

.PHONY: lock
lock: $(BIN)/uv  ## resolve pyproject.toml again into the hashed requirements files
	$(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade --group dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --upgrade -c requirements-dev.txt pyproject.toml -o requirements.txt
