"""The compiled form of what policies do with every request: check, score, choose, draw, learn.

The rules are those of `batch`, `policy_arrow`, `policy_linear`, `policy_best`, `policy_thompson` and `decide`, where they
are explained; a test holds every function here to them. Needs numba; nothing imports this file but `agents.fast`. Arrays
are float64 and contiguous, candidates int32; with others a function raises TypeError and the caller takes the NumPy form.
"""

from copybandit.agents.kernel_best import best_of_normals
from copybandit.agents.kernel_betas import best_of_betas
from copybandit.agents.kernel_learn import learn
from copybandit.agents.kernel_lints import thompson
from copybandit.agents.kernel_linucb import optimistic
from copybandit.agents.kernel_request import draw, usable

__all__ = ["best_of_betas", "best_of_normals", "draw", "learn", "optimistic", "thompson", "usable"]
