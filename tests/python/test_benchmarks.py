"""The performance suite compares before it times, names what got slower, and shows what it measured."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from suite import check, contest, page, stages  # noqa: E402
from suite.arrays import differences, unlike  # noqa: E402
from suite.case import LeftOut, all_cases  # noqa: E402


def result(ours, theirs, case="a/b"):
    return {"case": case, "title": "a task", "threads": 1, "ours": "ichdet", "limit_s": 0.5,
            "contenders": {"ichdet": {"s": ours, "peak_mib": 10, "note": ""},
                           "peer": {"s": theirs, "peak_mib": 20, "note": ""}, "other": {"left_out": "not here"}}}


def test_every_case_has_one_of_ours_and_says_what_it_does():
    cases = all_cases()
    assert len(cases) > 80
    assert {name.split("/")[0] for name in cases} >= {"dicom", "window", "network", "segment", "explain", "rule",
                                                      "evaluate", "system", "scaling", "skull-strip"}
    for case in cases.values():
        assert case.ours in case.contenders and case.title and all(t >= 0 for t in case.threads)


def test_ratios_and_their_extremes():
    one = result([1.0, 2.0, 1.5], [4.0, 3.0, 6.0])
    assert contest.ratio(one, "peer") == (3.0, 1.5, 4.0)
    assert contest.fraction(one) == 0.5


def test_outputs_that_differ_stop_a_case():
    same = {"ichdet": np.ones(3), "peer": np.ones(3)}
    assert differences(same, "peer", 0) == {"ichdet": 0}
    with pytest.raises(AssertionError, match="differs from peer by 1"):
        differences({"ichdet": np.zeros(3), "peer": np.ones(3)}, "peer", 0.5)
    with pytest.raises(AssertionError, match="Dice"):
        unlike({"ichdet": np.array([1, 0]), "peer": np.array([0, 1])}, "peer", 0.5)


def test_a_case_runs_and_one_whose_peer_is_left_out_is_skipped():
    found = contest.run(all_cases()["rule/maximum"], 1, 2, lambda name: name == "NumPy, all studies at once", print)
    assert set(found["contenders"]) == {"ichdet", "NumPy, all studies at once"}
    assert all(len(row["s"]) == 2 and row["peak_mib"] > 10 for row in found["contenders"].values())
    assert 0 < contest.fraction(found) and found["rates"]["float32"] > 1e9
    with pytest.raises(LeftOut, match="pydicom"):
        contest.run(all_cases()["dicom/16-bit"], 1, 1, lambda name: name == "SimpleITK", print)


def test_a_contender_that_never_gets_ready_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(contest, "READY", 0)
    process = contest.Process("rule/maximum", "ichdet", tmp_path, 1, tmp_path / "output")
    assert process.about == {"left_out": "not ready after 0 minutes"}
    process.end()


def test_the_guard_names_what_fell_by_more_than_15_percent():
    before = check.ratios({"results": [result([1.0], [4.0]), result([1.0], [4.0], "c/d")]})
    now = check.ratios({"results": [result([1.1], [4.0]), result([1.3], [4.0], "c/d")]})
    assert before == {"a/b / peer": 4.0, "c/d / peer": 4.0}
    assert list(check.slower(now, before)) == ["c/d / peer"]


def test_the_page_keeps_its_prose_and_gets_its_tables():
    told = {"machine": {"cpu": "a CPU", "isa": ["avx2"], "cores": 2, "governor": "none", "memory_gib": 4, "kernel": "6",
                        "python": "3.11", "packages": {"numpy": "2"}}, "results": [result([0.001], [0.004])]}
    text = "before\n<!-- table: a -->\nold\n<!-- end -->\nbetween\n<!-- table: z -->\nstays\n<!-- end -->\n"
    made = page.filled(text, told)
    assert "before" in made and "between" in made and "stays" in made and "old" not in made
    assert "4.00 (4.00 to 4.00)" in made and "not here" in made and "500" in made  # of the limit, per cent
    committed = (ROOT / "docs" / "benchmarks.md").read_text()
    assert {match["group"] for match in page.BLOCK.finditer(committed)} >= {"machine", "system", "network"}
    assert json.loads(check.BASELINE.read_text())


def test_stages_by_google_benchmark_are_read(tmp_path):
    program = tmp_path / "bench_stages"
    told = [{"run_name": "windows", "run_type": "iteration", "real_time": time, "time_unit": "ms"} for time in (3.0, 2.0)]
    mean = {"run_name": "windows", "run_type": "aggregate", "real_time": 2.5, "time_unit": "ms"}
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'benchmarks': [*told, mean]})}\nEND\n")
    program.chmod(0o755)
    found = stages.run(program, 2, 0.1)
    assert found == [{"stage": "windows", "s": [3e-3, 2e-3]}]
    assert "| windows | 2.00 ms |" in stages.table(found) and "2.00 ms" in stages.lines(found)[0]
