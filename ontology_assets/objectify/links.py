"""Do links lead somewhere: each link type's links counted by partition, the dangling ones listed.

Links are part of the objects' states and are never changed here. A missing value is no link; a link whose target does
not exist is kept and reported, or stops the run where its policy is `fail`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical_columns import flat
from ontology_assets.events.heads import Heads
from ontology_assets.model.definitions import Link, ObjectType
from ontology_assets.objectify.gates import LINK_DANGLING, LINK_SHARED, SAMPLES, Gate, GateFailed, Sample
from ontology_assets.objectify.states import LINK

DANGLING_SCHEMA = pa.schema(
    [
        ("_partition", pa.string()),
        ("link", pa.string()),
        ("from_id", pa.string()),
        ("to_type", pa.string()),
        ("to_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class LinkCount:
    """One link type in one partition: `total` = objects = `none` (no link) + `resolved` + `dangling`."""

    partition: str
    link: str
    to: str
    total: int
    none: int
    resolved: int
    dangling: int
    sample: tuple[str, ...]
    """A few ids that do not exist, most frequent first."""


@dataclass(frozen=True)
class LinkReport:
    """Counts per partition and link type, the dangling links (DANGLING_SCHEMA), and the gates' outcomes."""

    counts: tuple[LinkCount, ...]
    dangling: pa.Table
    gates: tuple[Gate, ...]

    def rows(self, partition: str) -> dict[str, int]:
        """Totals over the link types of a partition, for its envelope."""
        mine = [one for one in self.counts if one.partition == partition]
        return {
            "links": sum(one.resolved + one.dangling for one in mine),
            "none": sum(one.none for one in mine),
            "resolved": sum(one.resolved for one in mine),
            "dangling": sum(one.dangling for one in mine),
        }

    def by_link(self, partition: str) -> dict[str, dict[str, int]]:
        """The same per link type."""
        return {
            one.link: {name: asdict(one)[name] for name in ("total", "none", "resolved", "dangling")}
            for one in self.counts
            if one.partition == partition
        }

    def check(self, object_type: ObjectType) -> None:
        """Raises GateFailed if a link type's policy or cardinality is broken."""
        failed = [gate for gate in self.gates if gate.count]
        if failed:
            raise GateFailed(object_type.name, failed)


def check_links(object_type: ObjectType, rows: pa.Table, partitions: Sequence[str], heads: Heads) -> LinkReport:
    """The report over `rows` (`partition`, `id`, `link:<name>` columns) of the named partitions, against live objects.

    LINK_SHARED sees the given rows only: give all partitions of a type at once where a `one_to_one` link matters.
    """
    counts: list[LinkCount] = []
    tables: list[pa.Table] = [DANGLING_SCHEMA.empty_table()]
    dangling_gates: list[Gate] = []
    shared_gates: list[Gate] = []
    for name, link in object_type.links.items():
        targets = flat(rows[LINK + name])
        encoded = targets.dictionary_encode()
        exist = heads.exist(link.to, encoded.dictionary)
        resolved = pc.fill_null(flat(exist).take(encoded.indices), False)  # noqa: FBT003 - Arrow's signature
        lost = pc.and_(targets.is_valid(), pc.invert(resolved))
        marked = pa.table({"partition": rows["partition"], "to_id": targets, "lost": lost})
        counts += _counts(name, link, marked, resolved, partitions)
        found = rows.filter(lost)
        tables.append(_dangling(name, link, found))
        if link.dangling == "fail":
            dangling_gates.append(_gate(LINK_DANGLING, name, found, f"leads to no {link.to}"))
        if link.cardinality == "one_to_one":
            repeated = targets.value_counts()
            several = repeated.field("values").filter(pc.greater(repeated.field("counts"), 1)).drop_null()
            twice = rows.filter(pc.is_in(targets, value_set=several))
            shared_gates.append(_gate(LINK_SHARED, name, twice, "is linked by several, and the link is one_to_one"))
    gates = _merged(LINK_DANGLING, dangling_gates), _merged(LINK_SHARED, shared_gates)
    return LinkReport(tuple(counts), pa.concat_tables(tables), gates)


def _counts(name: str, link: Link, marked: pa.Table, resolved: pa.Array, partitions: Sequence[str]) -> list[LinkCount]:
    """`marked`: partition, to_id and whether it is lost, one row an object. Each outcome is counted for itself, so that
    their sum can be checked."""
    kinds = {"none": marked["to_id"].is_null(), "resolved": resolved, "dangling": marked["lost"]}
    table = pa.table(
        {"partition": marked["partition"], **{kind: mask.cast(pa.int64()) for kind, mask in kinds.items()}}
    )
    grouped = table.group_by("partition").aggregate([([], "count_all"), *((kind, "sum") for kind in kinds)])
    by_partition = {row["partition"]: row for row in grouped.to_pylist()}
    samples = _samples(marked)
    result = []
    for partition in partitions:
        row = by_partition.get(partition) or dict.fromkeys(("count_all", *(f"{kind}_sum" for kind in kinds)), 0)
        none, found, dangling = (row[f"{kind}_sum"] for kind in kinds)
        sample = tuple(samples.get(partition, ()))
        result.append(LinkCount(partition, name, link.to, row["count_all"], none, found, dangling, sample))
    return result


def _samples(marked: pa.Table) -> dict[str, list[str]]:
    grouped = marked.filter(marked["lost"]).group_by(["partition", "to_id"]).aggregate([([], "count_all")])
    grouped = grouped.sort_by([("count_all", "descending"), ("to_id", "ascending")])
    samples: dict[str, list[str]] = {}
    for partition, to_id in zip(grouped["partition"].to_pylist(), grouped["to_id"].to_pylist(), strict=True):
        mine = samples.setdefault(partition, [])
        if len(mine) < SAMPLES:
            mine.append(to_id)
    return samples


def _dangling(name: str, link: Link, found: pa.Table) -> pa.Table:
    constant = {"link": name, "to_type": link.to}
    columns = {"_partition": found["partition"], "from_id": found["id"], "to_id": found[LINK + name]}
    return pa.table(
        [
            columns[field.name]
            if field.name in columns
            else pa.repeat(pa.scalar(constant[field.name], pa.string()), found.num_rows)
            for field in DANGLING_SCHEMA
        ],
        schema=DANGLING_SCHEMA,
    )


def _gate(code: str, name: str, found: pa.Table, reason: str) -> Gate:
    samples = [Sample(name, row[LINK + name], reason, row["id"]) for row in found.slice(0, SAMPLES).to_pylist()]
    return Gate(code, found.num_rows, tuple(samples))


def _merged(code: str, gates: list[Gate]) -> Gate:
    samples = [sample for gate in gates for sample in gate.samples]
    return Gate(code, sum(gate.count for gate in gates), tuple(samples[:SAMPLES]))
