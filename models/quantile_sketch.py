"""Quantiles of amounts and counts in bounded memory; what was counted can be taken back.

Buckets grow by the same ratio, so a quantile is off by ACCURACY of its value at most (DDSketch:
Masson, Rim and Lee, VLDB 2019). Counts only add: values taken back, sketches joined and any
sequence of both leave the same sketch as the values that are left.
"""

from math import ceil, log

import msgspec

ACCURACY = 0.01
LARGEST = 1e13
"""More counts as this much, less than 1 as nothing: so there are some 1,500 buckets at most."""
_RATIO = (1.0 + ACCURACY) / (1.0 - ACCURACY)
_PER_E = 1.0 / log(_RATIO)
_NOTHING = -1


class QuantileSketch(msgspec.Struct, array_like=True):
    """Counts by bucket, those of nothing under -1; a bucket with none is not there."""

    counts: dict[int, int] = {}

    def add(self, value: float, times: int = 1) -> None:
        """Count a finite value; negative `times` take it back."""
        bucket = bucket_of(value)
        count = self.counts.get(bucket, 0) + times
        if count:
            self.counts[bucket] = count
        else:
            self.counts.pop(bucket, None)

    def join(self, other: "QuantileSketch") -> None:
        """Count all that another one did."""
        for bucket, count in other.counts.items():
            self.add(_value_of(bucket), count)

    def size(self) -> int:
        """How many values are counted."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float:
        """Value below which `share` of the values lie; 0 when nothing is counted.

        >>> sketch = QuantileSketch()
        >>> for value in range(1, 100): sketch.add(value)
        >>> 49.5 < sketch.quantile(0.5) < 50.5
        True
        """
        rank = share * max(self.size() - 1, 0)
        passed = 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if passed > rank:
                return _value_of(bucket)
        return 0.0


def bucket_of(value: float) -> int:
    """Bucket of a value.

    >>> bucket_of(0.5), bucket_of(1), bucket_of(1.01), bucket_of(1e300) == bucket_of(LARGEST)
    (-1, 0, 1, True)
    """
    if value < 1.0:
        return _NOTHING
    # What is rounded keeps a bucket's own value in its bucket.
    return ceil(round(log(value if value < LARGEST else LARGEST) * _PER_E, 9))


def _value_of(bucket: int) -> float:
    """Middle of a bucket: no value in it is farther away than ACCURACY."""
    if bucket == _NOTHING:
        return 0.0
    return float(2.0 * _RATIO**bucket / (_RATIO + 1.0)) if bucket else 1.0
