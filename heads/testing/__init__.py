"""The laws of metrics, which one call of pytest runs over a module of yours.

pytest -p heads.testing --pyargs heads.testing --plugins my_metrics
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that says of which plugins the metrics are tested."""
    parser.addoption(
        "--plugins",
        dest="headcount_plugins",
        metavar="MODULE",
        action="append",
        default=[],
        help="run the laws of metrics over those of this module, in the working directory or"
        " installed; may be given several times; without it, over those of headcount",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker that a project of users may not know."""
    config.addinivalue_line("markers", "slow: takes a second or more")
