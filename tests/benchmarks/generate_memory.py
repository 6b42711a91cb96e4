"""Peak memory and speed of `copybandit generate` with the template writer, by the size of the catalogue.

Run: ``python tests/benchmarks/generate_memory.py [--sizes 1000 10000] [--json FILE]``. Each size is a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from copybandit.sim.catalogue import draw_product


def write_catalogue(path: Path, n: int, seed: int = 0) -> Path:
    """A catalogue of `n` drawn products as CSV."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["product_id", "name", "title", "category", "brand", "price", "facts"])
        for number in range(n):
            product = draw_product(f"p{number:06d}", rng)
            table.writerow(
                [
                    product.product_id,
                    product.name,
                    product.title,
                    product.category,
                    product.brand,
                    product.price,
                    "; ".join(product.facts),
                ]
            )
    return path


def measure(n: int, folder: Path) -> dict[str, float]:
    """Seconds, products a second and peak resident memory (MiB) of one run in a process of its own."""
    catalogue = write_catalogue(folder / f"{n}.csv", n)
    arguments = ["generate", str(catalogue), "--writer", "template", "--out", str(folder / str(n))]
    code = (
        "import resource, sys; from copybandit.cli.main import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "products": n,
        "seconds": seconds,
        "products_per_s": n / seconds,
        "peak_mb": int(done.stderr.splitlines()[-1]) * unit / 2**20,
    }


def main() -> None:
    """Measure every size and print or save the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(n, Path(folder)) for n in told.sizes]
    text = json.dumps({"name": "generate", "ours": rows}, indent=2)
    if told.json:
        told.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
