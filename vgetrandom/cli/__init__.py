# SPDX-License-Identifier: MIT
"""The command line: one module per command, named after it.

A new command is a module with `add_arguments(parser)` and `run(args)`, which returns an exit
status, a row of COMMANDS, and a row of docs/command-line.md. A module is imported when its command
runs.
"""

COMMANDS = {
    "bench": "measure it beside os.urandom, the kernel and other generators",
    "info": "report what is in use on this machine, and why",
    "cat": "write random bytes to standard output",
    "run": "run a Python program with vgetrandom behind its secure randomness",
    "doctor": "test what the running kernel does with droppable memory",
}
"""What each command does, in the order of --help."""
