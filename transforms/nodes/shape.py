"""What is known of a node's result before anything runs: its columns, their types, whether its rows have partitions.

`Shape` is that knowledge, `Check` is how a node works it out and says what does not fit, `Scope` is what its
expressions may use beside columns. No engine is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resources.errors import SpiceError
from resources.lake.base import PARTITION
from transforms.bound_definitions import Parameter
from transforms.csv_source import RESERVED
from transforms.expression_errors import ExpressionError
from transforms.expressions import Expression, compile_expression, compile_filter
from transforms.ordering import ordering
from transforms.udf_code import UdfCode
from transforms.yaml_source import FieldPath, field_text, suggestion

Columns = dict[str, str]
Report = Callable[[FieldPath, str, Iterable[str], int | None], None]
"""Told of a fault: field path below the pipeline, what is wrong, what is allowed, column of the expression's text."""


@dataclass(frozen=True)
class Shape:
    """Columns (name -> type, in order). `partitioned`: the rows carry `_partition` beside them."""

    columns: Columns
    partitioned: bool = False

    @property
    def carried(self) -> list[str]:
        return [PARTITION] if self.partitioned else []

    def typed_columns(self) -> dict[str, str]:
        return {**self.columns, **dict.fromkeys(self.carried, "string")}

    def with_columns(self, columns: Columns) -> "Shape":
        return Shape(columns, self.partitioned)


@dataclass(frozen=True)
class Scope:
    """What expressions of a pipeline may use beside columns: its time zone, its parameters, its functions."""

    timezone: str = "UTC"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    udfs: Mapping[str, UdfCode] = field(default_factory=dict)

    def compiled(self, text: str, columns: Mapping[str, str], *, where: str, **options: Any) -> Expression:
        return compile_expression(
            text, columns, where=where, timezone=self.timezone, parameters=self.parameters, **options
        )

    def condition(self, text: str, columns: Mapping[str, str], *, where: str) -> Expression:
        return compile_filter(text, columns, where=where, timezone=self.timezone, parameters=self.parameters)


class Fault(Exception):
    """Ends the check of one node; what is wrong has been told."""


@dataclass(frozen=True)
class Check:
    """The check of one node. `at`: its place below the pipeline. What is wrong is told to `report`, all of it."""

    at: FieldPath
    scope: Scope
    report: Report

    def fault(self, path: FieldPath, detail: str, allowed: Iterable[str] = (), column: int | None = None) -> None:
        """Tell what is wrong at a field of the node, and go on."""
        self.report((*self.at, *path), detail, allowed, column)

    def refuse(self, path: FieldPath, detail: str, allowed: Iterable[str] = ()) -> Fault:
        """Tell what is wrong; the exception to raise."""
        self.fault(path, detail, allowed)
        return Fault()

    def exist(self, wanted: Iterable[str], columns: Mapping[str, str], *path: str | int) -> bool:
        """Whether all columns are there; the place is that of the list."""
        good = True
        for index, column in enumerate(wanted):
            good = self.exists(column, columns, *path, index) and good
        return good

    def exists(self, column: str, columns: Mapping[str, str], *path: str | int) -> bool:
        if column not in columns:
            self.fault(path, f"there is no column '{column}'.{suggestion(column, columns)}", columns)
        return column in columns

    def chosen(self, wanted: Sequence[str], columns: Columns, *path: str | int) -> Columns:
        """Those columns with their types. Raises Fault."""
        if not self.exist(wanted, columns, *path):
            raise Fault
        return {column: columns[column] for column in wanted}

    def ordered(self, entries: Sequence[str], columns: Mapping[str, str], *path: str | int) -> None:
        """The columns of an order exist. Raises Fault."""
        if not self.exist([ordering(entry, columns).column for entry in entries], columns, *path):
            raise Fault

    def types(self, texts: Mapping[str, str], columns: Mapping[str, str], *path: str | int, **options: Any) -> Columns:
        """Types of several expressions by their names. Raises Fault after all of them were looked at."""
        found = {name: self.expression(text, columns, *path, name, **options) for name, text in texts.items()}
        types = {name: one.type for name, one in found.items() if one is not None}
        if len(types) < len(found):
            raise Fault
        return types

    def expression(self, text: str, columns: Mapping[str, str], *path: str | int, **options: Any) -> Expression | None:
        """An expression; None where it is faulty."""
        return self._told(lambda: self.scope.compiled(text, columns, where="", **options), path)

    def condition(self, text: str, columns: Mapping[str, str], *path: str | int) -> Expression | None:
        return self._told(lambda: self.scope.condition(text, columns, where=""), path)

    def _told(self, make: Callable[[], Expression], path: FieldPath) -> Expression | None:
        try:
            return make()
        except ExpressionError as error:
            self.fault(path, error.detail, error.allowed or [], error.column)
            return None

    def new(self, name: str, columns: Iterable[str], *path: str | int) -> None:
        """A column that is added has a name that is free, also where case counts for nothing. Raises Fault."""
        taken = {one.casefold(): one for one in columns}
        if name in RESERVED:
            raise self.refuse(path, f"'{name}' is a name of ours; take another one.")
        if name.casefold() in taken:
            raise self.refuse(path, f"there is a column '{taken[name.casefold()]}' already; give it another name.")


def raising(where: str) -> Report:
    """A report for when a pipeline runs: the first fault ends it. `where`: the pipeline's place."""

    def report(path: FieldPath, detail: str, allowed: Iterable[str], column: int | None) -> None:  # noqa: ARG001
        raise SpiceError("Definition error", detail, where=f"{where}.{field_text(path)}", allowed=list(allowed) or None)

    return report
