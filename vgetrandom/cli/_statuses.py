# SPDX-License-Identifier: MIT
"""The exit statuses of all commands; docs/command-line.md explains them."""

OK = 0
FAILED = 1
BAD_USAGE = 2  # argparse's too
INTERRUPTED = 130  # as a shell reports SIGINT
READER_GONE = 141  # as a shell reports SIGPIPE
