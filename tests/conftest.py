"""Fixtures: the test builds of the core, each in a state of its own."""

from __future__ import annotations
