"""A planted bug: a few words of one named function of the real code are others while it is applied.

One that no longer applies, or that changes nothing, is an error: the list in mutants.py follows the code.
"""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


class MutantStale(Exception):
    """The code that the mutant spoils is not there any more, or the mutant changes nothing."""


@dataclass(frozen=True)
class Mutant:
    """`where` is `module:function` or `module:Class.function`; `old` stands in its source exactly once.

    Further lines of `old` and `new` are indented as seen from the line in which `old` begins.
    """

    name: str
    where: str
    old: str
    new: str

    def function(self) -> FunctionType:
        module, _, path = self.where.partition(":")
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = inspect.getattr_static(found, part)
        if isinstance(found, property):
            found = found.fget
        found = inspect.unwrap(found)
        if not isinstance(found, FunctionType):
            raise MutantStale(f"{self.name}: {self.where} is no function")
        return found

    def code(self) -> CodeType:
        """The spoilt function's code. Raises MutantStale."""
        function = self.function()
        source = textwrap.dedent(inspect.getsource(function))
        source = source[source.index("def ") :]
        code = _compiled(self._spoilt(source), function)
        # Compared with the same source compiled in the same way: what a module imports is compiled otherwise inside it.
        if _does(code) == _does(_compiled(source, function)):
            raise MutantStale(f"{self.name}: it changes nothing in {self.where}")
        return code

    def _spoilt(self, source: str) -> str:
        first = self.old.partition("\n")[0]
        found = []
        for line in source.splitlines():
            if first in line:
                indented = "\n" + line[: len(line) - len(line.lstrip())]
                old = self.old.replace("\n", indented)
                if source.count(old) == 1:
                    found.append(source.replace(old, self.new.replace("\n", indented)))
        if len(found) != 1:
            raise MutantStale(f"{self.name}: {self.old!r} is {len(found)} times in {self.where}, not once")
        return found[0]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The real function is the spoilt one inside the block, for everybody who has it."""
        function, code = self.function(), self.code()
        before = function.__code__
        function.__code__ = code
        try:
            yield
        finally:
            function.__code__ = before


def _compiled(source: str, function: FunctionType) -> CodeType:
    names: dict[str, Any] = {}
    exec(compile(source, f"<mutant of {function.__qualname__}>", "exec"), dict(function.__globals__), names)
    code: CodeType = names[function.__name__].__code__
    return code


def _does(code: CodeType) -> tuple[Any, ...]:
    """What a code object does, whatever file and line it comes from."""
    constants = tuple(_does(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, constants, code.co_names
