"""Arrow in processes that must stay small: followers, the gateway, short commands.

pyarrow imports pandas at the first `pa.array(...)` wherever pandas is installed, only to ask whether the value is a
Series: 45 MB and half a second. Great Expectations and pandera need pandas, so it is installed, but in other
processes.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

import pyarrow as pa


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("kept out by resources.lean_arrow", name=name)


def keep_pandas_out() -> None:
    """Let pyarrow look for pandas once, and not find it. To be called before its first use; later it changes nothing.

    Who imports pandas himself still gets it, and `to_pandas` still works; only a Series given to `pa.array` is then
    taken for a plain sequence.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


def give_memory_back() -> None:
    """Return freed memory to the system: after a large batch the allocators keep a hundred megabytes."""
    pa.default_memory_pool().release_unused()
    pa.system_memory_pool().release_unused()
