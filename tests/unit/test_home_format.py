"""The version of a home's layout: made, checked, raised by migrations with a copy before."""

import shutil
from pathlib import Path

import pytest

from gateway.home_format import Migration, check_format, upgrade
from resources.errors import SpiceError
from resources.home import FORMAT, Home
from resources.instance import ensure_instance


def at(folder: Path, number: str) -> Home:
    home = Home(folder / "home")
    home.root.mkdir()
    home.format_file.write_text(number)
    return home


def test_a_new_home_gets_the_present_format(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    check_format(home)
    assert home.format_file.read_text() == f"{FORMAT}\n"
    check_format(home)


def test_sources_put_there_beforehand_are_welcome(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    check_format(Home(tmp_path))


def test_a_folder_with_other_things_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(SpiceError, match=r"thesis\.doc"):
        check_format(Home(tmp_path))
    assert not (tmp_path / "format").exists()


def test_an_older_home_is_sent_to_upgrade(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match=r"format 2, this program works on 3: run `spice upgrade`"):
        check_format(at(tmp_path, "2"), supported=3)


def test_a_newer_home_is_refused_with_both_numbers_also_by_upgrade(tmp_path: Path) -> None:
    home = at(tmp_path, "9\n")
    with pytest.raises(SpiceError, match=r"format 9, this program knows formats up to 1"):
        check_format(home, supported=1)
    with pytest.raises(SpiceError, match=r"format 9, this program knows formats up to 1"):
        upgrade(home, dry_run=False, supported=1)


def test_a_damaged_format_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="format: Damaged format file"):
        check_format(at(tmp_path, "one"))


def rename_lake(home: Home) -> None:
    if (home.root / "tables").exists():
        (home.root / "tables").rename(home.lake)


def add_note(home: Home) -> None:
    (home.lake / "note").write_text("added")


STEPS = (Migration(1, "tables are in lake/", rename_lake), Migration(2, "a note", add_note))


def older(folder: Path) -> Home:
    home = at(folder, "1")
    (home.root / "tables").mkdir()
    (home.root / "tables" / "t").write_text("rows")
    (home.root / "logs").mkdir()
    return home


def test_a_dry_run_names_the_steps_and_changes_nothing(tmp_path: Path) -> None:
    home = older(tmp_path)
    found = upgrade(home, dry_run=True, supported=3, migrations=STEPS)
    assert found.steps == ["format 1 -> 2: tables are in lake/", "format 2 -> 3: a note"]
    assert sorted(path.name for path in home.root.iterdir()) == ["format", "logs", "tables"]


def test_an_upgrade_migrates_and_keeps_a_copy_that_works(tmp_path: Path) -> None:
    home = older(tmp_path)
    done = upgrade(home, dry_run=False, supported=3, migrations=STEPS)
    assert (home.lake / "t").read_text() == "rows"
    assert (home.lake / "note").exists()
    check_format(home, supported=3)
    assert done.backup is not None
    copy = Home(tmp_path / "copy")
    shutil.copytree(done.backup, copy.root, symlinks=True)
    check_format(copy, supported=1)
    assert (copy.root / "tables" / "t").read_text() == "rows"


def test_an_upgrade_that_broke_off_goes_on_at_its_step(tmp_path: Path) -> None:
    home = older(tmp_path)

    def break_off(_: Home) -> None:
        raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        upgrade(home, dry_run=False, supported=3, migrations=(STEPS[0], Migration(2, "a note", break_off)))
    assert home.format_file.read_text() == "2\n"
    upgrade(home, dry_run=False, supported=3, migrations=STEPS)
    assert (home.lake / "note").exists()


def test_a_format_without_a_migration_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="no migration leads from format 1 to 3"):
        upgrade(older(tmp_path), dry_run=True, supported=3, migrations=STEPS[1:])


def test_dagsters_own_migration_is_part_of_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    check_format(home)
    ensure_instance(home)
    done = upgrade(home, dry_run=False)
    assert done.steps == ["Dagster's instance migrate"]
    assert done.backup is None
