"""Options of a run, and parts that are done once."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Parts, Run, parse


def test_a_run_names_the_command_that_repeats_it(tmp_path: Path) -> None:
    run = parse("reason", "text", ["--quick", "--n", "7", "--methods", "a, b", "--out", str(tmp_path)])
    assert run.quick and run.n == 7 and run.methods == ("a", "b")
    assert parse("reason", "", run.command.split("reason ", 1)[1].split()).settings() == run.settings()


def test_the_command_does_not_name_the_folder_that_the_environment_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run("reason", data=tmp_path)
    assert f"--data {tmp_path}" in run.command
    monkeypatch.setenv("GRAPHMEM_DATA", str(tmp_path))
    assert "--data" not in run.command
    assert parse("reason", "text", []).data == tmp_path


def test_the_command_names_what_one_experiment_alone_takes(tmp_path: Path) -> None:
    run = Run("adapt", n=3, out=tmp_path, options={"lora": "1,5"})
    assert run.command == f"graphmem experiment adapt --seed 0 --n 3 --model smollm2-135m --lora 1,5 --out {tmp_path}"
    assert run.settings() == Run("adapt", n=3).settings()


@pytest.mark.parametrize("wrong", [{"n": 0}, {"steps": -1}, {"data": Path("no such folder")}])
def test_wrong_options_say_so(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        Run("reason", **wrong)  # type: ignore[arg-type]


def test_a_finished_part_is_not_done_twice_but_other_settings_are(tmp_path: Path) -> None:
    done: list[int] = []

    def make() -> Part:
        done.append(1)
        return Part([Row("d", "m", "right", 0.5, 2)], [{"question": "q"}])

    for seed, times in ((0, 1), (0, 1), (1, 2)):
        parts = Parts(Run("reason", seed=seed, out=tmp_path), report=lambda line: None)
        assert parts.do("films, ours", make)[0].value == 0.5
        assert len(done) == times and parts.details == [{"question": "q"}]
    assert parts.result(["note"], budget=3).settings["budget"] == 3
    again = Parts(Run("reason", seed=1, out=tmp_path), report=lambda line: None)
    again.do("films, ours", make, weights="other")
    assert len(done) == 3


def test_steps_count_only_for_parts_that_are_trained(tmp_path: Path) -> None:
    made: list[str] = []

    def make(name: str) -> list[Row]:
        made.append(name)
        return []

    for steps in (20, 400):
        parts = Parts(Run("reason", steps=steps, out=tmp_path), report=lambda line: None)
        parts.do("closed book", lambda: make("closed book"))
        parts.do("lora", lambda: make("lora"), steps=steps)
    assert made == ["closed book", "lora", "lora"]


def test_a_part_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> list[Row]:
        raise InvalidValue("no")

    parts = Parts(Run("reason", out=tmp_path), report=lambda line: None)
    with pytest.raises(InvalidValue):
        parts.do("broken", fail)
    assert not list(tmp_path.rglob("*.json"))
