"""When a young shop's clusters may be used: once they hold still.

In a shop's first weeks each day's fit divides the customers otherwise, and what a playbook said
about a cluster would be about others tomorrow. So they are kept back until no fit moved many for a
while: so many lessons, or so many fits where lessons are few. Once in use they stay in use.
Figures: ARCHITECTURE.md.
"""

import msgspec

MANY = 0.1
CALM_LESSONS = 1_000
CALM_FITS = 14


class Settling(msgspec.Struct, kw_only=True):
    """How long no fit moved more than MANY of the customers."""

    is_over: bool = False
    lessons: int = 0
    fits: int = 0

    def learned(self, lessons: int) -> None:
        """Count lessons."""
        if not self.is_over:
            self.lessons += lessons

    def fitted(self, moved: float) -> None:
        """Count a fit that gave this share of the customers another label."""
        if self.is_over:
            return
        if moved > MANY:
            self.lessons = self.fits = 0
            return
        self.fits += 1
        self.is_over = self.lessons >= CALM_LESSONS or self.fits >= CALM_FITS
