"""Finding the pattern of a path among many: Django tries one after the other, and an API has dozens."""

from collections.abc import Sequence
from itertools import takewhile

from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

STEPS = 2  # of a path that are looked at: a version, and whose it is, as in v1/services


class ByBeginning(URLResolver):
    """Patterns as in `include`, in order, of which only those with the path's prefix are tried."""

    def __init__(self, patterns: Sequence[URLPattern | URLResolver]) -> None:
        super().__init__(RoutePattern(""), [*patterns])
        beginnings = [_beginning(pattern) for pattern in patterns]
        self._some = {
            steps: [pattern for pattern, its in zip(patterns, beginnings, strict=True) if steps[: len(its)] == its]
            for steps in {(), *beginnings}
        }

    def resolve(self, path: str) -> ResolverMatch:
        """Resolver404 if no pattern matches the path."""
        steps = tuple(path.split("/", STEPS)[:STEPS])
        while steps not in self._some:
            steps = steps[:-1]
        for pattern in self._some[steps]:
            if match := pattern.resolve(path):
                return match
        raise Resolver404({"tried": [[pattern] for pattern in self._some[steps]], "path": path})


def _beginning(pattern: URLPattern | URLResolver) -> tuple[str, ...]:
    """The first segments of its paths, as far as they are fixed."""
    return tuple(takewhile(lambda step: "<" not in step, str(pattern.pattern).split("/")[:STEPS]))
