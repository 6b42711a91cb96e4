"""A small run through the real stages, for tests: the same code as `copybandit run`, fewer of everything."""

from __future__ import annotations

from pathlib import Path

from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder

SMALL: dict[str, object] = {
    "data.n_products": 80,
    "data.n_shoppers": 600,
    "data.n_rounds": 30_000,
    "n_segments": 3,
    "bootstrap_replicates": 200,
    "tune.episodes": 128,
    "tune.batch_size": 32,
    "tune.reference_samples": 128,
    "bandit.n_products": 20,
    "bandit.n_impressions": 7_000,
    "bandit.batch_size": 100,
}


def small_pipeline(path: Path, **overrides: object) -> Pipeline:
    """A pipeline in a new folder; no stage has run."""
    settings = load_settings("quickstart", {**SMALL, **overrides})
    return Pipeline(settings, RunFolder.create(path, settings), Silent())
