# SPDX-License-Identifier: MIT
# Everything happens in a virtual environment of this directory. It has the build requirements too, so
# that pip need not fetch them for each build.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: bench test test-debian test-integration coverage tools lint docs format clean

bench: $(VENV)/installed-bench
	$(BIN)/vgetrandom bench --quick $(ARGS)

# EXTRA=test-pure leaves out what is compiled (pyproject.toml).
EXTRA ?= test
test: $(VENV)/installed-$(EXTRA)
	$(BIN)/pytest $(ARGS)

# The suite in a Debian of another release, with its C library, compilers and interpreter, as root:
# make test-debian RELEASE=sid PYTHON=python3.15. The inner make is told PYTHON and ARGS by this one.
test-debian:
	tests/debian/root $(RELEASE) sh -euc '.ci/tools $(TOOLS) $(PYTHON)-dev $(PYTHON)-venv; \
	  exec make test VENV=/venv-$(PYTHON)'

# The real users: web servers, pools of workers, frameworks. Without their packages `make test` skips
# what needs them.
test-integration: $(VENV)/installed-integration
	$(BIN)/pytest tests/integration $(ARGS)

# What the tests reach of the package and of the C core. A few fail that judge the core as it is
# shipped; what the children of a test reach that end by _exit() is not counted in the C core.
COVERED = tests/core tests/python tests/droppable tests/cli tests/bench
coverage: $(VENV)/installed-coverage
	rm -rf build/coverage
	$(CMAKE) -B build/coverage -DCMAKE_C_FLAGS='--coverage -O1' -DVGETRANDOM_TESTS=ON \
	  -DVGETRANDOM_KEEPS_SECRETS_ON_STACK=ON >/dev/null
	$(BIN)/cmake --build build/coverage
	-VGETRANDOM_TESTS_BUILT=$(abspath build/coverage/tests/c) \
	  $(BIN)/coverage run $(BIN)/pytest -q $(or $(ARGS),$(COVERED))
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
	$(BIN)/gcovr --root . --filter csrc/ --exclude csrc/python/ \
	  --gcov-ignore-errors=no_working_dir_found build/coverage

# What tests skip without: Debian's packages, as root. None of it is needed to install or to use.
TOOLS = clang clang-tidy libclang-rt-dev spin valgrind strace gdb qemu-user musl-tools \
        gcc-aarch64-linux-gnu gcc-s390x-linux-gnu libc6-dev-s390x-cross \
        libc6-dev-arm64-cross rng-tools-debian dieharder
tools:
	.ci/tools $(TOOLS)

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/mkdocs build --quiet
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)
	$(CMAKE) -B build/lint \
	  -DPython_EXECUTABLE=$(abspath $(BIN))/python -DCMAKE_C_FLAGS=-Werror \
	  -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DVGETRANDOM_PYTHON=ON -DVGETRANDOM_TESTS=ON \
	  -DVGETRANDOM_BENCH=ON >/dev/null
	$(BIN)/cmake --build build/lint
	if command -v clang-tidy >/dev/null; then \
	  $(COMPILED) | xargs -P 4 -n 2 clang-tidy --quiet \
	    --extra-arg=-Wno-unknown-warning-option -p build/lint; \
	else echo 'clang-tidy is not installed: the C code is not looked at by it.'; fi

# The pages of docs/ and the API reference, in build/site.
docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build

format: $(VENV)/installed-lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_FILES)

CMAKE = $(BIN)/cmake -S . -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja
C_FILES = $(shell find csrc tests bench -name '*.[ch]')
# Lists what is compiled of csrc here: other machines' instruction sets are not.
COMPILED = sed -n 's|^ *"file": "\(.*/csrc/.*\.c\)",*$$|\1|p' build/lint/compile_commands.json | sort -u
SOURCES = $(shell find csrc vgetrandom -name '*.[ch]' -o -name '*.py*' -o -name CMakeLists.txt) \
          $(wildcard cmake/*.cmake) CMakeLists.txt pyproject.toml README.md
PIP_INSTALL = $(BIN)/python -m pip --disable-pip-version-check install --quiet

# A file of its own tells that this was finished, not the interpreter that it begins with.
$(VENV)/build-requirements:
	$(PYTHON) -m venv $(VENV) || { \
	  echo 'This Python has no venv module: on Debian, apt-get install python3-venv' >&2; exit 1; }
	$(PIP_INSTALL) 'scikit-build-core>=0.10' 'cmake>=3.17' ninja
	@touch $@

# One installation with the extras of one purpose, renewed when the sources change.
$(VENV)/installed-%: $(SOURCES) | $(VENV)/build-requirements
	$(PIP_INSTALL) --no-build-isolation '.[$*]'
	@touch $@ $(addprefix $(VENV)/installed-,$(INCLUDED))
# The linters' extra includes these: `make lint test` builds the package once.
$(VENV)/installed-lint: INCLUDED = bench docs test

clean:
	rm -rf $(VENV) build dist

include tests/cross/cross.mk
include tests/faults/faults.mk
include tests/vm/vm.mk
