"""Fixtures for all tests; each group lives in its own module under tests/support."""

pytest_plugins = ["tests.support.databases", "tests.support.terminal"]
