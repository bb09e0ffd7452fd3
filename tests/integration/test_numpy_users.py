# SPDX-License-Identifier: MIT
"""What builds on NumPy's generators: Dask, joblib, SciPy and Numba, with SystemBitGenerator."""

from __future__ import annotations

import operator
import warnings
from typing import TYPE_CHECKING, Any

import pytest

np: Any = pytest.importorskip("numpy", minversion="1.26")

from vgetrandom.numpy import SystemBitGenerator, default_rng  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

# pytest's own filters would make errors of what these packages deprecate among themselves.
pytestmark = pytest.mark.filterwarnings("default")

MAKERS: dict[str, Callable[[], Any]] = {
    "bit generator": SystemBitGenerator,
    "ours": default_rng,
    "Generator": lambda: np.random.Generator(SystemBitGenerator()),
}


def needed(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


def assert_shares_nothing(doubles: Any) -> None:
    """Of n doubles with 53 bits a pair is equal with a chance of n * n / 2^54."""
    flat = np.asarray(doubles).ravel()
    pairs = len(flat) ** 2 / 2**54
    assert len(flat) - len(np.unique(flat)) <= 3 + 3 * pairs


@pytest.mark.parametrize(
    ("made", "scheduler"),
    [("bit generator", "processes"), ("ours", "threads"), ("Generator", "synchronous")],
)
def test_dask(made: str, scheduler: str) -> None:
    dask = needed("dask")
    array = needed("dask.array")
    rng = array.random.default_rng(MAKERS[made]())
    both = array.stack([rng.random((200, 500), chunks=(100, 500)) for _ in range(2)])
    with dask.config.set(scheduler=scheduler):
        first, second = dask.compute(both, both + 0)
        assert_shares_nothing(first)
        assert (first == second).all()  # one graph: the same array
        assert_shares_nothing([first, *both.compute()[None]])  # computed again: another
        whole, mean, chosen = dask.compute(
            rng.integers(0, 10, 10_000, chunks=5000),
            rng.normal(0, 1, 10_000, chunks=5000).mean(),
            rng.choice(5, 100, chunks=50),
        )
    assert set(whole) == set(range(10))
    assert abs(mean) < 0.1
    assert set(chosen) <= set(range(5))


def test_two_arrays_of_dask_are_two() -> None:
    """Their names come from fingerprints of generators that have nothing to tell them apart."""
    array = needed("dask.array")
    bits = SystemBitGenerator()
    made = [array.random.default_rng(bits).random(1000) for _ in range(3)]
    made += [array.random.default_rng(SystemBitGenerator()).random(1000) for _ in range(3)]
    assert len({each.name for each in made}) == 6
    assert_shares_nothing(np.concatenate([each.compute() for each in made]))


def test_a_million_draws_of_several_dask_workers() -> None:
    distributed = needed("distributed")
    array = needed("dask.array")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster):
        rng = array.random.default_rng(SystemBitGenerator())
        drawn = rng.random(1_000_000, chunks=50_000).compute()
    assert drawn.shape == (1_000_000,)
    assert_shares_nothing(drawn)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_joblib(make: Callable[[], Any], backend: str) -> None:
    joblib = needed("joblib")
    rng = make()
    spawned = rng.spawn(4)
    # No function of this module: loky's workers could not import it.
    draw = operator.methodcaller("random_raw" if make is SystemBitGenerator else "random", 1000)
    parallel = joblib.Parallel(n_jobs=2, backend=backend, timeout=60)
    drawn = parallel(joblib.delayed(draw)(each) for each in [*[rng] * 8, *spawned])
    assert_shares_nothing(np.concatenate([*drawn, draw(rng)]))


@pytest.mark.parametrize(
    "make", [*MAKERS.values(), lambda: np.random.RandomState(SystemBitGenerator())]
)
def test_scipy(make: Callable[[], Any]) -> None:
    stats = needed("scipy.stats")
    rng = make()
    if not isinstance(rng, np.random.BitGenerator):
        for distribution in (stats.norm(), stats.gamma(2.0), stats.poisson(3.0)):
            sample = distribution.rvs(size=2000, random_state=rng)
            assert abs(sample.mean() - distribution.mean()) < 6 * distribution.std() / 2000**0.5
        drawn = [stats.uniform.rvs(size=500, random_state=rng) for _ in range(3)]
        assert_shares_nothing(np.concatenate(drawn))


@pytest.mark.parametrize("make", [MAKERS["ours"], MAKERS["Generator"]])
def test_scipys_quasi_monte_carlo(make: Callable[[], Any]) -> None:
    qmc = needed("scipy.stats").qmc
    for engine in (qmc.Sobol, qmc.Halton, qmc.LatinHypercube):
        samples = []
        for _ in range(2):
            sampler = engine(d=2, seed=make())
            samples.append(sampler.random(16))
        assert samples[0].shape == (16, 2)
        assert not np.array_equal(*samples)


def test_numba() -> None:
    numba = needed("numba")

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def fill(rng: Any, out: Any) -> None:
        for at in range(out.size):
            out[at] = rng.random()

    rng = np.random.Generator(SystemBitGenerator())
    drawn = [np.empty(5000) for _ in range(3)]
    for out in drawn:
        fill(rng, out)
    drawn.append(rng.random(5000))
    assert_shares_nothing(np.concatenate(drawn))
    assert all(0.45 < each.mean() < 0.55 for each in drawn)
