"""The columns of a node that calls a function in Python, worked out before anything runs."""

from collections.abc import Callable, Iterable, Mapping

from transforms.types import ColumnType, parse_type
from transforms.udf_code import UdfCode
from transforms.yaml_source import FieldPath, suggestion

Columns = dict[str, str]
Report = Callable[[FieldPath, str, Iterable[str], int | None], None]


def columns_with(
    called: str,
    takes: Mapping[str, str],
    udfs: Mapping[str, UdfCode],
    columns: Columns,
    *,
    at: FieldPath,
    report: Report,
) -> Columns | None:
    """The node's columns and those that the function gives; None where something does not fit, which is reported."""
    udf = udfs.get(called)
    if udf is None:
        detail = f"there is no function '{called}' in `udfs`.{suggestion(called, udfs)}"
        report((*at, "udf"), detail, udfs, None)
        return None
    good = True
    for name in takes:
        if name not in udf.takes:
            detail = f"'{udf.name}' takes no column '{name}'.{suggestion(name, udf.takes)}"
            report((*at, "takes", name), detail, udf.takes, None)
            good = False
    for name, kind in udf.takes.items():
        column = takes.get(name, name)
        place = (*at, "takes", name) if name in takes else (*at, "udf")
        if column not in columns:
            hint = suggestion(column, columns) if takes else " Name another one in `takes`."
            report(place, f"there is no column '{column}' for '{name}' of '{udf.name}'.{hint}", columns, None)
            good = False
        elif (reason := unfit(parse_type(columns[column]), parse_type(kind))) is not None:
            detail = f"'{name}' of '{udf.name}' is {kind}; column '{column}' is {columns[column]}{reason}."
            report(place, detail, [], None)
            good = False
    for name in udf.gives:
        if name in columns:
            detail = f"there is a column '{name}' already, which '{udf.name}' gives too; drop or rename it before."
            report((*at, "udf"), detail, [], None)
            good = False
    return {**columns, **udf.gives} if good else None


def unfit(found: ColumnType, wanted: ColumnType) -> str | None:
    """Why a column is not what the function takes, as an ending of a sentence; None where it is."""
    if found.base != wanted.base:
        return f"; compute cast(... AS {wanted.base}) before"
    if found.nullable and not wanted.nullable:
        return f"; declare {wanted.base}? and handle missing values, or compute coalesce(...) before"
    return None
