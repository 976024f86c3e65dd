"""The door of headcount: what a program of its users imports.

    import headcount

    report = headcount.evaluate(frame, "click.yaml")
    report.metric("roc_auc", slice={"country": "DE"})

`docs/python.md` walks through it. Inside, headcount is made of the packages `heads` and `pipeline`
beside this file. Whoever imports this module finds those two by their names, whatever folders of
these names are on the path: a project of a user may well have a folder `pipeline`. The path itself
is not changed.

Run as a program (`python -P -m headcount`), it is the command, or a worker of the command. Names
are loaded when they are first used, so that a command that only prints takes no time to import.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heads import *  # noqa: F403
    from pipeline.api.evaluate import evaluate as evaluate
    from pipeline.api.metrics import Metric as Metric
    from pipeline.api.metrics import NotInReport as NotInReport
    from pipeline.api.report import Report as Report
    from pipeline.api.runs import check as check
    from pipeline.api.runs import load as load
    from pipeline.api.runs import run as run
    from pipeline.beam.row_evaluation import Evaluate as Evaluate
    from pipeline.cli import main as main
    from pipeline.config.load import load_config as load_config
    from pipeline.config.model import Config as Config
    from pipeline.errors.faults import BadData as BadData
    from pipeline.errors.faults import NotFinished as NotFinished
    from pipeline.errors.faults import OutputTaken as OutputTaken
    from pipeline.errors.faults import RunnerError as RunnerError
    from pipeline.errors.faults import StorageError as StorageError
    from pipeline.errors.problems import ConfigError as ConfigError

_HOME = os.path.dirname(os.path.abspath(__file__))
_PACKAGES = ("heads", "pipeline")

_PLACES = {
    "BadData": "pipeline.errors.faults",
    "Config": "pipeline.config.model",
    "ConfigError": "pipeline.errors.problems",
    # Needs Beam, which takes a second to import.
    "Evaluate": "pipeline.beam.row_evaluation",
    "Metric": "pipeline.api.metrics",
    "NotFinished": "pipeline.errors.faults",
    "NotInReport": "pipeline.api.metrics",
    "OutputTaken": "pipeline.errors.faults",
    "Report": "pipeline.api.report",
    "RunnerError": "pipeline.errors.faults",
    "StorageError": "pipeline.errors.faults",
    "check": "pipeline.api.runs",
    "evaluate": "pipeline.api.evaluate",
    "load": "pipeline.api.runs",
    "load_config": "pipeline.config.load",
    "main": "pipeline.cli",
    "run": "pipeline.api.runs",
}
"""The modules that the names come from; all other names are those of `heads`."""

_WORKER = "pipeline.beam.worker"
"""The argument, and the module, of a process that works for the command."""


class _Finder:
    """A finder of the packages beside this file, which Python asks before it looks on the path.

    Attributes:
        home: the directory of the packages.
    """

    home = _HOME

    @classmethod
    def find_spec(
        cls,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG003 - what Python calls it with
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Returns where a package is; None for all other modules."""
        return PathFinder.find_spec(name, [cls.home], target) if name in _PACKAGES else None


def _refuse_others() -> None:
    """Raises ImportError if other packages of the same names are imported already."""
    for name in _PACKAGES:
        module = sys.modules.get(name)
        if module is None:
            continue
        places = [os.path.realpath(place) for place in getattr(module, "__path__", ())]
        if os.path.realpath(os.path.join(_HOME, name)) not in places:
            found = getattr(module, "__file__", None) or ", ".join(places) or repr(module)
            raise ImportError(
                f"headcount has a package '{name}', and another of that name is imported already:"
                f" {found}. A process has room for one of them: use headcount in a process that"
                " does not import the other, or rename the other",
                name=name,
                path=found,
            )


def _offered() -> list[str]:
    heads: list[str] = import_module("heads").__all__
    return sorted({*_PLACES, *heads} - {"main"})


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(import_module(_PLACES[name]), name)
    elif name == "__all__":
        value = _offered()
    elif name == "__version__":
        value = import_module("importlib.metadata").version("headcount")
    elif not name.startswith("_") and name in _offered():
        value = getattr(import_module("heads"), name)
    else:
        near = "" if name.startswith("_") else _did_you_mean(name)
        raise AttributeError(f"headcount has no {name!r}{near}", name=name)
    globals()[name] = value
    return value


def _did_you_mean(name: str) -> str:
    from pipeline.errors.suggest import did_you_mean

    return did_you_mean(name, _offered())


def __dir__() -> list[str]:
    return [*_offered(), "main"]


_refuse_others()
if not any(getattr(finder, "home", None) == _HOME for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder)

if __name__ == "__main__":
    if sys.argv[1:] == [_WORKER]:
        import_module(_WORKER).main()
    else:
        from pipeline.cli import main as command

        sys.exit(command())
