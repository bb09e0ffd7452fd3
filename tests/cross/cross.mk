# SPDX-License-Identifier: MIT
# The core for other machines and other C libraries. Included by Makefile.

.PHONY: test-cross test-musl

# Cross-compiled by Zig, run by qemu's user mode. With RECORD=a directory, what came of it is written
# down there.
test-cross: $(VENV)/installed-cross
	$(BIN)/pytest tests/cross $(if $(RECORD),--record-targets=$(RECORD)/cross.json) $(ARGS)

# The C programs of the suite over musl (Debian's musl-tools), dynamic and static; then over this
# machine's libc, static at an address of the kernel's choice. Tests that load a library into Python
# skip: a process has one libc. With RECORD=a directory, what came of it is written down there.
test-musl: $(VENV)/installed-test build/musl/include
	$(call test_programs,musl,$(WITH_MUSL))
	$(call test_programs,musl-static,$(WITH_MUSL) $(STATIC) -DCMAKE_EXE_LINKER_FLAGS=-static)
	$(call test_programs,static-pie,$(STATIC) -DCMAKE_EXE_LINKER_FLAGS=-static-pie)

WITH_MUSL = -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_C_FLAGS='-Werror -idirafter $(abspath build/musl/include)'
STATIC = -DBUILD_SHARED_LIBS=OFF

# Name, CMake's options.
define test_programs
	$(CMAKE) -B build/musl/$1 -DVGETRANDOM_TESTS=ON $2 >/dev/null
	$(BIN)/cmake --build build/musl/$1
	VGETRANDOM_TESTS_BUILT=$(abspath build/musl/$1/tests/c) $(BIN)/pytest tests/core -m c_program \
	  $(if $(RECORD),--record=$(RECORD)/$1.json) $(ARGS)
endef

# The kernel's headers, of which Debian's musl-tools has none, and valgrind's; the tests' programs
# take them, the library does not.
build/musl/include:
	mkdir -p $@
	ln -sfn /usr/include/linux /usr/include/asm-generic /usr/include/valgrind $@
	ln -sfn /usr/include/$$($(CC) -print-multiarch)/asm $@/asm
