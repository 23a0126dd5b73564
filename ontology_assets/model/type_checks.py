"""Expressions and columns of a domain against the types of its data, before anything runs.

Where `types.lock` knows a dataset, every expression that reads it, directly or through pipelines, is compiled and
typed. Where it does not, only the syntax is checked: the rest is found by the run that infers the types.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ontology_assets.model.definitions import Mapping as ObjectMapping
from ontology_assets.model.definitions import ObjectType
from ontology_assets.model.write_checks import check_write_types
from transforms.definitions import Dataset, Pipeline
from transforms.expression_errors import ExpressionError
from transforms.expressions import check_syntax, compile_expression, compile_partition
from transforms.inference import overlay
from transforms.nodes.node import Node
from transforms.nodes.shape import Columns
from transforms.outputs.definition import written_columns
from transforms.rule_definitions import Contract, Expectation
from transforms.schemas import pipeline_columns
from transforms.types import ColumnType, parse_type
from transforms.yaml_source import FieldPath, YamlSource, field_text, suggestion

Parts = dict[str, dict[str, Any]]


def check_types(source: YamlSource, parts: Parts, locked: Mapping[str, Mapping[str, str]], timezone: str) -> None:
    """Note every expression and column that does not fit, at its place in the file."""
    checks = _Checks(source, locked, timezone)
    tables: dict[str, Columns | None] = {}
    for name, dataset in parts["datasets"].items():
        tables[f"clean/{name}"] = checks.dataset(name, dataset)
    waiting = dict(parts["pipelines"])
    while waiting:
        ready = [
            name
            for name, one in waiting.items()
            if not any(a.removeprefix("transform/") in waiting for a in one.inputs.values())
        ]
        for name in ready or list(waiting):  # a circle is reported elsewhere
            tables[f"transform/{name}"] = checks.pipeline(name, waiting.pop(name), tables)
    for name, mapping in parts["mappings"].items():
        object_type = parts["object_types"].get(name)
        if object_type is not None:
            checks.mapping(("mappings", name), mapping, object_type, tables.get(mapping.source))
    for section, layer in (("datasets", "clean"), ("pipelines", "transform")):
        for name, part in parts[section].items():
            for index, one in enumerate(part.expectations):
                checks.reference((section, name, "expectations", index), one, tables.get(f"{layer}/{name}"), tables)


class _Checks:
    def __init__(self, source: YamlSource, locked: Mapping[str, Mapping[str, str]], timezone: str) -> None:
        self.source, self.locked, self.timezone = source, locked, timezone

    def fault(self, at: FieldPath, detail: str, allowed: Iterable[str] = (), column: int | None = None) -> None:
        """A fault of an expression is placed inside its text, where that stands in one line."""
        line, start = self.source.place(at)
        offset = column - 1 + (1 if at in self.source.quoted else 0) if column else 0
        self.source.fault_at((line, start + offset), field_text(self.source.written(at)), detail, allowed)

    def syntax(self, at: FieldPath, text: str) -> None:
        try:
            check_syntax(text, where="")
        except ExpressionError as error:
            self.fault(at, error.detail, error.allowed or (), error.column)

    def dataset(self, name: str, dataset: Dataset) -> Columns | None:
        at: FieldPath = ("datasets", name)
        locked = self.locked.get(name)
        if dataset.partition is not None:
            if locked is None:
                self.syntax((*at, "partition", "of"), dataset.partition.of)
            else:
                self.partition((*at, "partition", "of"), dataset, locked)
        if locked is None:
            return None
        for column in dataset.types:
            if column not in locked:
                detail = f"'{column}' is no column of {dataset.file}.{suggestion(column, locked)}"
                self.fault((*at, "types", column), detail, locked)
        columns = overlay(locked, dataset.types)
        self.rules(at, dataset.contract, dataset.expectations, columns)
        return columns

    def partition(self, at: FieldPath, dataset: Dataset, locked: Mapping[str, str]) -> None:
        try:
            compile_partition(dataset.partition, dict.fromkeys(locked, "string"), where="", timezone=self.timezone)  # type: ignore[arg-type]
        except ExpressionError as error:
            self.fault(at, error.detail, error.allowed or (), error.column)

    def pipeline(self, name: str, pipeline: Pipeline, tables: Mapping[str, Columns | None]) -> Columns | None:
        at: FieldPath = ("pipelines", name)
        inputs = {local: tables.get(asset) for local, asset in pipeline.inputs.items()}
        self.look_back(at, pipeline, inputs)
        if any(columns is None for columns in inputs.values()):
            for node_name, node in pipeline.nodes.items():
                self.node_syntax((*at, "nodes", node_name), node)

        def report(path: FieldPath, detail: str, allowed: Iterable[str], column: int | None) -> None:
            self.fault((*at, *path), detail, allowed, column)

        known = pipeline_columns(pipeline, inputs, report=report, timezone=self.timezone)
        check_write_types(pipeline, known, report)
        columns = known.get(pipeline.output)
        if columns is None:
            return None
        columns = written_columns(pipeline, columns)
        self.rules(at, pipeline.contract, pipeline.expectations, columns)
        return columns

    def look_back(self, at: FieldPath, pipeline: Pipeline, inputs: Mapping[str, Columns | None]) -> None:
        back = pipeline.look_back
        if back is None:
            return
        if pipeline.partition is None:
            self.fault((*at, "look_back"), "a pipeline that follows no partitions has none before its own.")
        elif back.day in (inputs.get(pipeline.partition) or {}):
            detail = f"'{back.day}' is a column of {pipeline.inputs[pipeline.partition]} already; choose another name."
            self.fault((*at, "look_back", "as"), detail)

    def node_syntax(self, at: FieldPath, node: Node) -> None:
        for path, text in node.texts():
            self.syntax((*at, *path), text)

    def rules(
        self, at: FieldPath, contract: Contract | None, expectations: list[Expectation], columns: Columns
    ) -> None:
        if contract is not None:
            self.exist([((*at, "contract", "unique", i), c) for i, c in enumerate(contract.unique or [])], columns)
            self.exist([((*at, "contract", "columns", c), c) for c in contract.columns], columns)
            for name, rule in contract.columns.items():
                if name in columns:
                    here: FieldPath = (*at, "contract", "columns", name)
                    self.rule_type(
                        here,
                        name,
                        columns,
                        numbers=rule.min is not None or rule.max is not None,
                        text=bool(rule.matches),
                    )
        for index, expectation in enumerate(expectations):
            here = (*at, "expectations", index)
            named = [
                ((*here, field), value)
                for field in ("column", "per")
                if (value := getattr(expectation, field)) is not None
            ]
            lists = [
                ((*here, field, i), value)
                for field in ("columns", "sum")
                for i, value in enumerate(getattr(expectation, field) or [])
            ]
            self.exist([*named, *lists], columns)
            if expectation.column in columns:
                numbers = expectation.rule == "values_between" or expectation.measure in ("mean", "quantiles")
                self.rule_type(here, expectation.column, columns, numbers=numbers, text=expectation.rule == "matches")
                kind = parse_type(columns[expectation.column]).kind
                if expectation.rule == "freshness" and kind not in ("date", "timestamp"):
                    self.fault(here, f"freshness needs a date or a timestamp; '{expectation.column}' is {kind}.")
            for path, column in lists:
                if path[-2] == "sum" and column in columns and not parse_type(columns[column]).numeric:
                    self.fault(path, f"column '{column}' is {columns[column]}, not a number.")

    def reference(
        self, at: FieldPath, one: Expectation, columns: Columns | None, tables: Mapping[str, Columns | None]
    ) -> None:
        """The key that a rule refers to is there, in the types of what refers to it."""
        other = tables.get(one.references or "")
        if one.columns is None or other is None:
            return
        field = "key" if one.key else "columns"
        for index, (mine, theirs) in enumerate(zip(one.columns, one.key or one.columns, strict=False)):
            here: FieldPath = (*at, field, index)
            if theirs not in other:
                detail = f"{one.references} has no column '{theirs}'.{suggestion(theirs, other)}"
                self.fault(here, detail, other)
            elif columns and mine in columns and parse_type(columns[mine]).base != parse_type(other[theirs]).base:
                detail = f"'{mine}' is {columns[mine]}, but {theirs} of {one.references} is {other[theirs]}."
                self.fault(here, detail)

    def rule_type(self, at: FieldPath, column: str, columns: Columns, *, numbers: bool, text: bool) -> None:
        kind = parse_type(columns[column])
        if numbers and not kind.numeric:
            self.fault(at, f"min and max bound numbers; column '{column}' is {columns[column]}.")
        if text and kind.kind != "string":
            self.fault(at, f"patterns are for text; column '{column}' is {columns[column]}.")

    def exist(self, named: Iterable[tuple[FieldPath, str]], columns: Columns) -> None:
        for path, column in named:
            if column not in columns:
                self.fault(path, f"there is no column '{column}'.{suggestion(column, columns)}", columns)

    def mapping(self, at: FieldPath, mapping: ObjectMapping, object_type: ObjectType, columns: Columns | None) -> None:
        texts: dict[FieldPath, str] = {(*at, "set", name): text for name, text in mapping.set.items()}
        if mapping.occurred_at is not None:
            texts[(*at, "occurred_at")] = mapping.occurred_at
        if columns is None:
            for path, text in texts.items():
                self.syntax(path, text)
            return
        for name, one in object_type.properties.items():
            if name in mapping.set:
                self.expression((*at, "set", name), mapping.set[name], columns, one.parsed)
            elif name not in columns:
                detail = f"property '{name}' has no column of its name in {mapping.source}; name one in `set`."
                self.fault((*at, "from"), f"{detail}{suggestion(name, columns)}", columns)
            elif (reason := unfit(parse_type(columns[name]), one.parsed)) is not None:
                self.fault((*at, "from"), f"property '{name}' is {one.type}, its column is {columns[name]}{reason}.")
        if mapping.occurred_at is not None:
            self.expression((*at, "occurred_at"), mapping.occurred_at, columns, ColumnType("timestamp"))

    def expression(self, at: FieldPath, text: str, columns: Columns, wanted: ColumnType) -> None:
        try:
            found = compile_expression(text, columns, where="", timezone=self.timezone)
        except ExpressionError as error:
            self.fault(at, error.detail, error.allowed or (), error.column)
            return
        reason = unfit(parse_type(found.type), wanted)
        if reason is not None:
            self.fault(at, f"the expression is {found.type}, {wanted.text} is needed{reason}.")


def unfit(found: ColumnType, wanted: ColumnType) -> str | None:
    """Why a value of one type can't be one of the other, as an ending of a sentence; None where it can."""
    kinds = (found.kind, wanted.kind)
    if kinds in (("string", "enum"), ("enum", "string"), ("integer", "double"), ("decimal", "double")):
        return None
    if wanted.kind == "decimal" and found.kind in ("integer", "decimal"):
        if found.scale > wanted.scale:
            return f"; write cast(... AS {wanted.base}), which rounds"
        return None
    if found.kind == wanted.kind:
        return None
    return f"; write cast(... AS {wanted.base})" if wanted.kind not in ("geopoint", "enum") else ""
