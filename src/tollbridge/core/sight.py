"""Whose rows may somebody see? The one filter that every list and every detail applies.

None, in place of a `Sight`, is everybody's: that of an admin.
"""

import msgspec


class Sight(msgspec.Struct, frozen=True):
    """What is a user's own, and what belongs to the projects that they manage."""

    user: str
    projects: tuple[str, ...] = ()
    """Empty for whoever manages none."""

    def covers(self, user: str | None, project: str | None = None) -> bool:
        """Return whether a row of this user and project may be seen."""
        return user == self.user or (project is not None and project in self.projects)


def covers(sight: Sight | None, user: str | None, project: str | None = None) -> bool:
    """Return whether a row of this user and project may be seen; None sees all."""
    return sight is None or sight.covers(user, project)
