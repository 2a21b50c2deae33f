"""How does a Python program ask the catalogue of an installation, without knowing its insides?"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Self, TypeVar

from tollbridge.core.clock import Clock, SystemClock
from tollbridge.core.errors import ConfigurationError, NotFoundError
from tollbridge.rating import model_store
from tollbridge.rating import models as catalogue_models
from tollbridge.rating.model_changes import ModelFilter
from tollbridge.rating.model_costs import PriceBooks, priced
from tollbridge.rating.models import Model, not_found
from tollbridge.storage.engine import SQLITE, parse_url
from tollbridge.storage.unit import Database, Unit
from tollbridge.storage.versions import read_versions

MODELS_MAX = 100_000
T = TypeVar("T")


class Catalogue:
    """The models of one database, as they are whenever they are asked for.

    Nothing stays open between two questions. Where an event loop runs, it waits for the answer.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._url = url
        self._clock = clock or SystemClock()
        self._books = PriceBooks()
        self._version = -1
        self._models: list[Model] = []

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the catalogue of the database at `url`, such as sqlite:///data/tollbridge.db.

        Raises ConfigurationError where there is no database, or one without a catalogue.
        """
        parsed = parse_url(url)
        if parsed.drivername.startswith(SQLITE) and not Path(parsed.database or "").is_file():
            raise ConfigurationError(f"there is no database at {parsed.database}")
        catalogue = cls(url)
        catalogue.models()
        return catalogue

    def models(
        self,
        model_type: str | None = None,
        provider: str | None = None,
        *,
        active: bool | None = None,
    ) -> list[Model]:
        """Return models in their sort order, with the prices in force."""
        return [
            model
            for model in self._run(self._read)
            if model_type in {None, model.model_type}
            and provider in {None, model.provider}
            and active in {None, model.is_active}
        ]

    def get(self, model_name: str) -> Model:
        """Return one model, active or not. Raises NotFoundError, which lists what there is."""
        every = self._run(self._read)
        for model in every:
            if model.model_name == model_name:
                return model
        raise not_found(model_name, [model.model_name for model in every])

    def default(self, model_type: str) -> Model:
        """Return the default model of a type. Raises NotFoundError where there is none."""
        for model in self.models(model_type):
            if model.is_default:
                return model
        raise NotFoundError(f"no model is the default for {model_type}")

    def calculate_cost(
        self, model: str, input_tokens: int = 0, output_tokens: int = 0, images: int = 0
    ) -> Decimal:
        """Return what so much of a model costs now, exactly, in US dollars.

        Raises NotFoundError, InvalidRequestError for what does not fit the model's type, and
        UnpricedModelError where a price that is needed is not known.
        """
        found = self.get(model)
        return catalogue_models.calculate_cost(found, input_tokens, output_tokens, images)

    def validate_model(self, model: str, model_type: str) -> Model:
        """Return the active model of that name and type; errors list what is available.

        Raises InvalidRequestError, ModelInactiveError or ModelNotFoundError.
        """
        return catalogue_models.validate_model(model, model_type, self.models())

    def validate_image_size(self, size: str, model: str) -> Model:
        """Return the active image model, which makes images of that size; errors list the sizes.

        Raises as `validate_model` does, and InvalidRequestError for a size.
        """
        return catalogue_models.validate_image_size(size, model, self.models())

    async def _read(self, unit: Unit) -> list[Model]:
        version = (await read_versions(unit)).get(model_store.PART, 0)
        if version != self._version:
            self._models = await model_store.list_models(unit, ModelFilter(), None, MODELS_MAX)
            self._version = version
        book = await self._books.current(unit)
        now_us = self._clock.now_us()
        return [priced(model, book, now_us) for model in self._models]

    def _run(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._ask(work))
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(self._ask(work))).result()

    async def _ask(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        database = Database.open(self._url)
        try:
            async with database.read() as unit:
                return await work(unit)
        finally:
            await database.close()
