# Verification beyond `make test`; docs/verification.md says what each shows. Included by Makefile.

.PHONY: faults fuzz statistics proof

# Every instruction of a draw, every fault: about half an hour.
faults: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m faults $(ARGS)

# Random sequences of events against a model, by clang's libFuzzer: FUZZ_SECONDS of it.
FUZZ_SECONDS ?= 1800
fuzz: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m faults.fuzzing $(FUZZ_SECONDS)

# On Debian: apt-get install rng-tools-debian dieharder. A generator that is no generator at all
# would fail; that it passes says nothing about secrecy.
STATISTICS = build/statistics
statistics: $(VENV)/installed-test
	mkdir -p $(STATISTICS)
	$(BIN)/vgetrandom cat -n 250000004 | rngtest --pipe --blockcount=0 2>&1 >/dev/null \
	  | tee $(STATISTICS)/rngtest.txt
	$(BIN)/vgetrandom cat | dieharder -a -g 200 | tee $(STATISTICS)/dieharder.txt
	! grep FAILED $(STATISTICS)/dieharder.txt

# The protocol's model; on Debian: apt-get install spin.
proof: $(BIN)/python
	cd tests && ../$(BIN)/python -m proof
