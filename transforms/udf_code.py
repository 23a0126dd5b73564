"""A function in Python as a pipeline carries it: what was declared, its code, and the hash that names both."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class UdfCode:
    """`takes` and `gives`: column -> type. `file`: as messages name it. `seconds`: for one batch; `memory`: MiB."""

    name: str
    version: int
    takes: Mapping[str, str]
    gives: Mapping[str, str]
    seconds: float
    memory: int
    file: str
    code: str

    @property
    def code_hash(self) -> str:
        """sha256 of the file's text."""
        return hashlib.sha256(self.code.encode()).hexdigest()

    @property
    def identity(self) -> list[object]:
        """All that decides what it gives: no limit is part of it."""
        return [self.name, self.version, list(self.takes.items()), list(self.gives.items()), self.code_hash]
