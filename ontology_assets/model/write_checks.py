"""`write` and `incremental` of a pipeline: each mode has its fields, and all columns that they name exist and fit."""

from collections.abc import Mapping

from transforms.definitions import Pipeline
from transforms.incremental.locality import check_locality
from transforms.nodes.shape import Columns, Report
from transforms.ordering import ordering
from transforms.outputs.definition import CHANGE_COLUMNS, MODES, Write
from transforms.types import parse_type
from transforms.yaml_source import FieldPath, YamlSource, suggestion

FIELDS = ("key", "order", "remove", "duplicates")


def check_write(source: YamlSource, at: FieldPath, pipeline: Pipeline) -> None:
    """Note what is wrong whatever the columns are."""
    write, incremental = pipeline.write, pipeline.incremental
    if write is not None:
        _check_fields(source, (*at, "write"), write)
    if pipeline.partition is not None:
        detail = "a pipeline that follows the partitions of an input replaces them one by one; leave `partition` out."
        if write is not None and write.mode != "replace":
            source.fault((*at, "write", "mode"), detail, ["replace"])
        if incremental is not None:
            source.fault((*at, "incremental"), detail, key=True)
    if incremental is None:
        return
    key = write.key if write is not None else None
    for index, column in enumerate(incremental.by if key is not None else ()):
        if column not in (key or ()):
            detail = f"'{column}' is not in the key: rows of one key could come from several values of it."
            source.fault((*at, "incremental", "by", index), detail, key or ())
    for local in incremental.lateness:
        if local not in pipeline.inputs:
            detail = f"there is no input '{local}'.{suggestion(local, pipeline.inputs)}"
            source.fault((*at, "incremental", "lateness", local), detail, list(pipeline.inputs), key=True)


def _check_fields(source: YamlSource, at: FieldPath, write: Write) -> None:
    needed, optional = MODES[write.mode]
    for field in FIELDS:
        given = getattr(write, field) is not None
        if field in needed and not given:
            source.fault(at, f"the mode '{write.mode}' needs the field '{field}'.", key=True)
        if given and field not in (*needed, *optional):
            allowed = ["mode", *needed, *optional]
            source.fault((*at, field), f"the mode '{write.mode}' has no field '{field}'.", allowed, key=True)
    if write.mode == "append" and (write.duplicates == "skip") != (write.order is not None):
        detail = "`order` says which of several new rows of a key is kept: with `duplicates: skip` it is needed, "
        source.fault(at, detail + "otherwise there is no such choice.", key=True)


def check_write_types(pipeline: Pipeline, known: Mapping[str, Columns | None], report: Report) -> None:
    """Tell what does not fit the columns of inputs and nodes, as far as they are known."""
    columns = known.get(pipeline.output)
    if columns is not None and pipeline.write is not None:
        _check_written(pipeline.write, columns, report)
    if pipeline.incremental is None:
        return
    if columns is not None and _keys(pipeline.incremental.by, columns, ("incremental", "by"), report):
        check_locality(pipeline, pipeline.incremental.by, known, report)
    for local, one in pipeline.incremental.lateness.items():
        there, at = known.get(local), ("incremental", "lateness", local, "column")
        if there is not None and _exist([one.column], there, at, report):
            kind = parse_type(there[one.column]).kind
            if kind not in ("date", "timestamp"):
                report(at, f"'{one.column}' is {kind}; a date or timestamp is needed.", [], None)


def _check_written(write: Write, columns: Columns, report: Report) -> None:
    _keys(write.key or [], columns, ("write", "key"), report)
    _exist([ordering(text, columns).column for text in write.order or []], columns, ("write", "order"), report)
    if write.remove is not None and _exist([write.remove], columns, ("write", "remove"), report):
        kind = columns[write.remove]
        if parse_type(kind).kind != "boolean":
            report(("write", "remove"), f"'{write.remove}' is {kind}; a boolean column is needed.", [], None)
    for column in CHANGE_COLUMNS if write.mode == "changelog" else ():
        if column in columns:
            report(("write", "mode"), f"a changelog has a column '{column}' of its own; rename yours.", [], None)


def _keys(names: list[str], columns: Columns, at: FieldPath, report: Report) -> bool:
    good = _exist(names, columns, at, report)
    for index, name in enumerate(names):
        if name in columns and not parse_type(columns[name]).usable_in_key:
            report((*at, index), f"'{name}' is {columns[name]}, which identifies nothing.", [], None)
            good = False
    return good


def _exist(names: list[str], columns: Columns, at: FieldPath, report: Report) -> bool:
    """Whether all columns are there. The place of one of a list is its own."""
    missing = [(index, name) for index, name in enumerate(names) if name not in columns]
    for index, name in missing:
        path = at if at[-1] in ("remove", "column") else (*at, index)
        report(path, f"there is no column '{name}'.{suggestion(name, columns)}", columns, None)
    return not missing
