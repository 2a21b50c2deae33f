"""How does a bot have things made, whoever can make them?

The bot takes orders and puts them into a queue; workers take them out, and each waits for its own.
"""

import asyncio
import base64
import os
from dataclasses import dataclass

from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandObject
from aiogram.types import BufferedInputFile, Message, URLInputFile

from tollbridge import Client, GenerateError

CATEGORIES = {"text": "TEXT", "image": "IMAGE", "video": "VIDEO", "audio": "AUDIO"}
WORKERS = 4
ORDERS_MAX = 1000
TEXT_CHARACTERS_MAX = 4000
DATA = "data:"


@dataclass(frozen=True)
class Order:
    """What somebody asked for, and where the result goes."""

    chat_id: int
    category: str
    prompt: str


def make_router(orders: asyncio.Queue[Order]) -> Router:
    """Return what the bot listens to."""
    router = Router()

    @router.message(Command(*CATEGORIES))
    async def take(message: Message, command: CommandObject) -> None:
        prompt = (command.args or "").strip()
        if not prompt:
            await message.answer(f"Say what: /{command.command} a paper boat")
            return
        try:
            orders.put_nowait(Order(message.chat.id, CATEGORIES[command.command], prompt))
        except asyncio.QueueFull:
            await message.answer("Too much is asked for just now; try again in a minute.")
            return
        await message.answer("On its way.")

    return router


async def work(bot: Bot, client: Client, orders: asyncio.Queue[Order]) -> None:
    """Make one order after the other, for ever."""
    while True:
        order = await orders.get()
        try:
            result, provider = await client.generate(
                order.category, f"generate{order.category.title()}", order.prompt
            )
            await send(bot, order, result, provider)
        except GenerateError as error:
            await bot.send_message(order.chat_id, f"It could not be made: {error}")
        finally:
            orders.task_done()


async def send(bot: Bot, order: Order, result: dict[str, str], provider: str) -> None:
    """Send a result, with the name of who made it."""
    caption = f"by {provider}"
    if text := result.get("text"):
        await bot.send_message(order.chat_id, f"{text[:TEXT_CHARACTERS_MAX]}\n\n{caption}")
    elif address := result.get("imageUrl"):
        await bot.send_photo(order.chat_id, as_file(address, "image.png"), caption=caption)
    elif address := result.get("videoUrl"):
        await bot.send_video(order.chat_id, as_file(address, "video.mp4"), caption=caption)
    elif address := result.get("audioUrl"):
        await bot.send_audio(order.chat_id, as_file(address, "audio.mp3"), caption=caption)


def as_file(address: str, name: str) -> BufferedInputFile | URLInputFile:
    """Return what an address stands for, as Telegram takes files."""
    if address.startswith(DATA):
        return BufferedInputFile(base64.b64decode(address.partition(",")[2]), name)
    headers: dict[str, str] = {}
    base_url = os.environ.get("TOLLBRIDGE_URL", "")
    if base_url and address.startswith(base_url):  # it is passed through, for the key's owner
        headers["authorization"] = f"Bearer {os.environ['TOLLBRIDGE_KEY']}"
    return URLInputFile(address, headers, name)


async def main() -> None:
    """Run the bot and its workers until interrupted."""
    server = os.environ.get("BOT_API_URL")
    session = AiohttpSession(api=TelegramAPIServer.from_base(server)) if server else None
    bot = Bot(os.environ["BOT_TOKEN"], session=session)
    orders: asyncio.Queue[Order] = asyncio.Queue(ORDERS_MAX)
    dispatcher = Dispatcher()
    dispatcher.include_router(make_router(orders))
    base_url, key = os.environ["TOLLBRIDGE_URL"], os.environ["TOLLBRIDGE_KEY"]
    async with Client(base_url, key=key) as client:
        workers = [asyncio.create_task(work(bot, client, orders)) for _ in range(WORKERS)]
        try:
            await dispatcher.start_polling(bot, handle_signals=True)
        finally:
            for worker in workers:
                worker.cancel()
            await bot.session.close()


if __name__ == "__main__":
    asyncio.run(main())
