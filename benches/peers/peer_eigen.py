"""Eigenvalues of a symmetric 512×512 matrix in f64 by LAPACK through NumPy; the peer of `benches/eigen.rs`."""

import argparse

from timing import measure, report, timed

import numpy as np


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("method", choices=["eigvalsh"])
    given = timed(arguments).parse_args()
    matrix = np.random.default_rng(1).uniform(-1, 1, (512, 512))
    matrix = 0.5 * (matrix + matrix.T)
    fields, values = measure(lambda: np.linalg.eigvalsh(matrix), given.repeat, given.budget)
    error = abs(values.sum() - np.trace(matrix)) / abs(values).sum()
    report({**fields, "trace_error": float(error)})


if __name__ == "__main__":
    main()
