# SPDX-License-Identifier: MIT
# Verification beyond `make test`; docs/verification.md says what each shows, and what came of it.
# Included by Makefile; `make tools` installs what fuzz, statistics and proof take.

.PHONY: faults fuzz statistics proof

# Every instruction of a draw, every fault. Of draws that take more than 20,000 instructions, each
# one's first two and last two executions; with ARGS=--every-execution all of them (about an hour).
faults: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m faults $(ARGS)

# Random sequences of events against a model, by clang's libFuzzer: FUZZ_SECONDS of it.
FUZZ_SECONDS ?= 1800
fuzz: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m faults.fuzzing $(FUZZ_SECONDS)

# A stream that is no stream at all would fail; that it passes says nothing about secrecy. Some
# blocks fail rngtest by chance, and it says so in its exit status.
STATISTICS = build/statistics
statistics: $(VENV)/installed-test
	mkdir -p $(STATISTICS)
	$(BIN)/vgetrandom cat -n 250000004 | rngtest --pipe --blockcount=0 2>&1 >/dev/null \
	  | tee $(STATISTICS)/rngtest.txt
	$(BIN)/vgetrandom cat | dieharder -a -g 200 | tee $(STATISTICS)/dieharder.txt
	! grep FAILED $(STATISTICS)/dieharder.txt

# The protocol's model, within wider bounds than its test's.
proof: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m proof
