"""Importing Great Expectations, which is most of what its use costs here: 4.2 s of one core at first, 2.7 s this way.

Two of its expectations draw charts and test distributions, for which it imports altair and scipy.stats at once (1.5 s,
75 MB). They are imported when they are first used instead, which in this product is never. Analytics are off before the
import, since it reads the setting then.
"""

import importlib
import os
import sys
import threading
from types import ModuleType
from typing import Any

from resources.spark import before_pyspark

DEFERRED = ("altair", "scipy.stats", "scipy.special")
_lock = threading.Lock()


class _Deferred(ModuleType):
    """Stands for a module until one of its names is asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def great_expectations() -> Any:
    """The module, imported once, with nothing sent anywhere and nothing drawn."""
    with _lock:
        if "great_expectations" not in sys.modules:
            os.environ["GX_ANALYTICS_ENABLED"] = "false"
            before_pyspark()  # it looks for pyspark
            deferred = {name: _Deferred(name) for name in DEFERRED if name not in sys.modules}
            sys.modules.update(deferred)
            try:
                importlib.import_module("great_expectations")
            finally:
                for name, module in deferred.items():
                    if sys.modules.get(name) is module:
                        del sys.modules[name]
        return sys.modules["great_expectations"]


def warm_up() -> threading.Thread:
    """Start importing the checking libraries in the background: a run that will evaluate checks at its end calls this
    at its start."""
    thread = threading.Thread(target=_import_all, name="import-checking-libraries", daemon=True)
    thread.start()
    return thread


def _import_all() -> None:
    importlib.import_module("pandera.pandas")
    great_expectations()
