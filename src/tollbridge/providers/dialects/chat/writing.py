"""What is alike in writing requests of several formats?"""

from collections.abc import Mapping
from typing import Any

from tollbridge.providers.dialects.chat.codec import THINKING_TOKENS_OF, refuse
from tollbridge.providers.dialects.chat.neutral import Chat, Message, Role, Text


def set_fields(body: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Put the fields that are not None into a body."""
    body.update({name: value for name, value in fields.items() if value is not None})


def said_effort(chat: Chat) -> str | None:
    """Return how hard a model shall think, in a word, also where a number of tokens was said."""
    if chat.effort is not None or chat.thinking_tokens is None:
        return chat.effort
    if chat.thinking_tokens == 0:
        return "none"
    for effort in ("low", "medium"):
        if chat.thinking_tokens <= THINKING_TOKENS_OF[effort]:
            return effort
    return "high"


def thinking_budget(chat: Chat) -> int | None:
    """Return how many tokens may be thought, also where a word was said: 0 is none at all."""
    if chat.thinking_tokens is not None or chat.effort is None:
        return chat.thinking_tokens
    if chat.effort == "none":
        return 0
    refuse(f"the effort {chat.effort}", chat.effort not in THINKING_TOKENS_OF)
    return THINKING_TOKENS_OF[chat.effort]


def ends_with_answer(chat: Chat) -> bool:
    """Return whether the last turn is the assistant's, to be gone on with."""
    return bool(chat.messages) and chat.messages[-1].role is Role.ASSISTANT


def split_system(chat: Chat) -> tuple[list[Text], list[Message]]:
    """Return the system prompts before the conversation, and its turns, each a role's own.

    Neighbours of one role become one turn: results of tools, above all, which OpenAI has apart.
    Raises UntranslatableError for a system prompt amid the conversation.
    """
    prompts: list[Text] = []
    turns: list[Message] = []
    for message in chat.messages:
        if message.role is Role.SYSTEM:
            refuse("a system prompt amid the conversation", turns)
            prompts += [part for part in message.parts if isinstance(part, Text)]
        elif turns and turns[-1].role is message.role:
            turns[-1].parts.extend(message.parts)
        else:
            turns.append(Message(message.role, list(message.parts)))
    return prompts, turns
