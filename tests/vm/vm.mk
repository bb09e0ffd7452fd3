# SPDX-License-Identifier: MIT
# Real kernels in emulated machines; docs/vm-clones.md has what came of the clones. Included by Makefile.

.PHONY: test-vm tools-vm vm-kernel

# Every kernel of tests/vm/boots.py is booted, then machines are cloned: half an hour on two cores.
# With VM_ARGS="--only TEXT" those whose kernel or title contains that; with
# VM_ARGS="--record ../docs/recorded" what came of it is written there.
test-vm: $(VENV)/installed-test
	cd tests && status=0; \
	for part in boots clones; do ../$(BIN)/python -m vm $$part $(VM_ARGS) || status=1; done; \
	exit $$status

# As root, on Debian.
tools-vm:
	.ci/tools qemu-system-x86 qemu-system-arm gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross

# The newest kernel, for the one boot of `make test`, which fetches nothing.
vm-kernel: $(VENV)/installed-test
	cd tests && ../$(BIN)/python -m vm fetch
