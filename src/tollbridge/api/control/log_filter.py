"""How does a caller of the API say which calls are meant?"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from tollbridge.api.control.page import Query, only_seen
from tollbridge.api.deps import Control, Viewer
from tollbridge.core.call import Bucket, Category, Ending
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.usage import UsageSource
from tollbridge.insight.filter_queries import require_provider
from tollbridge.insight.log_filter import WORD_LENGTH_MAX, Asked, filter_as_asked, named_providers
from tollbridge.insight.log_queries import OFFSET_MAX
from tollbridge.insight.usage import CallFilter
from tollbridge.storage.unit import Unit

# As the rules of the filter itself, so that the API's description has them.
STATUS = r"^[1-5]([0-9]{2}|[xX]{2})$"
PERIOD = r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$"
Word = Annotated[str | None, Field(min_length=1, max_length=WORD_LENGTH_MAX)]


class CallFilterQuery(Query):
    """Which calls; filters are joined by and."""

    provider: Word = Field(
        default=None, description="Actual provider, by any of its names, or bucket."
    )
    actual_provider: Word = Field(default=None, description="By any of its names.")
    upstream_provider: Word = Field(
        default=None, description="Who ran the model behind it, by any of its names."
    )
    bucket: Bucket | None = None
    category: Category | None = None
    model: Word = Field(
        default=None, description="What the application, or what the provider was asked for."
    )
    served_model: Word = Field(default=None, description="What the provider says it ran.")
    status: Literal["COMPLETED", "FAILED"] | None = None
    status_code: str | None = Field(
        default=None, pattern=STATUS, description="HTTP status, or a class such as 4xx."
    )
    ending: Ending | None = None
    user: Word = Field(default=None, description="The same as `user_id`.")
    user_id: Word = Field(default=None, description="Whoever is no admin sees their own only.")
    key: Word = Field(default=None, description="A key's name or id.")
    project: Word = None
    customer: Word = Field(default=None, description="For whom the application made the call.")
    tag: Word = Field(default=None, description="One of the tags that it bears.")
    usage_source: UsageSource | None = None
    unpriced: bool | None = Field(default=None, description="Whether it has no price by now.")
    fallback: bool | None = Field(
        default=None, description="Whether more than one candidate was tried."
    )
    billing_period: str | None = Field(
        default=None, pattern=PERIOD, description="A month, YYYY-MM, in the billing time zone."
    )
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="ISO 8601 with a zone; the call's end."
    )
    to: AwareDatetime | None = Field(default=None, description="Not included.")


class LogFilterQuery(CallFilterQuery):
    """Which calls of a list, and how many of them are left out."""

    offset: int = Field(
        default=0, ge=0, le=OFFSET_MAX, description="So many are left out; a cursor is faster."
    )


async def filter_of(
    unit: Unit, query: CallFilterQuery, viewer: Viewer, control: Control
) -> CallFilter:
    """Return the filter that was asked for, as far as `viewer` may see.

    Raises InvalidRequestError that names the parameter, or PermissionDeniedError.
    """
    if None not in {query.user, query.user_id} and query.user != query.user_id:
        raise InvalidRequestError(
            "`user` and `user_id` name different users", details={"param": "user_id"}
        )
    seen = only_seen(viewer, query.user or query.user_id)
    plain = CallFilter(
        bucket=query.bucket,
        category=query.category,
        model=query.model,
        served_model=query.served_model,
        status=query.status,
        ending=query.ending,
        user=seen.user,
        sight=seen.sight,
        key=query.key,
        project=query.project,
        customer=query.customer,
        tag=query.tag,
        usage_source=query.usage_source,
        unpriced=query.unpriced,
        fallback=query.fallback,
        from_us=None if query.from_ is None else to_us(query.from_),
        to_us=None if query.to is None else to_us(query.to),
    )
    asked = Asked(
        provider=query.provider,
        actual_provider=query.actual_provider,
        upstream_provider=query.upstream_provider,
        status_code=query.status_code,
        billing_period=query.billing_period,
    )
    names = control.provider_names
    wanted = filter_as_asked(asked, plain, names, control.services.billing_zone)
    for provider in named_providers(wanted):
        await require_provider(unit, names, provider)
    return wanted
