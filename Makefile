# Everything happens in a virtual environment of this directory; pip's build isolation brings the
# build requirements.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: bench test tools lint docs format clean

bench: $(VENV)/installed-bench
	$(BIN)/vgetrandom bench --quick $(ARGS)

test: $(VENV)/installed-test
	$(BIN)/pytest $(ARGS)

# What tests skip without: Debian's packages, as root. None of it is needed to install or to use.
TOOLS = clang libclang-rt-dev spin valgrind strace gdb qemu-user gcc-aarch64-linux-gnu \
        libc6-dev-arm64-cross rng-tools-debian dieharder
tools:
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $(TOOLS)

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)

# The pages of docs/ and the API reference, in build/site.
docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build

format: $(VENV)/installed-lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_FILES)

C_FILES = $(shell find csrc tests bench -name '*.[ch]')
SOURCES = $(shell find csrc vgetrandom -name '*.[ch]' -o -name '*.py*' -o -name CMakeLists.txt) \
          CMakeLists.txt pyproject.toml README.md

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { \
	  echo 'This Python has no venv module: on Debian, apt-get install python3-venv' >&2; exit 1; }

# One installation with the extras of one purpose, renewed when the sources change.
$(VENV)/installed-%: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) build dist

include tests/faults/faults.mk
