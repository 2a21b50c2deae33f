"""Who is behind a generic provider name?

The Python interface: a bucket, a model's name and an endpoint's path, and nothing else is known.
"""

from typing import Final

from tollbridge.attribution.attribute import path_and_host
from tollbridge.attribution.matchers import NONE_FOUND
from tollbridge.attribution.rules import UNKNOWN_PROVIDER
from tollbridge.attribution.ruling import builtin_rules
from tollbridge.core.attribution import Evidence
from tollbridge.core.call import Bucket

APIProvider: Final = Bucket


def detect_actual_provider(
    provider_enum: Bucket | str | None, model_name: str | None = None, endpoint: str | None = None
) -> str:
    """Return the actual provider's id, at most 50 characters; `unknown` where nothing tells.

    `endpoint` is a path, or a whole URL. By the rules that come with Tollbridge; what an operator
    has added to them is asked by `attribute`. Never raises for a name, whatever is in it.
    """
    rules = builtin_rules()
    bucket = None if provider_enum is None else provider_enum.lower()
    if endpoint and "://" in endpoint:
        endpoint, host = path_and_host(Evidence(path=endpoint))
        found = rules.by_host(host) if host else NONE_FOUND
        if found is not NONE_FOUND:
            return rules.rules[found[0]].provider
    found = rules.by_name(bucket, model_name, None, endpoint)
    return UNKNOWN_PROVIDER if found is NONE_FOUND else rules.rules[found[0]].provider
