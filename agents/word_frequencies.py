"""How common English words are: the word list of SymSpell, 82,834 words with their counts, from the package `symspellpy`.

The list is the intersection of Google Books' n-grams and SCOWL (W. Garbe, SymSpell, MIT licence). Only the file is
read; the package's code is never imported.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from copybandit.sim.types import DataError

PACKAGE, FILE = "symspellpy", "symspellpy/frequency_dictionary_en_82_765.txt"
INSTALL = f"pip install {PACKAGE}==6.10.1"


def frequent_words() -> tuple[str, ...]:
    """Lower-case words, the commonest first.

    Raises:
        DataError: the package is not installed, or does not hold the list.
    """
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise DataError(f"word list: {PACKAGE} is not installed; run: {INSTALL}") from error
    path = Path(str(package.locate_file(FILE)))
    if not path.is_file():
        raise DataError(f"word list: {PACKAGE} {package.version} holds no {FILE}; run: {INSTALL}")
    rows = (line.split() for line in path.read_text("utf-8-sig").splitlines())
    counts = {row[0]: int(row[1]) for row in rows if len(row) == 2}
    return tuple(sorted(counts, key=lambda word: (-counts[word], word)))
