# SPDX-License-Identifier: MIT
"""What info() and stats() return travels: it is pickled, copied, compared, written as JSON."""

from __future__ import annotations

import copy
import dataclasses
import json
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS: dict[str, Callable[[], Any]] = {
    "info": vgetrandom.info,
    "stats": vgetrandom.stats,
    "reseeds": lambda: vgetrandom.stats().reseeds,
}


@pytest.fixture(params=[*RESULTS.values()], ids=[*RESULTS])
def result(request: pytest.FixtureRequest) -> Any:
    vgetrandom.random_bytes(1)
    return request.param()


WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda result: pickle.loads(pickle.dumps(result)),
    "oldest pickle": lambda result: pickle.loads(pickle.dumps(result, 0)),
    "newest pickle": lambda result: pickle.loads(pickle.dumps(result, pickle.HIGHEST_PROTOCOL)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "replace": dataclasses.replace,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_arrives_as_it_was(result: Any, way: Callable[[Any], Any]) -> None:
    arrived = way(result)
    assert type(arrived) is type(result)
    assert arrived == result
    assert hash(arrived) == hash(result)
    assert repr(arrived) == repr(result)


def test_is_json(result: Any) -> None:
    told = json.loads(json.dumps(dataclasses.asdict(result)))
    assert list(told) == [field.name for field in dataclasses.fields(result)]
    # JSON has lists for tuples.
    assert told == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(result).items()
    }


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_comes_back_from_a_worker(method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(vgetrandom.info).result(60) == vgetrandom.info()
        stats = pool.submit(vgetrandom.stats).result(60)
    assert type(stats) is vgetrandom.Stats


def test_differs_from_what_differs(result: Any) -> None:
    for field in dataclasses.fields(result):
        other = dataclasses.replace(result, **{field.name: "other"})
        assert other != result
        assert {result: 1}.get(other) is None


def test_reseeds_is_a_mapping() -> None:
    reseeds = vgetrandom.Reseeds(first=1, wiped=2, generation=3, requested=4)
    as_dict = {"first": 1, "wiped": 2, "generation": 3, "requested": 4}
    assert isinstance(reseeds, Mapping)
    assert dict(reseeds) == as_dict
    assert {**reseeds} == as_dict
    assert reseeds == as_dict
    assert reseeds != {**as_dict, "first": 0}
    assert len(reseeds) == 4
    assert reseeds["wiped"] == reseeds.wiped == 2
    assert "wiped" in reseeds
    no_reasons: list[Any] = ["items", "__class__", "", 0, None]
    for no_reason in no_reasons:
        assert no_reason not in reseeds
        assert reseeds.get(no_reason) is None
        with pytest.raises(KeyError):
            reseeds[no_reason]
    with pytest.raises(dataclasses.FrozenInstanceError):
        reseeds.first = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        reseeds["first"] = 2  # type: ignore[index]


def test_names_are_public() -> None:
    assert type(vgetrandom.info()) is vgetrandom.Info
    assert type(vgetrandom.stats()) is vgetrandom.Stats
    assert {"Info", "Stats", "Reseeds"} <= {*vgetrandom.__all__} & {*dir(vgetrandom)}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        vgetrandom.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere cffi is the way")
def test_are_loaded_late() -> None:
    script = """if True:
        import sys
        before = set(sys.modules)
        import vgetrandom
        assert not {"dataclasses", "typing", "cffi"} & (set(sys.modules) - before)
        from vgetrandom import *
        assert Info.__name__ == "Info"
    """
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60)
